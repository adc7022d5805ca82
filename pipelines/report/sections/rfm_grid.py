"""Buyers by recency and frequency score: the heat map, and the eleven segments it is cut into."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import HeatAxes, HeatCell, heat_map
from pipelines.report.section import Column, Row, Section, Source, Table
from pipelines.report.wording import Wording, counted, number, percent, whole

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
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="rfm",
        title=say("Recency and frequency", "最近购买与购买频次"),
        reading=say(
            "Nobody has a kept purchase yet, so there are no scores.", "尚无未退货的购买，因此没有评分。"
        ),
        query=query,
        published="marts.customer_rfm",
    )
    if not rows:
        return head
    buyers = sum(row["buyers"] for row in rows)
    slipping = sum(row["buyers"] for row in rows if row["r_score"] <= 2 and row["f_score"] >= 4)
    share = percent(slipping, buyers)
    reading = (
        say(
            f"{counted(slipping, 'buyer')} ({share}) who used to come often are among the longest silent: "
            "the cells at the lower right.",
            f"{number(slipping)} 位客户（{share}）过去常来、如今沉默最久：见右下角。",
        )
        if slipping
        else say(
            "Nobody who used to come often is among the longest silent: the lower right is empty.",
            "过去常来的客户都不在沉默最久之列：右下角为空。",
        )
    )
    return replace(
        head,
        reading=reading,
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(say, rows, buyers, source.currency),
        note=say(
            "Buyers per cell. Score 5 is the best fifth; who ties shares a score, so a column may be empty.",
            "格内为客户数。5 分为最好的五分之一；并列者同分，因此某一列可能为空。",
        ),
    )


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
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
        row_title=say("Recency score (5 = latest)", "最近购买评分（5 = 最近）"),
        column_title=say("Frequency score (5 = most often)", "购买频次评分（5 = 最频繁）"),
        row_px=44,
    )
    return heat_map(canvas, cells, axes, height=300)


def _table(say: Wording, rows: list[Row], buyers: int, currency: str) -> Table:
    segments: dict[str, tuple[int, Decimal]] = {}
    for row in rows:
        count, revenue = segments.get(row["segment_11"], (0, Decimal(0)))
        segments[row["segment_11"]] = (count + row["buyers"], revenue + row["net_revenue"])
    ranked = sorted(segments.items(), key=lambda item: (-item[1][0], item[0]))
    return Table(
        columns=(
            Column(say("Segment", "细分"), numeric=False),
            Column(say("Buyers", "购买客户")),
            Column(say("Share", "占比")),
            Column(say(f"Net revenue, {currency}", f"净收入（{say.unit(currency)}）")),
        ),
        rows=tuple(
            (say.name(segment), number(count), percent(count, buyers), whole(revenue))
            for segment, (count, revenue) in ranked
        ),
    )
