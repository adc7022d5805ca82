"""Who is awake and who sleeps, by historical value."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Kind, Piece, Stack, stack_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import ASLEEP, STATES, TIERS, Wording, counted, number, percent

_SQL = """
select
    value_tier,
    dormancy_state,
    cast(sum(customers) as bigint) as customers,
    sum(expected_value) as expected_value
from kpi.dormancy_overview
where as_of_date = $as_of_date
group by value_tier, dormancy_state
order by value_tier, dormancy_state
"""


def build(source: Source) -> Section:
    """Dormancy states of each value tier."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="dormancy",
        title=say("Who is asleep", "谁在沉睡"),
        reading=say("No customer's dormancy has been judged on this date.", "当日没有客户的沉睡状态判定。"),
        query=query,
        published="kpi.dormancy_overview",
    )
    if not rows:
        return head
    return replace(
        head,
        reading=_reading(source, rows),
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(say, rows),
        note=say(
            "High is the top fifth by net margin in the year before the last purchase, mid the next three "
            "tenths. A horizon is twice the customer's expected gap between purchases, within the bounds of "
            "the profile.",
            "高价值为末次购买前一年净毛利最高的五分之一，中价值为其后的十分之三。展望期为客户预期购买间隔的两倍，"
            "并受店铺配置的上下限约束。",
        ),
    )


def state_kinds(say: Wording) -> list[Kind]:
    """The states with their colours, one hue for each in all charts."""
    return [Kind(say.name(state), state) for state in STATES]


def _reading(source: Source, rows: list[Row]) -> str:
    customers = sum(row["customers"] for row in rows)
    sleepers = [row for row in rows if row["dormancy_state"] in ASLEEP]
    asleep = sum(row["customers"] for row in sleepers)
    dear = [row for row in sleepers if row["value_tier"] == "high"]
    dear_customers = number(sum(row["customers"] for row in dear))
    dear_value = source.say.money(sum((row["expected_value"] for row in dear), Decimal(0)), source.currency)
    share = percent(asleep, customers)
    return source.say(
        f"{counted(asleep, 'customer')} of {number(customers)} ({share}) {'is' if asleep == 1 else 'are'} "
        f"asleep; {dear_customers} of them of high value, with an expected value of {dear_value} per "
        "horizon.",
        f"{number(customers)} 位客户中有 {number(asleep)} 位（{share}）处于沉睡；其中高价值客户 "
        f"{dear_customers} 位，展望期内的预期价值为 {dear_value}。",
    )


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
    totals = _totals(rows)
    stacks = []
    for tier in _tiers(rows):
        by_state = {row["dormancy_state"]: row["customers"] for row in rows if row["value_tier"] == tier}
        pieces = tuple(
            Piece(share, say.name(state), f"{share:.0%}", f"on_{state}")
            for state in STATES
            for share in [by_state.get(state, 0) / totals[tier]]
        )
        count = say(counted(totals[tier], "customer"), f"{number(totals[tier])} 位客户")
        stacks.append(Stack(f"{say.tier(tier)} · {count}", pieces))
    return stack_list(canvas, stacks, state_kinds(say), bar_px=26)


def _table(say: Wording, rows: list[Row]) -> Table:
    totals = _totals(rows)
    customers = {(row["value_tier"], row["dormancy_state"]): row["customers"] for row in rows}
    tiers = _tiers(rows)
    return Table(
        columns=(
            Column(say("State", "状态"), numeric=False),
            *(Column(say.tier(tier)) for tier in tiers),
            Column(say("All", "合计")),
            Column(say("Share", "占比")),
        ),
        rows=tuple(
            (
                Cell(say.name(state), colour=state),
                *(number(customers.get((tier, state), 0)) for tier in tiers),
                number(count := sum(customers.get((tier, state), 0) for tier in tiers)),
                percent(count, totals.total()),
            )
            for state in STATES
        ),
    )


def _totals(rows: list[Row]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row["value_tier"]] += row["customers"]
    return totals


def _tiers(rows: list[Row]) -> list[str]:
    present = {row["value_tier"] for row in rows}
    return [tier for tier in TIERS if tier in present]
