"""The seeds that say what counts as evidence for a reason, checked before a run uses them.

Marketers edit `reason.csv`, `reason_rule.csv` and `survey_answer.csv`. A slip there would not stop dbt: a
fact with a typing error matches nothing, and a weight of 5 outweighs every answer. So this check comes before
dbt loads them.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pipelines.feeds.errors import ConfigError
from pipelines.seed_tables import (
    Check,
    Place,
    Row,
    anything,
    number,
    once,
    one_of,
    optional,
    read_seed,
    text,
    whole,
)

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
    columns: dict[str, Check] = {
        "reason": one_of(REASONS),
        "min_score": number(Decimal(0), Decimal(1)),
        "max_inferred_score": number(Decimal(0), Decimal(1)),
        "precedence": whole(1, 99),
        "description": text,
        "description_zh": text,
    }
    rows = read_seed(file, columns)
    once(rows, "reason")
    missing = [reason for reason in REASONS if reason not in {row["reason"] for row in rows}]
    if missing:
        raise ConfigError(
            f"{file}: reason: {', '.join(missing)} is missing; each of {', '.join(REASONS)} stands once"
        )
    for row in rows:
        if row["reason"] != "unknown" and Decimal(row["min_score"]) <= 0:
            raise row.place("min_score").error(
                "above 0 for every reason but unknown, or it would be named without evidence"
            )
    return {row["reason"]: Decimal(row["max_inferred_score"]) for row in rows}


def _check_rules(file: Path, limits: dict[str, Decimal]) -> None:
    columns: dict[str, Check] = {
        "rule": text,
        "reason": one_of(REASONS[:-1]),
        "sub_reason": anything,
        "fact": one_of(FACTS),
        "from_days": whole(-3_650, 0),
        "until_event": one_of(WINDOW_ENDS),
        "until_days": whole(-3_650, 3_650),
        "threshold": optional(number(Decimal(0), Decimal(100_000))),
        "min_count": whole(1, 1_000),
        "min_share": optional(number(Decimal(0), Decimal(1))),
        "weight": number(Decimal(0), Decimal(1)),
        "cap": number(Decimal(0), Decimal(1)),
        "loss_per_day": number(Decimal(0), Decimal("0.3")),
        "description": text,
    }
    rows = read_seed(file, columns)
    once(rows, "rule")
    for row in rows:
        weight, cap = Decimal(row["weight"]), Decimal(row["cap"])
        if weight <= 0:
            raise row.place("weight").error("above 0 and up to 1; remove the row instead")
        if cap < weight:
            raise row.place("cap").error(f"{row['weight']} (the weight) to 1")
        if row["until_event"] == "last_purchase" and int(row["until_days"]) > 0:
            raise row.place("until_days").error(
                "0 or less when the window ends by the last purchase; nothing is bought after it"
            )
        if row["until_event"] == "last_purchase" and int(row["until_days"]) < int(row["from_days"]):
            raise row.place("until_days").error(
                f"{row['from_days']} (from_days) to 0: the window ends before it begins"
            )
        if row["fact"] == STATED:
            _check_answer_rule(row, limits)
        elif not row["threshold"]:
            raise row.place("threshold").error(f"a number for the fact {row['fact']}")


def _check_answer_rule(row: Row, limits: dict[str, Decimal]) -> None:
    if row["threshold"]:
        raise row.place("threshold").error("nothing: an answer has no threshold")
    highest = max(limits.values())
    if Decimal(row["weight"]) <= highest:
        raise row.place("weight").error(
            f"above {highest} (the largest max_inferred_score of reason.csv) and up to 1: "
            "an answer outweighs inference"
        )


def _check_answers(file: Path) -> None:
    columns: dict[str, Check] = {
        "reason_code": _lower_case,
        "reason": one_of(REASONS[:-1]),
        "sub_reason": anything,
    }
    once(read_seed(file, columns), "reason_code")


def _lower_case(place: Place) -> None:
    if not place.value or place.value != place.value.strip().lower():
        raise place.error("the shop's code in lower case, without spaces around it")
