"""What joins two accounts, from the strongest to the weakest, and how many an identifier may name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

RULES_VERSION = 1
"""A new number makes every account be looked at again."""

STRENGTH = MappingProxyType(
    {
        "merge_instruction": 0,
        "named_together": 1,
        "same_card": 2,
        "verified_email": 3,
        "two_identifiers": 4,
        "same_name": 5,
        "same_birth_date": 6,
        "similar_name": 7,
        "email_names_customer": 8,
        "fuzzy": 9,
        "only_candidate": 10,
        "contact": 11,
    }
)
"""The rules' order: where a veto keeps two groups apart, the stronger links have joined theirs first.

| rule | two accounts are one customer's because |
|---|---|
| merge_instruction | a person said so |
| named_together | the shop's own records name both as one customer's |
| same_card | they have one membership card |
| verified_email | both have proved that an e-mail address is theirs |
| two_identifiers | both e-mail address and phone number are the same |
| same_name | they share a phone number, e-mail address or device, and the name |
| same_birth_date | they share one, and the date of birth, and the names could be one person's |
| similar_name | they share one, and the names differ as a slip of the pen does |
| email_names_customer | they share one, and the e-mail address of the one has the other's name in it |
| fuzzy | the probability of the optional model is above its threshold |
| only_candidate | the one has no name, and all named accounts of the number or address are one customer |
| contact | the help desk was written to or called from it, and all accounts that have it are one customer |
"""

KINDS = ("account", "card", "email", "phone", "device")


@dataclass(frozen=True)
class IdentityRules:
    """How careful the links are.

    Attributes:
        max_accounts: per kind of identifier, how many accounts may carry one value; a value that more carry
            is `shared` and joins nobody.
        max_conflicts: in a connected group with more than this many different people (names with dates of
            birth and sexes) only links that stand by themselves count: no shop has such a customer.
    """

    max_accounts: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(KINDS, 10))
    )
    max_conflicts: int = 500
