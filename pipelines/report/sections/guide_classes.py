"""Buyers by the recall guide's four classes."""

from __future__ import annotations

from decimal import Decimal

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import CLASSES_ZH, number, ordered, percent, ratio, whole, words

_SQL = """
select
    guide_class,
    count(*) as buyers,
    sum(monetary) as net_revenue,
    cast(round(median(recency_days)) as integer) as median_recency_days
from marts.customer_rfm
where as_of_date = $as_of_date
group by guide_class
order by guide_class
"""


def build(source: Source) -> Section:
    """How many buyers are in each class, and how much of the revenue is theirs."""
    query = source.bind(_SQL)
    rows = ordered(source.rows(query), "guide_class", tuple(CLASSES_ZH))
    title = "Buyers by class"
    if not rows:
        return Section("classes", title, "Nobody has a kept purchase yet, so there are no classes.", query)
    buyers = sum(row["buyers"] for row in rows)
    revenue = sum((row["net_revenue"] for row in rows), Decimal(0))
    best = max(rows, key=lambda row: row["net_revenue"])
    reading = (
        f"{words(best['guide_class'])} customers are {percent(best['buyers'], buyers)} of the buyers "
        f"and bring {percent(best['net_revenue'], revenue)} of the net revenue."
        if revenue > 0
        else f"{number(buyers)} buyers are classed, and their net revenue is not positive."
    )
    return Section(
        slug="classes",
        title=title,
        reading=reading,
        query=query,
        chart=lambda canvas: _chart(canvas, rows, buyers, revenue),
        table=_table(rows, buyers, revenue, source.currency),
        note="Revenue is net over the customer's life until the date. Recent, frequent and high mean "
        "better than the profile's bound, which is the mean unless it says otherwise.",
    )


def _chart(canvas: Canvas, rows: list[Row], buyers: int, revenue: Decimal) -> ChartType:
    groups = []
    for row in rows:
        code = row["guide_class"]
        bars = [Bar(row["buyers"] / buyers, f"{percent(row['buyers'], buyers)} of buyers", "accent_soft")]
        # Returns may outweigh a class's purchases: a loss has no bar.
        share = max(ratio(row["net_revenue"], revenue) or 0.0, 0.0)
        bars.append(Bar(share, f"{percent(row['net_revenue'], revenue)} of revenue", "accent"))
        groups.append(BarGroup(canvas.label(words(code), CLASSES_ZH.get(code, "")), tuple(bars)))
    return bar_list(canvas, groups)


def _table(rows: list[Row], buyers: int, revenue: Decimal, currency: str) -> Table:
    return Table(
        columns=(
            Column("Class", numeric=False),
            Column("Buyers"),
            Column("Of buyers"),
            Column(f"Net revenue, {currency}"),
            Column("Of revenue"),
            Column("Median days silent"),
        ),
        rows=tuple(
            (
                Cell(words(row["guide_class"]), chinese=CLASSES_ZH.get(row["guide_class"], "")),
                number(row["buyers"]),
                percent(row["buyers"], buyers),
                whole(row["net_revenue"]),
                percent(row["net_revenue"], revenue),
                number(row["median_recency_days"]),
            )
            for row in rows
        ),
    )
