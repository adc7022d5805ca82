"""Buyers by the recall guide's four classes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import CLASSES, Wording, number, ordered, percent, ratio, whole

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
    say = source.say
    query = source.bind(_SQL)
    rows = ordered(source.rows(query), "guide_class", CLASSES)
    head = Section(
        slug="classes",
        title=say("Buyers by class", "客户分层"),
        reading=say(
            "Nobody has a kept purchase yet, so there are no classes.", "尚无未退货的购买，因此没有分层。"
        ),
        query=query,
        published="marts.customer_rfm",
    )
    if not rows:
        return head
    buyers = sum(row["buyers"] for row in rows)
    revenue = sum((row["net_revenue"] for row in rows), Decimal(0))
    return replace(
        head,
        reading=_reading(say, rows, buyers, revenue),
        chart=lambda canvas: _chart(canvas, say, rows, (buyers, revenue)),
        table=_table(say, rows, (buyers, revenue), source.currency),
        note=say(
            "Revenue is net over the customer's life until the date. Recent, frequent and high mean better "
            "than the profile's bound, which is the mean unless it says otherwise.",
            "收入为客户自首购至当日的净收入。最近、频次、金额的“高”指优于店铺配置的界限，默认为均值。",
        ),
    )


def _reading(say: Wording, rows: list[Row], buyers: int, revenue: Decimal) -> str:
    if revenue <= 0:
        return say(
            f"{number(buyers)} buyers are classed, and their net revenue is not positive.",
            f"{number(buyers)} 位购买客户已分层，其净收入不为正。",
        )
    best = max(rows, key=lambda row: row["net_revenue"])
    of_buyers, of_revenue = percent(best["buyers"], buyers), percent(best["net_revenue"], revenue)
    name = say.name(best["guide_class"])
    return say(
        f"{name} customers are {of_buyers} of the buyers and bring {of_revenue} of the net revenue.",
        f"{name}客户占购买客户的 {of_buyers}，贡献净收入的 {of_revenue}。",
    )


def _chart(canvas: Canvas, say: Wording, rows: list[Row], totals: tuple[int, Decimal]) -> Drawing:
    buyers, revenue = totals
    groups = []
    for row in rows:
        of_buyers, of_revenue = percent(row["buyers"], buyers), percent(row["net_revenue"], revenue)
        # Returns may outweigh a class's purchases: a loss has no bar.
        share = max(ratio(row["net_revenue"], revenue) or 0.0, 0.0)
        bars = (
            Bar(
                row["buyers"] / buyers,
                say(f"{of_buyers} of buyers", f"客户占比 {of_buyers}"),
                "accent_soft",
            ),
            Bar(share, say(f"{of_revenue} of revenue", f"收入占比 {of_revenue}"), "accent"),
        )
        groups.append(BarGroup(say.name(row["guide_class"]), bars))
    return bar_list(canvas, groups)


def _table(say: Wording, rows: list[Row], totals: tuple[int, Decimal], currency: str) -> Table:
    buyers, revenue = totals
    return Table(
        columns=(
            Column(say("Class", "分层"), numeric=False),
            Column(say("Buyers", "购买客户")),
            Column(say("Of buyers", "客户占比")),
            Column(say(f"Net revenue, {currency}", f"净收入（{say.unit(currency)}）")),
            Column(say("Of revenue", "收入占比")),
            Column(say("Median days silent", "沉默天数中位数")),
        ),
        rows=tuple(
            (
                Cell(say.name(row["guide_class"])),
                number(row["buyers"]),
                percent(row["buyers"], buyers),
                whole(row["net_revenue"]),
                percent(row["net_revenue"], revenue),
                number(row["median_recency_days"]),
            )
            for row in rows
        ),
    )
