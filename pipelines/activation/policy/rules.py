"""The playbook's logic: which rule wins for which customers."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.activation.policy import words
from pipelines.seed_tables import Row

Combination = Mapping[str, str]
"""A value of each dimension."""


@dataclass(frozen=True)
class Rule:
    """A row of the playbook with what its cells stand for."""

    row: Row
    priority: int
    values: Mapping[str, frozenset[str]]

    @property
    def name(self) -> str:
        """Name of the row."""
        return self.row["rule"]

    @property
    def journey(self) -> str:
        """Journey, or ''."""
        return self.row["journey"]

    def fits(self, combination: Combination) -> bool:
        """Whether the rule is for customers like this."""
        return all(combination[column] in values for column, values in self.values.items())

    def overlap(self, other: Rule) -> dict[str, str] | None:
        """A combination that both rules fit, or None."""
        shared: dict[str, str] = {}
        for column, closed in words.DIMENSIONS.items():
            both = self.values[column] & other.values[column]
            if not both:
                return None
            shared[column] = next(value for value in closed if value in both)
        return shared


def rules_of(playbook: Sequence[Row]) -> list[Rule]:
    """The rules in the order in which they are asked: by priority, then by row."""
    rules = [
        Rule(
            row,
            int(row["priority"]),
            {column: row.values(column, closed) for column, closed in words.DIMENSIONS.items()},
        )
        for row in playbook
    ]
    return sorted(rules, key=lambda rule: rule.priority)


def combinations() -> Iterator[dict[str, str]]:
    """All combinations of the dimensions: 9,000."""
    for values in itertools.product(*words.DIMENSIONS.values()):
        yield dict(zip(words.DIMENSIONS, values, strict=True))


def winner(rules: Sequence[Rule], combination: Combination) -> Rule | None:
    """The rule that decides about customers like this; `rules` in the order of `rules_of`."""
    return next((rule for rule in rules if rule.fits(combination)), None)


def classes_reached(rules: Sequence[Rule]) -> dict[str, dict[str, Rule]]:
    """By journey the classes of the guide that the playbook sends there, each with a rule that does.

    A buyer has a class and who never bought has none: other combinations do not occur and are left out.
    """
    reached: defaultdict[str, dict[str, Rule]] = defaultdict(dict)
    for combination in combinations():
        if (combination["customer_kind"] == "buyer") == (combination["guide_class"] == "none"):
            continue
        rule = winner(rules, combination)
        if rule is not None and rule.journey:
            reached[rule.journey].setdefault(combination["guide_class"], rule)
    return dict(reached)


def described(combination: Combination) -> str:
    """A combination for a message."""
    return ", ".join(f"{column} {value}" for column, value in combination.items())
