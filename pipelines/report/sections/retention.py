"""How many of those who first bought in a month buy in later months."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import HeatAxes, HeatCell, heat_map
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, counted, number, share, whole

_SQL = """
with complete as (
    -- Months that had ended by the date: what is not over yet would look like a loss.
    select
        cohort_month,
        month,
        customers,
        active,
        net_revenue
    from kpi.cohort_retention
    where
        customers > 0
        and month between 0 and 12
        and last_day(cast(cohort_month + to_months(month) as date)) <= $as_of_date
)
select
    cohort_month,
    month,
    customers,
    active,
    active / customers as active_share,
    sum(active) over (partition by month) / sum(customers) over (partition by month) as month_share,
    sum(net_revenue) over (partition by cohort_month) as cohort_revenue
from complete
qualify dense_rank() over (order by cohort_month desc) <= 13
order by cohort_month desc, month
"""

_LISTED_MONTHS = (1, 3, 6, 12)


def build(source: Source) -> Section:
    """The triangle of cohorts and months since the first purchase."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="retention",
        title=say("Who keeps buying", "首购客户留存"),
        reading=say("No month of first purchases is over yet.", "尚无完整的首购月份。"),
        query=query,
        published="kpi.cohort_retention",
    )
    if not rows:
        return head
    later = [row for row in rows if row["month"] > 0]
    return replace(
        head,
        reading=_reading(say, rows, later),
        chart=(lambda canvas: _chart(canvas, say, later)) if later else None,
        table=_table(source, rows),
        note=say(
            "Cells are the customers of a month of first purchase, in percent, who bought in a later month. "
            "The newest thirteen months of first purchase and twelve months after each, as far as they are "
            "over. As known when this copy was published.",
            "格内为某首购月份的客户在之后某月有购买的比例（%）。列出最近十三个首购月份及其后十二个月中已结束的月份。"
            "为发布时的结果。",
        ),
    )


def _reading(say: Wording, rows: list[Row], later: list[Row]) -> str:
    if not later:
        return say(
            f"{counted(rows[0]['customers'], 'customer')} bought for the first time in "
            f"{_month(rows[0]['cohort_month'])}; no month after it is over yet.",
            f"{_month(rows[0]['cohort_month'])} 有 {number(rows[0]['customers'])} 位客户首购；"
            "其后的月份尚未结束。",
        )
    first = next(row for row in later if row["month"] == min(row["month"] for row in later))
    last = next(row for row in later if row["month"] == max(row["month"] for row in later))
    sentence = say(
        f"{share(first['month_share'])} of first buyers buy in month {first['month']} after their first "
        "purchase",
        f"首购后第 {first['month']} 个月有 {share(first['month_share'])} 的客户购买",
    )
    if last["month"] == first["month"]:
        return sentence + say(".", "。")
    return sentence + say(
        f", {share(last['month_share'])} in month {last['month']}.",
        f"，第 {last['month']} 个月为 {share(last['month_share'])}。",
    )


def _month(month: date) -> str:
    return f"{month:%Y-%m}"


def _chart(canvas: Canvas, say: Wording, later: list[Row]) -> Drawing:
    cells = [
        HeatCell(
            row=_month(row["cohort_month"]),
            column=str(row["month"]),
            value=row["active_share"],
            text=f"{100 * row['active_share']:.0f}",
        )
        for row in later
    ]
    axes = HeatAxes(
        rows=tuple(dict.fromkeys(cell.row for cell in cells)),
        columns=tuple(str(month) for month in range(1, max(row["month"] for row in later) + 1)),
        row_title=say("Month of the first purchase", "首购月份") if canvas.is_wide else "",
        column_title=say("Months since", "之后第几个月"),
    )
    return heat_map(canvas, cells, axes, height=28 * len(axes.rows))


def _table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    unit = say.unit(source.currency)
    shares = {(row["cohort_month"], row["month"]): row["active_share"] for row in rows}
    cohorts = {row["cohort_month"]: row for row in rows}
    return Table(
        columns=(
            Column(say("First purchase", "首购月份"), numeric=False),
            Column(say("Customers", "客户")),
            *(Column(say(f"Month {month}", f"第 {month} 月")) for month in _LISTED_MONTHS),
            Column(say(f"Net revenue, {unit}", f"净收入（{unit}）")),
        ),
        rows=tuple(
            (
                Cell(_month(cohort)),
                number(row["customers"]),
                *(share(shares.get((cohort, month))) for month in _LISTED_MONTHS),
                DASH if row["cohort_revenue"] is None else whole(row["cohort_revenue"]),
            )
            for cohort, row in cohorts.items()
        ),
    )
