"""What the tables of the policy say about each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal
from itertools import combinations, pairwise
from pathlib import Path

from pipelines.activation.policy import words
from pipelines.activation.policy.rules import (
    Rule,
    classes_reached,
    described,
    rules_of,
    winner,
)
from pipelines.activation.policy.rules import combinations as all_combinations
from pipelines.activation.policy.tables import Policy
from pipelines.activation.templates import VARIABLES, TemplateError, without_default
from pipelines.feeds.errors import ConfigError
from pipelines.seed_tables import Row, suggestion


def check_references(policy: Policy, folder: Path) -> None:
    """Check the tables against each other; each is sound by itself.

    Raises:
        ConfigError: the first thing that does not fit.
    """
    rules = rules_of(policy.playbook)
    _check_playbook(policy, rules, folder)
    steps = _steps_by_journey(policy)
    for journey in policy.journeys:
        _check_steps(journey, steps[journey["journey"]])
    _check_step_references(policy)
    _check_channels(policy)
    _check_eligibility(policy, rules, steps)
    _check_templates(policy)
    _check_unused(policy)


def _check_playbook(policy: Policy, rules: list[Rule], folder: Path) -> None:
    journeys = [row["journey"] for row in policy.journeys]
    for row in policy.playbook:
        if row["journey"] and row["journey"] not in journeys:
            raise _unknown(row, "journey", journeys, "journey.csv")
    for first, second in combinations(rules, 2):
        if first.priority != second.priority:
            continue
        shared = first.overlap(second)
        if shared is not None:
            raise second.row.place("priority").fault(
                f"rule {second.name!r} (row {second.row.number}) and rule {first.name!r} "
                f"(row {first.row.number}) have the same priority {first.priority} and both fit, for "
                f"example, {described(shared)}; give the one that shall win a lower number"
            )
    for combination in all_combinations():
        if winner(rules, combination) is None:
            raise ConfigError(
                f"{folder / 'playbook.csv'}: no rule is for {described(combination)}; every combination "
                "needs one, if only with an empty journey and a reason code of no_action"
            )


def _steps_by_journey(policy: Policy) -> dict[str, list[Row]]:
    journeys = [row["journey"] for row in policy.journeys]
    steps: defaultdict[str, list[Row]] = defaultdict(list)
    for row in policy.steps:
        if row["journey"] not in journeys:
            raise _unknown(row, "journey", journeys, "journey.csv")
        steps[row["journey"]].append(row)
    return steps


def _check_steps(journey: Row, steps: list[Row]) -> None:
    name = journey["journey"]
    if not steps:
        raise journey.place("journey").fault(f"{name!r} has no step in journey_step.csv")
    numbers = sorted({int(row["step"]) for row in steps})
    for before, after in pairwise([0, *numbers]):
        if after != before + 1:
            row = next(row for row in steps if int(row["step"]) == after)
            raise row.place("step").error(f"{before + 1}: the steps of {name} have no gaps")
    first = [row for row in steps if row["step"] == "1"]
    if len(first) > 1:
        raise first[1].place("step").error(f"step 1 of {name} once; row {first[0].number} has it too")
    for row in steps:
        _check_condition(row)
    for number in numbers[1:]:
        of_step = [row for row in steps if int(row["step"]) == number]
        _check_order(of_step)
        step_before = [row for row in steps if int(row["step"]) == number - 1]
        _check_answers(of_step, {channel for row in step_before for channel in row["channels"].split("|")})
    if journey["kind"] == "repair" and first[0]["offer_id"]:
        raise (
            first[0]
            .place("offer_id")
            .error(f"nothing: {name} is of the kind repair and begins with an apology, an offer comes later")
        )


def _check_condition(row: Row) -> None:
    is_first = row["step"] == "1"
    if is_first and row["condition"] != "start":
        raise row.place("condition").error("start for step 1")
    if is_first and row["wait_days"] != "0":
        raise row.place("wait_days").error("0 for step 1")
    if not is_first and row["condition"] == "start":
        later = ", ".join(words.CONDITIONS[1:])
        raise row.place("condition").error(f"{later}; start is for step 1")
    if not is_first and row["wait_days"] == "0":
        raise row.place("wait_days").error("1 to 365 for later steps: each date decides once")


def _check_order(of_step: list[Row]) -> None:
    """Of the rows of a step the first whose condition holds is taken."""
    seen: dict[str, Row] = {}
    for row in of_step:
        if "always" in seen:
            raise row.place("condition").fault(
                f"it is never asked: row {seen['always'].number} of the same step comes first and is always"
            )
        first = seen.setdefault(row["condition"], row)
        if first is not row:
            raise row.place("condition").error(
                f"each condition once in a step; row {first.number} has it too"
            )


def _check_answers(of_step: list[Row], channels_before: set[str]) -> None:
    for row in of_step:
        if row["condition"] == "no_answer" and "phone" not in channels_before:
            raise row.place("condition").error(
                "no_answer after a step with the channel phone; other channels have no such response"
            )


def _check_step_references(policy: Policy) -> None:
    offers = [row["offer_id"] for row in policy.offers]
    channels = {row["channel"] for row in policy.channels}
    templates = {row["template_id"] for row in policy.templates}
    texts = {(row["template_id"], row["channel"], row["language"]) for row in policy.templates}
    for row in policy.steps:
        if row["offer_id"] and row["offer_id"] not in offers:
            raise _unknown(row, "offer_id", offers, "offer.csv")
        for other in _other_offers(row):
            if other not in offers:
                raise row.place("other_offers").fault(
                    f"{other!r} stands not in offer.csv{suggestion(other, offers)}"
                )
            if row["step"] != "1" or not row["offer_id"] or other == row["offer_id"]:
                raise row.place("other_offers").error(
                    "offers that may take the place of offer_id, in the first step of a journey"
                )
        if row["template_id"] not in templates:
            raise _unknown(row, "template_id", sorted(templates), "template.csv")
        for channel in row["channels"].split("|"):
            if channel not in channels:
                raise row.place("channels").fault(f"{channel!r} has no row in channel.csv")
            for language in words.LANGUAGES if channel in words.MESSAGE_CHANNELS else ():
                if (row["template_id"], channel, language) not in texts:
                    raise row.place("template_id").fault(
                        f"{row['template_id']!r} has no text for channel {channel}, language {language}, "
                        f"which step {row['step']} of {row['journey']} needs; add it to template.csv"
                    )


def _other_offers(step: Row) -> list[str]:
    """Offers that may be tried in place of the step's own."""
    return step["other_offers"].split("|") if step["other_offers"] else []


def _check_channels(policy: Policy) -> None:
    channels = {row["channel"] for row in policy.channels}
    for rows, column in ((policy.caps, "channel"), (policy.budgets, "scope")):
        for row in rows:
            if row[column] not in {"all", *channels}:
                raise row.place(column).fault(f"{row[column]!r} has no row in channel.csv")


def _check_eligibility(policy: Policy, rules: list[Rule], steps: dict[str, list[Row]]) -> None:
    eligible = {row["offer_id"]: row.values("eligible_classes", words.GUIDE_CLASSES) for row in policy.offers}
    for journey, classes in classes_reached(rules).items():
        for row in steps[journey]:
            for guide_class, rule in classes.items():
                if row["offer_id"] and guide_class not in eligible[row["offer_id"]]:
                    raise row.place("offer_id").fault(
                        f"{row['offer_id']!r} is for {', '.join(sorted(eligible[row['offer_id']]))}, but "
                        f"rule {rule.name!r} of playbook.csv (row {rule.row.number}) sends the class "
                        f"{guide_class} into {journey}; change eligible_classes in offer.csv, the offer or "
                        "the rule"
                    )


def _check_templates(policy: Policy) -> None:
    offers = {row["offer_id"]: row for row in policy.offers}
    steps: defaultdict[str, list[Row]] = defaultdict(list)
    for row in policy.steps:
        steps[row["template_id"]].append(row)
    for template in policy.templates:
        for column in ("subject", "body", "action", "deep_link"):
            for name in _without_default(template, column):
                for step in steps[template["template_id"]]:
                    offered = [offers.get(each) for each in (step["offer_id"], *_other_offers(step))]
                    if any(name not in _full_variables(offer) for offer in offered):
                        raise template.place(column).fault(
                            f"{{{{ {name} }}}} may be empty in step {step['step']} of {step['journey']} "
                            f"(journey_step.csv row {step.number}) and needs a text for then: "
                            f"{{{{ {name} | text }}}}"
                        )


def _without_default(template: Row, column: str) -> list[str]:
    place = template.place(column)
    try:
        return without_default(template[column])
    except TemplateError as error:
        named = re.match(r"unknown variable '(.*?)'", str(error))
        raise place.fault(f"{error}{suggestion(named[1], VARIABLES) if named else ''}") from error


def _full_variables(offer: Row | None) -> set[str]:
    """Variables that the offer of a step fills."""
    if offer is None:
        return set()
    full = {"offer", "offer_until"}
    if offer["coupon_prefix"]:
        full.add("coupon_code")
    if Decimal(offer["minimum_spend"]) > 0:
        full.add("minimum_spend")
    return full


def _check_unused(policy: Policy) -> None:
    """What nothing refers to is a typing error at one end or the other."""
    _check_used(policy.journeys, "journey", {row["journey"] for row in policy.playbook}, "playbook.csv")
    offered = {offer for row in policy.steps for offer in (row["offer_id"], *_other_offers(row))}
    _check_used(policy.offers, "offer_id", offered, "journey_step.csv")
    used = {row["template_id"] for row in policy.steps}
    _check_used(policy.templates, "template_id", used, "journey_step.csv")


def _check_used(rows: list[Row], column: str, used: Collection[str], where: str) -> None:
    for row in rows:
        if row[column] not in used:
            raise row.place(column).fault(f"{row[column]!r} stands nowhere in {where}; use it or remove it")


def _unknown(row: Row, column: str, accepted: Collection[str], where: str) -> ConfigError:
    return row.place(column).fault(
        f"{row[column]!r} is not in {where}; accepted: {', '.join(accepted)}"
        f"{suggestion(row[column], accepted)}"
    )
