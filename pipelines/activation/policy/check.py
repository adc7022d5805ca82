"""The check of the whole policy."""

from __future__ import annotations

from pathlib import Path

from pipelines.activation.policy.references import check_references
from pipelines.activation.policy.tables import Policy, read_policy


def check_policy_seeds(policy_dir: Path) -> None:
    """Check all tables of the policy, each by itself and against each other.

    Args:
        policy_dir: folder of the seeds.

    Raises:
        ConfigError: a table is missing, has other columns, or holds what is not accepted; the message names
            file, row (1 is the heading), column, value and what is accepted.
    """
    checked_policy(policy_dir)


def checked_policy(policy_dir: Path) -> Policy:
    """The tables, sound by themselves and against each other.

    Raises:
        ConfigError: as `check_policy_seeds`.
    """
    policy = read_policy(policy_dir)
    check_references(policy, policy_dir)
    return policy
