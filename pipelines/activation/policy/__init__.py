"""The policy: seeds in dbt_project/seeds/policy/ that marketers edit, checked before a run uses them.

`words` has the closed lists, `tables` the check of each table by itself, `rules` the playbook's logic,
`references` what the tables say about each other. docs/policy.md explains the tables to who edits them.
"""

from pipelines.activation.policy.check import check_policy_seeds, checked_policy
from pipelines.activation.policy.tables import Policy

__all__ = ["Policy", "check_policy_seeds", "checked_policy"]
