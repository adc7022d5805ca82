"""What was learned from touches: who responds where, and what it brings."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import DotGroup, DotRow, Kind, dot_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import capital, number, share, signed, uncapital

_RESPONSE_SQL = """
select
    segment,
    channel,
    offer_kind,
    touches,
    responses,
    smoothed_rate,
    low,
    high
from kpi.channel_preference
where segment_dim = 'guide_class' and smoothed_rate is not null
qualify row_number() over (partition by segment order by touches desc, channel, offer_kind) <= 5
order by
    list_position(['important_value', 'important_development', 'important_retention', 'general'], segment),
    segment,
    smoothed_rate desc,
    channel,
    offer_kind
"""

_LIFT_SQL = """
with ranked as (
    select
        *,
        sum(episodes) over (partition by segment) as of_journey
    from kpi.channel_preference
    where segment_dim = 'journey' and lift is not null
)
select
    segment,
    channel,
    offer_kind,
    episodes,
    holdouts,
    lift,
    lift_low,
    lift_high
from ranked
qualify
    row_number() over (partition by segment order by episodes desc, channel, offer_kind) <= 3
    and dense_rank() over (order by of_journey desc, segment) <= 8
order by of_journey desc, segment, lift desc, channel, offer_kind
"""


def build_response(source: Source) -> Section:
    """Response by class, channel and kind of offer."""
    say = source.say
    query = source.bind(_RESPONSE_SQL)
    rows = source.rows(query)
    head = Section(
        slug="response",
        title=say("Learned: who responds where", "经验：谁在哪里响应"),
        reading=say("There have been no touches to learn from.", "尚无可供学习的触达。"),
        query=query,
        published="kpi.channel_preference",
    )
    if not rows:
        return head
    of_known_class = [row for row in rows if row["segment"] not in ("none", "unknown")] or rows
    best = max(of_known_class, key=lambda row: row["low"] if row["low"] is not None else -1.0)
    name, way = source.segment("guide_class", best["segment"]), _way(source, best)
    bounds = _bounds(source, _span(best, "low", "high"), ".1f")
    return replace(
        head,
        reading=say(
            f"Surest of a response: {name} by {way}, {share(best['smoothed_rate'])} ({bounds}).",
            f"响应最有把握的是{name}客户，{way}：{share(best['smoothed_rate'])}（{bounds}）。",
        ),
        chart=lambda canvas: _response_chart(canvas, source, rows),
        table=_response_table(source, rows),
        note=say(
            "Rates are smoothed: what is known of few touches is drawn towards the mean of all. Bars are "
            "95 % bounds. Of each class the five ways with the most touches stand here.",
            "比率经过平滑：触达较少者向总体均值收缩。横条为 95% 区间。每个分层列出触达最多的五种组合。",
        ),
    )


def build_lift(source: Source) -> Section:
    """Lift by journey, channel and kind of offer."""
    say = source.say
    query = source.bind(_LIFT_SQL)
    rows = source.rows(query)
    head = Section(
        slug="learned_lift",
        title=say("Learned: what brings people back", "经验：什么让客户回来"),
        reading=say(
            "There are no outcomes of recalled and held-out people yet from which a lift could be learned.",
            "尚无召回与对照组的结果，无法学到提升。",
        ),
        query=query,
        published="kpi.channel_preference",
    )
    if not rows:
        return head
    best = max(rows, key=lambda row: row["lift_low"] if row["lift_low"] is not None else row["lift"])
    name, way = source.journey(best["segment"]), _way(source, best)
    bounds = _bounds(source, _span(best, "lift_low", "lift_high"), "+.1f")
    return replace(
        head,
        reading=say(
            f"Surest of a lift: “{name}” by {way}, {say.points(best['lift'])} ({bounds}).",
            f"提升最有把握的是“{name}”，{way}：{say.points(best['lift'])}（{bounds}）。",
        ),
        chart=lambda canvas: _lift_chart(canvas, source, rows),
        table=_lift_table(source, rows),
        note=say(
            "Lift is how much more often the recalled bought than the people held out, in percentage points, "
            "shrunk towards what the policy expected; bars are 95 % bounds. The choice of channel and offer "
            "uses these figures. The eight journeys with the most episodes stand here, with three ways each.",
            "提升为召回客户比对照组多购买的比例（百分点），并向策略预期收缩；横条为 95% 区间。"
            "渠道与优惠的选择会用到这些数字。此处列出沉睡期最多的八个旅程，每个三种组合。",
        ),
    )


def _way(source: Source, row: Row) -> str:
    """Channel and kind of offer."""
    say = source.say
    kind = say("no offer", "无优惠") if row["offer_kind"] == "none" else say.within(row["offer_kind"])
    channel = source.segment("channel", row["channel"])
    return say(f"{uncapital(channel)}, {kind}", f"{channel}，{kind}")


def _response_chart(canvas: Canvas, source: Source, rows: list[Row]) -> Drawing:
    kind = Kind(source.say("Response rate", "响应率"), "accent", "circle")
    groups = [
        DotGroup(
            source.segment("guide_class", segment),
            tuple(
                DotRow(
                    dots=((100 * row["smoothed_rate"], kind.name),),
                    text=share(row["smoothed_rate"]),
                    label=capital(_way(source, row)),
                    span=_span(row, "low", "high"),
                )
                for row in of_segment
            ),
        )
        for segment, of_segment in groupby(rows, key=lambda row: row["segment"])
    ]
    highest = max(100 * (row["high"] or row["smoothed_rate"]) for row in rows)
    return dot_list(
        canvas,
        groups,
        (kind,),
        title=source.say("Responses, % of touches", "响应率（%）"),
        domain=(0, highest or 1),
        number_format=".0f" if highest > 4 else ".1f",
    )


def _lift_chart(canvas: Canvas, source: Source, rows: list[Row]) -> Drawing:
    kind = Kind(source.say("Lift", "提升"), "accent", "circle")
    groups = [
        DotGroup(
            source.journey(journey),
            tuple(
                DotRow(
                    dots=((100 * row["lift"], kind.name),),
                    text=signed(100 * row["lift"], ".1f"),
                    label=capital(_way(source, row)),
                    span=_span(row, "lift_low", "lift_high"),
                )
                for row in of_journey
            ),
        )
        for journey, of_journey in groupby(rows, key=lambda row: row["segment"])
    ]
    ends = [end for group in groups for row in group.rows for end in (*(row.span or ()), row.dots[0][0])]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    return dot_list(
        canvas,
        groups,
        (kind,),
        title=source.say("Lift in percentage points", "提升（百分点）"),
        domain=(low, high if high > low else low + 1),
        number_format="+.0f" if high - low > 4 else "+.1f",
        reference=0,
    )


def _span(row: Row, low: str, high: str) -> tuple[float, float] | None:
    if row[low] is None or row[high] is None:
        return None
    return (100 * row[low], 100 * row[high])


def _response_table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    return Table(
        columns=(
            Column(say("Class and way", "分层与组合"), numeric=False),
            Column(say("Touches", "触达")),
            Column(say("Responses", "响应")),
            Column(say("Smoothed rate", "平滑响应率")),
            Column(say("95 % bounds, %", "95% 区间（%）")),
        ),
        rows=tuple(
            (
                Cell(source.segment("guide_class", row["segment"]), note=_way(source, row)),
                number(row["touches"]),
                number(row["responses"]),
                share(row["smoothed_rate"]),
                _bounds(source, _span(row, "low", "high"), ".1f"),
            )
            for row in rows
        ),
    )


def _lift_table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    return Table(
        columns=(
            Column(say("Journey and way", "旅程与组合"), numeric=False),
            Column(say("Episodes", "沉睡期")),
            Column(say("Held out", "对照组")),
            Column(say("Lift, points", "提升（百分点）")),
            Column(say("95 % bounds", "95% 区间")),
        ),
        rows=tuple(
            (
                Cell(source.journey(row["segment"]), note=_way(source, row)),
                number(row["episodes"]),
                number(row["holdouts"]),
                signed(100 * row["lift"], ".1f"),
                _bounds(source, _span(row, "lift_low", "lift_high"), "+.1f"),
            )
            for row in rows
        ),
    )


def _bounds(source: Source, span: tuple[float, float] | None, form: str) -> str:
    if span is None:
        return source.say("unknown", "未知")
    low, high = (format(end, form).replace("-", "−") for end in span)
    return source.say(f"{low} to {high}", f"{low} 至 {high}")
