"""Who is awake and who sleeps, by historical value."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from pipelines.report.charts import Canvas, ChartType, state_colours
from pipelines.report.drawings import Piece, Stack, stack_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import ASLEEP, STATES, TIERS, counted, money, number, percent, words

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
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Who is asleep"
    if not rows:
        return Section("dormancy", title, "No customer's dormancy has been judged on this date.", query)
    customers = sum(row["customers"] for row in rows)
    sleepers = [row for row in rows if row["dormancy_state"] in ASLEEP]
    asleep = sum(row["customers"] for row in sleepers)
    dear = [row for row in sleepers if row["value_tier"] == "high"]
    dear_customers = sum(row["customers"] for row in dear)
    dear_value = sum((row["expected_value"] for row in dear), Decimal(0))
    reading = (
        f"{counted(asleep, 'customer')} of {number(customers)} ({percent(asleep, customers)}) "
        f"{'is' if asleep == 1 else 'are'} asleep; {number(dear_customers)} of them of high value, with an "
        f"expected value of {money(dear_value, source.currency)} per horizon."
    )
    return Section(
        slug="dormancy",
        title=title,
        reading=reading,
        query=query,
        chart=lambda canvas: _chart(canvas, rows),
        table=_table(rows),
        note="High is the top fifth by net margin in the year before the last purchase, mid the next three "
        "tenths. A horizon is twice the customer's expected gap between purchases, within the bounds of the "
        "profile.",
    )


def _chart(canvas: Canvas, rows: list[Row]) -> ChartType:
    smallest_label_px = 40
    totals = _totals(rows)
    stacks = []
    for tier in _tiers(rows):
        by_state = {row["dormancy_state"]: row["customers"] for row in rows if row["value_tier"] == tier}
        shares = {state: by_state.get(state, 0) / totals[tier] for state in STATES}
        stacks.append(
            Stack(
                f"{words(tier)} value · {counted(totals[tier], 'customer')}",
                tuple(
                    Piece(
                        share,
                        words(state),
                        f"{share:.0%}" if share * canvas.inner >= smallest_label_px else "",
                        f"on_{state}",
                    )
                    for state, share in shares.items()
                ),
            )
        )
    return stack_list(canvas, stacks, state_colours(canvas), bar_px=26)


def _table(rows: list[Row]) -> Table:
    totals = _totals(rows)
    customers = {(row["value_tier"], row["dormancy_state"]): row["customers"] for row in rows}
    tiers = _tiers(rows)
    return Table(
        columns=(
            Column("State", numeric=False),
            *(Column(f"{words(tier)} value") for tier in tiers),
            Column("All"),
            Column("Share"),
        ),
        rows=tuple(
            (
                Cell(words(state), colour=state),
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
