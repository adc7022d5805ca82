"""How the dormancy states have changed over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import share_areas
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.sections.dormancy_states import state_kinds
from pipelines.report.wording import ASLEEP, STATES, Wording, number, share, signed

_SQL = """
with by_state as (
    select
        as_of_date,
        dormancy_state,
        cast(sum(customers) as bigint) as customers
    from kpi.dormancy_overview
    where as_of_date <= $as_of_date
    group by as_of_date, dormancy_state
)
select
    as_of_date,
    dormancy_state,
    customers,
    customers / sum(customers) over (partition by as_of_date) as customer_share
from by_state
order by as_of_date, dormancy_state
"""


def build(source: Source) -> Section:
    """Shares of the states on all dates up to the report's."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="trend",
        title=say("Sleep over time", "沉睡趋势"),
        reading=say(
            "No customer's dormancy has been judged by this date.", "截至当日没有客户的沉睡状态判定。"
        ),
        query=query,
        published="kpi.dormancy_overview",
    )
    if not rows:
        return head
    days = sorted({row["as_of_date"] for row in rows})
    if len(days) == 1:
        return replace(
            head,
            reading=say(
                f"{days[0]} is the only date that has been judged, so there is no change to show yet.",
                f"目前只有 {days[0]} 一天的判定，尚无变化可看。",
            ),
        )
    shares = {(row["as_of_date"], row["dormancy_state"]): row["customer_share"] for row in rows}
    return replace(
        head,
        reading=_reading(say, days, shares),
        chart=lambda canvas: _chart(canvas, say, days, shares),
        table=_table(say, days, rows),
        note=say(
            "Dates that are kept: the last weeks and month-ends. Between them the areas are straight lines.",
            "只保留最近数周与各月末；其间以直线相连。",
        ),
    )


def _reading(say: Wording, days: list[date], shares: dict[tuple[date, str], float]) -> str:
    first, last = (sum(shares.get((day, state), 0) for state in ASLEEP) for day in (days[0], days[-1]))
    return say(
        f"{share(last)} of the customers are asleep on {days[-1]}, {share(first)} were on {days[0]}: "
        f"{say.points(last - first)}.",
        f"{days[-1]} 有 {share(last)} 的客户沉睡，{days[0]} 为 {share(first)}：变化 "
        f"{say.points(last - first)}。",
    )


def _chart(canvas: Canvas, say: Wording, days: list[date], shares: dict[tuple[date, str], float]) -> Drawing:
    return share_areas(
        canvas, days, [[shares.get((day, state), 0.0) for day in days] for state in STATES], state_kinds(say)
    )


def _table(say: Wording, days: list[date], rows: list[Row]) -> Table:
    first, last = days[0], days[-1]
    found = {(row["as_of_date"], row["dormancy_state"]): row for row in rows}

    def cell(day: date, state: str) -> Cell | str:
        row = found.get((day, state))
        return Cell(number(row["customers"]), note=share(row["customer_share"])) if row else "0"

    def change(state: str) -> str:
        before, after = (
            row["customer_share"] if row else 0.0
            for row in (found.get((first, state)), found.get((last, state)))
        )
        return signed(100 * (after - before), ".1f")

    return Table(
        columns=(
            Column(say("State", "状态"), numeric=False),
            Column(first.isoformat()),
            Column(last.isoformat()),
            Column(say("Change, points", "变化（百分点）")),
        ),
        rows=tuple(
            (Cell(say.name(state), colour=state), cell(first, state), cell(last, state), change(state))
            for state in STATES
        ),
    )
