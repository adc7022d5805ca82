"""Each table of the policy by itself: its columns, what each cell may hold, what a row may hold together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from pipelines.activation.policy import words
from pipelines.feeds.errors import ConfigError
from pipelines.seed_tables import (
    Check,
    Row,
    anything,
    iso_date,
    list_of,
    matching,
    number,
    once,
    one_of,
    optional,
    read_seed,
    text,
    whole,
)

_NAME = matching(r"[a-z][a-z0-9_]*", "a name of small letters, digits and _")
_FLAG = one_of(("true", "false", "TRUE", "FALSE"))  # capitals: as spreadsheets save them
_TIME = matching(r"([01]\d|2[0-3]):[0-5]\d", "a time of the day as HH:MM, 00:00 to 23:59")
_SHARE = number(Decimal(0), Decimal(1))
_MONEY = number(Decimal(0), Decimal(1_000_000), decimals=2)
_FINE_MONEY = number(Decimal(0), Decimal(1_000_000))
_COUNT = whole(0, 1_000_000_000)
_LARGEST_SHARE = Decimal("0.9")
"""No offer gives more of an order away, and none costs more of it."""


@dataclass(frozen=True)
class Policy:
    """The tables, each row sound by itself."""

    playbook: list[Row]
    journeys: list[Row]
    steps: list[Row]
    offers: list[Row]
    channels: list[Row]
    caps: list[Row]
    budgets: list[Row]
    templates: list[Row]


def read_policy(policy_dir: Path) -> Policy:
    """Read all tables of the policy.

    Args:
        policy_dir: folder of the seeds.

    Raises:
        ConfigError: a table is missing or holds what is not accepted; what tables say about each other is not
            looked at (`check_policy_seeds` does).
    """
    for other in (_push_vendors, _holidays, _occasions, _holdout, _learning, _reason_codes, _kpi_targets):
        other(policy_dir)
    return Policy(
        playbook=_playbook(policy_dir),
        journeys=_journeys(policy_dir),
        steps=_steps(policy_dir),
        offers=_offers(policy_dir),
        channels=_channels(policy_dir),
        caps=_caps(policy_dir),
        budgets=_budgets(policy_dir),
        templates=_templates(policy_dir),
    )


def _playbook(folder: Path) -> list[Row]:
    dimensions: dict[str, Check] = {column: list_of(closed) for column, closed in words.DIMENSIONS.items()}
    rows = read_seed(
        folder / "playbook.csv",
        {
            "rule": _NAME,
            "priority": whole(1, 9_999),
            **dimensions,
            "journey": anything,
            "reason_code": one_of(words.REASON_CODES),
            "description": text,
        },
    )
    once(rows, "rule")
    for row in rows:
        decision = "send" if row["journey"] else "no_action"
        accepted = [code for code, its in words.DECISION_OF_REASON_CODE.items() if its == decision]
        if row["reason_code"] not in accepted:
            why = "with a journey" if row["journey"] else "without a journey nothing is sent"
            raise row.place("reason_code").error(f"{', '.join(accepted)} ({why})")
    return rows


def _journeys(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "journey.csv",
        {
            "journey": _NAME,
            "kind": one_of(words.JOURNEY_KINDS),
            "purpose": one_of(words.PURPOSES),
            "other_channel": _FLAG,
            "prior_lift": number(Decimal(0), Decimal("0.5")),
            "repeat_after_days": optional(whole(0, 3_650)),
            "name": text,
            "name_zh": text,
            "description": text,
        },
    )
    once(rows, "journey")
    for row in rows:
        if row["purpose"] == "service" and row["kind"] not in words.SERVICE_KINDS:
            raise row.place("purpose").error(
                f"marketing; service is for the kinds {', '.join(words.SERVICE_KINDS)}, because it reaches "
                "customers who did not consent to marketing"
            )
        if row["purpose"] != "service" and row["kind"] == "repair":
            raise row.place("purpose").error("service for the kind repair: an apology is no marketing")
    return rows


def _steps(folder: Path) -> list[Row]:
    return read_seed(
        folder / "journey_step.csv",
        {
            "journey": _NAME,
            "step": whole(1, 99),
            "condition": one_of(words.CONDITIONS),
            "wait_days": whole(0, 365),
            "channels": list_of(words.CHANNELS, wildcard=False),
            "offer_id": anything,
            "other_offers": anything,
            "template_id": _NAME,
        },
    )


def _offers(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "offer.csv",
        {
            "offer_id": _NAME,
            "kind": one_of(words.OFFER_KINDS),
            "benefit": number(Decimal(0), Decimal(1_000_000)),
            "minimum_spend": _MONEY,
            "cost_rule": one_of(words.COST_RULES),
            # An empty cost would read as nothing: an offer that costs nothing says 0.
            "cost": _FINE_MONEY,
            "take_up": _SHARE,
            "valid_days": whole(1, 365),
            "eligible_classes": list_of(words.GUIDE_CLASSES),
            "coupon_prefix": optional(matching(r"[A-Z]{2,4}", "2 to 4 capitals, or nothing (no code)")),
            "name": text,
            "name_zh": text,
        },
    )
    once(rows, "offer_id")
    once([row for row in rows if row["coupon_prefix"]], "coupon_prefix")
    for row in rows:
        _check_amounts(row)
    return rows


def _check_amounts(offer: Row) -> None:
    benefit, minimum = Decimal(offer["benefit"]), Decimal(offer["minimum_spend"])
    if benefit == 0:
        raise offer.place("benefit").error("above 0")
    if offer["kind"] == "percent" and benefit > _LARGEST_SHARE:
        raise offer.place("benefit").error(
            f"a share up to {_LARGEST_SHARE} for the kind percent; 0.1 is 10 percent"
        )
    if offer["kind"] == "spend_and_save" and minimum == 0:
        raise offer.place("minimum_spend").error("above 0 for the kind spend_and_save")
    if offer["kind"] in ("amount", "spend_and_save") and 0 < minimum <= benefit:
        raise offer.place("minimum_spend").error(f"more than the benefit {benefit}")
    if offer["cost_rule"] == "share_of_order" and Decimal(offer["cost"]) > _LARGEST_SHARE:
        raise offer.place("cost").error(f"a share from 0 to {_LARGEST_SHARE} for share_of_order")


def _channels(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "channel.csv",
        {
            "channel": one_of(words.CHANNELS),
            "reach": one_of(tuple(dict.fromkeys(words.REACH.values()))),
            "unit_cost": _FINE_MONEY,
            "labour_cost": _FINE_MONEY,
            "prior_response": _SHARE,
            "lift_factor": number(Decimal(0), Decimal(10)),
            "quiet_from": _TIME,
            "quiet_to": _TIME,
            "active_from": _TIME,
            "active_to": _TIME,
            "on_weekends": _FLAG,
            "on_holidays": _FLAG,
            "minimum_list": optional(_COUNT),
            "daily_limit": optional(_COUNT),
            "intrusive": _FLAG,
        },
    )
    once(rows, "channel")
    for row in rows:
        if row["reach"] != words.REACH[row["channel"]]:
            raise row.place("reach").error(f"{words.REACH[row['channel']]} for {row['channel']}")
        _check_hours(row)
    return rows


def _check_hours(channel: Row) -> None:
    # HH:MM of one length compares as text.
    quiet_from, quiet_to = channel["quiet_from"], channel["quiet_to"]
    begin, end = channel["active_from"], channel["active_to"]
    if quiet_from == quiet_to:
        raise channel.place("quiet_to").error(f"another time than quiet_from ({quiet_from})")
    if end <= begin:
        raise channel.place("active_to").error(f"later than active_from ({begin}), on the same day")
    if quiet_from < quiet_to:
        is_quiet = quiet_from <= begin < quiet_to
    else:
        is_quiet = begin >= quiet_from or begin < quiet_to
    if is_quiet:
        raise channel.place("active_from").error(f"a time outside the quiet hours {quiet_from} to {quiet_to}")


def _caps(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "contact_cap.csv",
        {
            "scope": one_of(words.SCOPES),
            "channel": one_of(("all", *words.CHANNELS)),
            "days": whole(1, 90),
            "messages": whole(0, 1_000),
        },
    )
    once(rows, "scope", "channel", "days")
    return rows


def _push_vendors(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "push_vendor.csv",
        {
            "vendor": matching(r"[a-z0-9_]+", "a vendor as the feed devices names it, in small letters"),
            "daily_limit": optional(_COUNT),
            "device_limit": optional(_COUNT),
        },
    )
    once(rows, "vendor")
    return rows


def _holidays(folder: Path) -> list[Row]:
    rows = read_seed(folder / "holiday.csv", {"holiday_on": iso_date, "name": text, "name_zh": text})
    once(rows, "holiday_on")
    return rows


def _occasions(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "occasion.csv",
        {
            "occasion": one_of(words.OCCASIONS),
            "month": whole(1, 12),
            "day": whole(1, 31),
            "name": text,
            "name_zh": text,
        },
    )
    once(rows, "occasion", "month", "day")
    for row in rows:
        try:
            date(2024, int(row["month"]), int(row["day"]))  # a leap year
        except ValueError:
            raise row.place("day").error(f"a day that month {row['month']} has") from None
    return rows


def _budgets(folder: Path) -> list[Row]:
    rows = read_seed(
        file := folder / "budget.csv",
        {
            "scope": one_of(("all", *words.CHANNELS)),
            "daily_amount": _MONEY,
            "min_margin_per_cost": optional(number(Decimal(0), Decimal(100))),
        },
    )
    once(rows, "scope")
    if "all" not in {row["scope"] for row in rows}:
        raise ConfigError(f"{file}: scope: all is missing; a row for the whole budget and one per channel")
    for row in rows:
        if bool(row["min_margin_per_cost"]) != (row["scope"] == "all"):
            raise row.place("min_margin_per_cost").error(
                "a number from 0 to 100 for the scope all, nothing for a channel"
            )
    return rows


def _holdout(folder: Path) -> list[Row]:
    rows = read_seed(
        file := folder / "holdout.csv",
        {"salt": text, "share": _SHARE, "universal_share": _SHARE, "outcome_days": whole(1, 365)},
    )
    if len(rows) != 1:
        raise ConfigError(f"{file}: it has {len(rows)} rows; accepted: one")
    share, universal = Decimal(rows[0]["share"]), Decimal(rows[0]["universal_share"])
    if share + universal > Decimal("0.5"):
        raise rows[0].place("share").error(f"with universal_share ({universal}) up to 0.5 together")
    return rows


def _kpi_targets(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "kpi_target.csv",
        {
            "metric": one_of(words.KPI_METRICS),
            "direction": one_of(words.DIRECTIONS),
            "target": number(Decimal(-1_000_000), Decimal(1_000_000_000)),
            "period_days": whole(1, 3_650),
            "description": text,
            "description_zh": text,
        },
    )
    once(rows, "metric")
    return rows


def _learning(folder: Path) -> list[Row]:
    rows = read_seed(
        file := folder / "learning.csv",
        {
            "exploration_share": number(Decimal(0), Decimal("0.5")),
            "window_days": whole(1, 90),
            "look_back_days": whole(1, 3_650),
            "prior_sd": number(Decimal("0.0001"), Decimal("0.5")),
            "minimum_episodes": whole(1, 1_000_000),
        },
    )
    if len(rows) != 1:
        raise ConfigError(f"{file}: it has {len(rows)} rows; accepted: one")
    window, look_back = int(rows[0]["window_days"]), int(rows[0]["look_back_days"])
    if look_back <= window:
        raise rows[0].place("look_back_days").error(f"more than window_days ({window})")
    return rows


def _reason_codes(folder: Path) -> list[Row]:
    rows = read_seed(
        file := folder / "reason_code.csv",
        {
            "reason_code": one_of(words.REASON_CODES),
            "decision": anything,
            "description": text,
            "description_zh": text,
        },
    )
    once(rows, "reason_code")
    for row in rows:
        decision = words.DECISION_OF_REASON_CODE[row["reason_code"]]
        if row["decision"] != decision:
            raise row.place("decision").error(f"{decision} for {row['reason_code']}")
    missing = set(words.REASON_CODES) - {row["reason_code"] for row in rows}
    if missing:
        raise ConfigError(f"{file}: reason_code: {', '.join(sorted(missing))} is missing; the list is closed")
    return rows


def _templates(folder: Path) -> list[Row]:
    rows = read_seed(
        folder / "template.csv",
        {
            "template_id": _NAME,
            "channel": one_of(words.MESSAGE_CHANNELS),
            "language": one_of(words.LANGUAGES),
            "subject": anything,
            "body": text,
            "action": anything,
            "deep_link": anything,
        },
    )
    once(rows, "template_id", "channel", "language")
    for row in rows:
        _check_parts(row)
    return rows


_NEEDED_PARTS = {"email": ("subject", "action", "deep_link"), "push": ("subject", "action", "deep_link")}
_UNUSED_PARTS = {"sms": ("subject", "action"), "social_dm": ("subject", "action")}


def _check_parts(template: Row) -> None:
    channel = template["channel"]
    for column in _NEEDED_PARTS.get(channel, ()):
        if not template[column].strip():
            raise template.place(column).error(f"a text for {channel}")
    for column in _UNUSED_PARTS.get(channel, ()):
        if template[column]:
            raise template.place(column).error(f"nothing for {channel}: it has a body only")
    link = re.sub(r"\{\{.*?\}\}", "x", template["deep_link"])
    if link and not re.fullmatch(r"/(?!/)\S*", link):
        raise template.place("deep_link").error(
            "a path such as /p/recommended; the profile's link_base stands before it"
        )
