"""Dry run of the playbook: how many customers each rule would reach on a date, before anything is sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.activation.policy import checked_policy, words
from pipelines.activation.policy.rules import Rule, described, rules_of, winner
from pipelines.seed_tables import Row

if TYPE_CHECKING:
    import duckdb

_REACHES = tuple(dict.fromkeys(words.REACH.values()))


class NothingComputed(Exception):
    """The warehouse has no customers on the date; the message says which dates it has."""


@dataclass(frozen=True)
class RuleReach:
    """Customers about whom a rule of the playbook decides.

    Attributes:
        reachable: of them those with an address and a permission on a channel of the journey's first step; 0
            where nothing is sent.
    """

    rule: str
    row: str
    priority: int
    journey: str
    reason_code: str
    customers: int
    reachable: int


@dataclass(frozen=True)
class ReachReport:
    """What the playbook, as it is edited, would do with the customers of a date.

    Attributes:
        rules: every rule in the order in which they are asked, also those without a customer.
        with_triggers: False where the warehouse knows no triggers yet; then nobody has one.
    """

    as_of_date: date
    rules: list[RuleReach]
    with_triggers: bool

    @property
    def journeys(self) -> dict[str, tuple[int, int]]:
        """Customers and reachable ones by journey, in the order of the rules; '' is no journey."""
        totals: dict[str, tuple[int, int]] = {}
        for rule in self.rules:
            customers, reachable = totals.get(rule.journey, (0, 0))
            totals[rule.journey] = (customers + rule.customers, reachable + rule.reachable)
        return totals


def reach_report(con: duckdb.DuckDBPyConnection, policy_dir: Path, as_of_date: date | None) -> ReachReport:
    """Count the customers of each rule, with the seeds as they are in the files.

    Caps, budget, holdout and what customers did with earlier messages are not looked at: this is who the
    playbook is for, not who gets a message tomorrow.

    Args:
        con: a warehouse with marts.customer_dormancy, marts.customer_rfm and core.customer, and after a run
            of the activation with activation.int_decision_trigger.
        policy_dir: folder of the seeds.
        as_of_date: a computed date; None is the newest.

    Raises:
        ConfigError: the seeds are wrong, as `check_policy_seeds` says it.
        NothingComputed: there are no customers of that date.
    """
    policy = checked_policy(policy_dir)
    rules = rules_of(policy.playbook)
    day = _computed_date(con, as_of_date)
    with_triggers = _has_table(con, "activation", "int_decision_trigger")
    first_steps = {row["journey"]: row for row in policy.steps if row["step"] == "1"}
    customers: Counter[str] = Counter()
    reachable: Counter[str] = Counter()
    for combination, reaches, count in _counted(con, day, with_triggers=with_triggers):
        rule = winner(rules, combination)
        if rule is None:  # the check made sure that every known combination has one
            raise ValueError(f"a customer is unlike all that the playbook knows: {described(combination)}")
        customers[rule.name] += count
        if rule.journey and reaches & _reaches_of(first_steps[rule.journey]):
            reachable[rule.name] += count
    return ReachReport(day, [_reach(rule, customers, reachable) for rule in rules], with_triggers)


def formatted(report: ReachReport) -> str:
    """The report as a table of plain text, with totals by journey below."""
    lines = [
        f"who the playbook is for on {report.as_of_date} (before caps, budget and holdout)",
        "",
        f"{'rule':<20}{'priority':>9}  {'journey':<24}{'customers':>11}{'reachable':>11}",
    ]
    lines += [
        f"{rule.rule:<20}{rule.priority:>9}  {_named(rule.journey, rule.reason_code):<24}"
        f"{rule.customers:>11,}{_reachable(rule.journey, rule.reachable):>11}"
        for rule in report.rules
    ]
    lines += ["", f"{'journey':<31}{'':<24}{'customers':>11}{'reachable':>11}"]
    lines += [
        f"{journey or 'none':<31}{'':<24}{customers:>11,}{_reachable(journey, reachable):>11}"
        for journey, (customers, reachable) in report.journeys.items()
    ]
    total = sum(rule.customers for rule in report.rules)
    lines.append(f"{'all':<31}{'':<24}{total:>11,}{sum(rule.reachable for rule in report.rules):>11,}")
    if not report.with_triggers:
        lines += ["", "no run has looked for birthdays, visits and waking yet: nobody has a trigger"]
    return "\n".join(lines)


def _named(journey: str, reason_code: str) -> str:
    return journey or f"- ({reason_code})"


def _reachable(journey: str, count: int) -> str:
    return f"{count:,}" if journey else "-"


def _reach(rule: Rule, customers: Counter[str], reachable: Counter[str]) -> RuleReach:
    return RuleReach(
        rule=rule.name,
        row=rule.row.number,
        priority=rule.priority,
        journey=rule.journey,
        reason_code=rule.row["reason_code"],
        customers=customers[rule.name],
        reachable=reachable[rule.name],
    )


def _reaches_of(step: Row) -> set[str]:
    return {words.REACH[channel] for channel in step["channels"].split("|")}


def _computed_date(con: duckdb.DuckDBPyConnection, asked: date | None) -> date:
    nothing = NothingComputed("no date is computed yet; `winback run` computes one")
    if not _has_table(con, "marts", "customer_dormancy"):
        raise nothing
    row = con.execute(
        """
        select max(as_of_date) filter (as_of_date = ? or ?), min(as_of_date), max(as_of_date)
        from marts.customer_dormancy
        """,
        [asked, asked is None],
    ).fetchone()
    found, oldest, newest = row or (None, None, None)
    if found is None and newest is None:
        raise nothing
    if found is None:
        raise NothingComputed(f"{asked} is not computed; computed dates lie between {oldest} and {newest}")
    day: date = found
    return day


def _has_table(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    row = con.execute(
        """
        select count(*) from information_schema.tables
        where table_catalog = current_database() and table_schema = ? and table_name = ?
        """,
        [schema, table],
    ).fetchone()
    return bool(row and row[0])


def _counted(
    con: duckdb.DuckDBPyConnection, day: date, *, with_triggers: bool
) -> list[tuple[dict[str, str], set[str], int]]:
    """How many customers are alike in all that the playbook and the channels look at.

    The number of kinds does not grow with the shop.
    """
    trigger = "coalesce(triggers.trigger, 'none')" if with_triggers else "'none'"
    join = (
        "left join activation.int_decision_trigger as triggers "
        "on dormancy.as_of_date = triggers.as_of_date and dormancy.customer_id = triggers.customer_id"
    )
    flags = ", ".join(f"coalesce(customers.reachable_{reach}, false)" for reach in _REACHES)
    rows = con.execute(
        f"""
        select
            {trigger} as trigger,
            dormancy.customer_kind,
            dormancy.dormancy_state,
            dormancy.value_tier,
            coalesce(dormancy.primary_reason, 'none') as primary_reason,
            coalesce(rfm.guide_class, 'none') as guide_class,
            [{flags}] as reaches,
            count(*) as customers
        from marts.customer_dormancy as dormancy
        left join marts.customer_rfm as rfm
            on dormancy.as_of_date = rfm.as_of_date and dormancy.customer_id = rfm.customer_id
        left join core.customer as customers on dormancy.customer_id = customers.customer_id
        {join if with_triggers else ""}
        where dormancy.as_of_date = ?
        group by all
        """,
        [day],
    ).fetchall()
    columns = tuple(words.DIMENSIONS)
    return [
        (
            dict(zip(columns, row[: len(columns)], strict=True)),
            {reach for reach, is_reachable in zip(_REACHES, row[-2], strict=True) if is_reachable},
            row[-1],
        )
        for row in rows
    ]
