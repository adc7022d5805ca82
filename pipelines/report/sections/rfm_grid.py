"""Buyers by recency and frequency score: the heat map, and the eleven segments it is cut into."""

from __future__ import annotations

from decimal import Decimal

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import HeatAxes, HeatCell, heat_map
from pipelines.report.section import Column, Row, Section, Source, Table
from pipelines.report.wording import counted, number, percent, whole, words

_SQL = """
select
    r_score,
    f_score,
    segment_11,
    count(*) as buyers,
    sum(monetary) as net_revenue
from marts.customer_rfm
where as_of_date = $as_of_date
group by r_score, f_score, segment_11
order by r_score, f_score, segment_11
"""

_SCORES = range(1, 6)


def build(source: Source) -> Section:
    """How buyers spread over the 25 cells of recency and frequency."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Recency and frequency"
    if not rows:
        return Section("rfm", title, "Nobody has a kept purchase yet, so there are no scores.", query)
    buyers = sum(row["buyers"] for row in rows)
    slipping = sum(row["buyers"] for row in rows if row["r_score"] <= 2 and row["f_score"] >= 4)
    reading = (
        f"{counted(slipping, 'buyer')} ({percent(slipping, buyers)}) who used to come often "
        "are among the longest silent: the cells at the lower right."
        if slipping
        else "Nobody who used to come often is among the longest silent: the lower right is empty."
    )
    return Section(
        slug="rfm",
        title=title,
        reading=reading,
        query=query,
        chart=lambda canvas: _chart(canvas, rows),
        table=_table(rows, buyers, source.currency),
        note="Buyers per cell. Score 5 is the best fifth; who ties shares a score, so a column may be empty.",
    )


def _chart(canvas: Canvas, rows: list[Row]) -> ChartType:
    buyers = {(row["r_score"], row["f_score"]): row["buyers"] for row in rows}
    cells = [
        HeatCell(str(r_score), str(f_score), count, number(count) if count else "")
        for r_score in _SCORES
        for f_score in _SCORES
        for count in [buyers.get((r_score, f_score), 0)]
    ]
    axes = HeatAxes(
        rows=tuple(str(score) for score in reversed(_SCORES)),
        columns=tuple(str(score) for score in _SCORES),
        row_title="Recency score (5 = latest)",
        column_title="Frequency score (5 = most often)",
        row_px=44,
    )
    return heat_map(canvas, cells, axes, height=300)


def _table(rows: list[Row], buyers: int, currency: str) -> Table:
    segments: dict[str, tuple[int, Decimal]] = {}
    for row in rows:
        count, revenue = segments.get(row["segment_11"], (0, Decimal(0)))
        segments[row["segment_11"]] = (count + row["buyers"], revenue + row["net_revenue"])
    ranked = sorted(segments.items(), key=lambda item: (-item[1][0], item[0]))
    return Table(
        columns=(
            Column("Segment", numeric=False),
            Column("Buyers"),
            Column("Share"),
            Column(f"Net revenue, {currency}"),
        ),
        rows=tuple(
            (words(segment), number(count), percent(count, buyers), whole(revenue))
            for segment, (count, revenue) in ranked
        ),
    )
