"""The seeds that say what counts as evidence for a reason, checked before a run uses them.

Marketers edit `reason.csv`, `reason_rule.csv` and `survey_answer.csv`. A slip there would not stop dbt: a
fact with a typing error matches nothing, and a weight of 5 outweighs every answer. So this check comes before
dbt loads them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pipelines.feeds.errors import ConfigError

REASONS = (
    "bad_experience",
    "need_satisfied",
    "communication_failure",
    "communication_overload",
    "price_competition",
    "brand_fade",
    "unknown",
)
"""The published list: analysts' queries and playbooks name these."""

FACTS = (
    "survey_answer",
    "complaint",
    "ticket_rating",
    "days_to_resolution",
    "days_late",
    "return",
    "price_enquiry",
    "coupon_order",
    "discount_share",
    "price_rise",
    "durable_bought",
    "seasonal_bought",
    "category_left",
    "bounce",
    "days_unopened",
    "messages_in_28_days",
    "unsubscribed",
    "spam_complaint",
    "days_silent_before",
    "days_silent_since",
    "no_address",
)
"""What the models `int_fact_*` look at; docs/reasons.md says what each is."""

STATED = "survey_answer"
"""The fact that is not inferred: what it adds must exceed what inference can reach."""

WINDOW_ENDS = ("last_purchase", "asleep")


@dataclass(frozen=True)
class _Place:
    """A cell, for messages."""

    file: Path
    row: int
    column: str
    value: str

    def error(self, accepted: str) -> ConfigError:
        return ConfigError(
            f"{self.file}: row {self.row}: {self.column}: {self.value!r} is not allowed; accepted: {accepted}"
        )


_Check = Callable[[_Place], object]


def check_reason_seeds(policy_dir: Path) -> None:
    """Check the three seeds, each by itself and against each other.

    Args:
        policy_dir: folder of the seeds.

    Raises:
        ConfigError: a file is missing, has other columns, or a value is not allowed; the message names file,
            row (the first below the heading is 2, as in an editor), column, value and what is accepted.
    """
    limits = _check_reasons(policy_dir / "reason.csv")
    _check_rules(policy_dir / "reason_rule.csv", limits)
    _check_answers(policy_dir / "survey_answer.csv")


def _check_reasons(file: Path) -> dict[str, Decimal]:
    """Returns how far inference can bring each reason."""
    columns: dict[str, _Check] = {
        "reason": _one_of(REASONS),
        "min_score": _number(Decimal(0), Decimal(1)),
        "max_inferred_score": _number(Decimal(0), Decimal(1)),
        "precedence": _whole(1, 99),
        "description": _text,
        "description_zh": _text,
    }
    rows = list(_rows(file, columns))
    _once(file, rows, "reason")
    missing = [reason for reason in REASONS if reason not in {row["reason"] for _, row in rows}]
    if missing:
        raise ConfigError(
            f"{file}: reason: {', '.join(missing)} is missing; each of {', '.join(REASONS)} stands once"
        )
    for number, row in rows:
        if row["reason"] != "unknown" and Decimal(row["min_score"]) <= 0:
            raise _Place(file, number, "min_score", row["min_score"]).error(
                "above 0 for every reason but unknown, or it would be named without evidence"
            )
    return {row["reason"]: Decimal(row["max_inferred_score"]) for _, row in rows}


def _check_rules(file: Path, limits: dict[str, Decimal]) -> None:
    columns: dict[str, _Check] = {
        "rule": _text,
        "reason": _one_of(REASONS[:-1]),
        "sub_reason": _anything,
        "fact": _one_of(FACTS),
        "from_days": _whole(-3_650, 0),
        "until_event": _one_of(WINDOW_ENDS),
        "until_days": _whole(-3_650, 3_650),
        "threshold": _optional(_number(Decimal(0), Decimal(100_000))),
        "min_count": _whole(1, 1_000),
        "min_share": _optional(_number(Decimal(0), Decimal(1))),
        "weight": _number(Decimal(0), Decimal(1)),
        "cap": _number(Decimal(0), Decimal(1)),
        "loss_per_day": _number(Decimal(0), Decimal("0.3")),
        "description": _text,
    }
    rows = list(_rows(file, columns))
    _once(file, rows, "rule")
    for number, row in rows:
        weight, cap = Decimal(row["weight"]), Decimal(row["cap"])
        if weight <= 0:
            raise _Place(file, number, "weight", row["weight"]).error(
                "above 0 and up to 1; remove the row instead"
            )
        if cap < weight:
            raise _Place(file, number, "cap", row["cap"]).error(f"{row['weight']} (the weight) to 1")
        if row["until_event"] == "last_purchase" and int(row["until_days"]) > 0:
            raise _Place(file, number, "until_days", row["until_days"]).error(
                "0 or less when the window ends by the last purchase; nothing is bought after it"
            )
        if row["until_event"] == "last_purchase" and int(row["until_days"]) < int(row["from_days"]):
            raise _Place(file, number, "until_days", row["until_days"]).error(
                f"{row['from_days']} (from_days) to 0: the window ends before it begins"
            )
        if row["fact"] == STATED:
            _check_answer_rule(file, number, row, limits)
        elif not row["threshold"]:
            raise _Place(file, number, "threshold", row["threshold"]).error(
                f"a number for the fact {row['fact']}"
            )


def _check_answer_rule(file: Path, number: int, row: dict[str, str], limits: dict[str, Decimal]) -> None:
    if row["threshold"]:
        raise _Place(file, number, "threshold", row["threshold"]).error("nothing: an answer has no threshold")
    highest = max(limits.values())
    if Decimal(row["weight"]) <= highest:
        raise _Place(file, number, "weight", row["weight"]).error(
            f"above {highest} (the largest max_inferred_score of reason.csv) and up to 1: "
            "an answer outweighs inference"
        )


def _check_answers(file: Path) -> None:
    columns: dict[str, _Check] = {
        "reason_code": _lower_case,
        "reason": _one_of(REASONS[:-1]),
        "sub_reason": _anything,
    }
    _once(file, list(_rows(file, columns)), "reason_code")


def _rows(file: Path, columns: dict[str, _Check]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their numbers, each cell checked by itself."""
    try:
        handle = file.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: there is no such seed; it says why customers sleep") from error
    with handle:
        reader = csv.DictReader(handle)
        if list(reader.fieldnames or ()) != list(columns):
            raise ConfigError(
                f"{file}: row 1: the columns are {','.join(reader.fieldnames or ())}; "
                f"accepted: {','.join(columns)}"
            )
        for row in reader:
            number = reader.line_num
            if None in row or None in row.values():
                raise ConfigError(
                    f"{file}: row {number}: it has not {len(columns)} cells; "
                    "a text with a comma stands in quotes"
                )
            for column, check in columns.items():
                check(_Place(file, number, column, row[column]))
            yield number, row


def _once(file: Path, rows: list[tuple[int, dict[str, str]]], column: str) -> None:
    seen: dict[str, int] = {}
    for number, row in rows:
        first = seen.setdefault(row[column], number)
        if first != number:
            raise _Place(file, number, column, row[column]).error(f"each value once; row {first} has it too")


def _one_of(values: tuple[str, ...]) -> _Check:
    def check(place: _Place) -> None:
        if place.value not in values:
            raise place.error(", ".join(values))

    return check


def _number(low: Decimal, high: Decimal) -> _Check:
    def check(place: _Place) -> None:
        accepted = f"a number from {low} to {high}, with four decimals at most"
        try:
            value = Decimal(place.value)
        except InvalidOperation:
            raise place.error(accepted) from None
        if not value.is_finite() or not low <= value <= high or round(value, 4) != value:
            raise place.error(accepted)

    return check


def _whole(low: int, high: int) -> _Check:
    def check(place: _Place) -> None:
        digits = place.value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or not low <= int(place.value) <= high:
            raise place.error(f"a whole number from {low} to {high}")

    return check


def _optional(check: _Check) -> _Check:
    return lambda place: check(place) if place.value else None


def _text(place: _Place) -> None:
    if not place.value.strip():
        raise place.error("a text")


def _lower_case(place: _Place) -> None:
    if not place.value or place.value != place.value.strip().lower():
        raise place.error("the shop's code in lower case, without spaces around it")


def _anything(place: _Place) -> None:
    del place
