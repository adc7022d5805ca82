"""What recalls really brought: what was seen beside the lift over the people held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import DotGroup, DotRow, Kind, dot_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, capital, number, share, signed

_SQL = """
with candidates as (
    -- Own recalls of the year; where nothing is known of them, another tool's newest campaign.
    select
        campaign_id,
        campaign_id = 'recall_' || year($as_of_date) as is_own,
        max(holdout) > 0 as is_compared,
        max(matured_on) as matured_on
    from kpi.incrementality
    where
        campaign_id = 'recall_' || year($as_of_date)
        or campaign_id in (
            select campaign_id
            from kpi.recall_outcome
            where journey is null and as_of_date <= $as_of_date
        )
    group by campaign_id
),
chosen as (
    select *
    from candidates
    order by is_own desc, is_compared desc, matured_on desc nulls last, campaign_id
    limit 1
),
comparisons as (
    select
        effect.arm,
        effect.control_arm,
        row_number() over (
            order by max(effect.treated + effect.holdout) desc, effect.arm, effect.control_arm
        ) as place
    from kpi.incrementality as effect
    inner join chosen on effect.campaign_id = chosen.campaign_id
    where effect.segment_dim = 'all'
    group by effect.arm, effect.control_arm
),
effects as (
    select
        effect.* replace (coalesce(effect.segment, 'none') as segment),
        chosen.is_own,
        comparisons.place
    from kpi.incrementality as effect
    inner join chosen on effect.campaign_id = chosen.campaign_id
    inner join comparisons
        on effect.arm = comparisons.arm and effect.control_arm = comparisons.control_arm
    where
        not ends_with(effect.method, '_without_merged')
        and (comparisons.place = 1 or effect.segment_dim = 'all')
)
select
    campaign_id,
    is_own,
    arm,
    control_arm,
    segment_dim,
    segment,
    metric,
    window_days,
    measured_on,
    treated,
    holdout,
    treated_rate,
    holdout_rate,
    lift,
    ci_low,
    ci_high,
    minimum_detectable_effect,
    matured_on,
    verdict
from effects
where metric in ('conversion', 'wake_up')
qualify row_number() over (partition by segment_dim, metric order by place, treated desc, segment) <= 8
order by
    list_position(
        ['all', 'dormancy_reason', 'guide_class', 'value_tier', 'channel', 'offer_id'], segment_dim
    ),
    place,
    treated desc,
    segment,
    metric
"""

_DIMENSIONS = {
    "all": ("Overall", "总体"),
    "dormancy_reason": ("By cause", "按沉睡原因"),
    "guide_class": ("By class", "按客户分层"),
    "value_tier": ("By value", "按客户价值"),
    "channel": ("By channel", "按渠道"),
    "offer_id": ("By offer", "按优惠"),
}
# An estimate is told where there is one to tell.
_ESTIMATED = ("effective", "harmful", "no_effect_seen", "too_small_to_tell")


@dataclass(frozen=True)
class _Group:
    """What is known of one comparison in one segment."""

    dimension: str
    name: str
    wake_up: Row | None
    conversion: Row | None

    @property
    def any_row(self) -> Row:
        """One of the two, for what they have in common."""
        row = self.conversion or self.wake_up
        assert row is not None, "a group is made of rows"
        return row


def build(source: Source) -> Section:
    """Lift of wake-ups and purchases with intervals and verdicts, overall and by segment."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="true_effect",
        title=say("What really worked", "真正的效果"),
        reading=say(
            "No recall has been compared with people held out yet, so nothing is known of its true effect.",
            "尚无召回与对照组的比较，真实效果未知。",
        ),
        query=query,
        published="kpi.incrementality",
    )
    if not rows:
        return head
    groups = _groups(source, rows)
    return replace(
        head,
        reading=_reading(say, groups),
        chart=lambda canvas: _chart(canvas, say, groups),
        table=_table(say, groups),
        note=_note(say, rows),
        is_wide=True,
    )


def verdict(say: Wording, row: Row) -> str:
    """The verdict on an effect, in a few words."""
    if row["verdict"] == "too_early" and row["matured_on"] is not None:
        return say(f"too early, until {row['matured_on']}", f"为时尚早，{row['matured_on']} 后判定")
    if row["verdict"] == "invalid_split":
        return say("not told: the split is not as planned", "分组失衡，不作判定")
    return say.within(row["verdict"])


def _groups(source: Source, rows: list[Row]) -> list[_Group]:
    main = (rows[0]["arm"], rows[0]["control_arm"])
    groups = []
    for (dimension, segment, *pair), of_group in groupby(
        rows, key=lambda row: (row["segment_dim"], row["segment"], row["arm"], row["control_arm"])
    ):
        by_metric = {row["metric"]: row for row in of_group}
        name = (
            _pair(source.say, tuple(pair), main) if dimension == "all" else source.segment(dimension, segment)
        )
        groups.append(_Group(dimension, name, by_metric.get("wake_up"), by_metric.get("conversion")))
    return groups


def _pair(say: Wording, pair: tuple[str, str], main: tuple[str, str]) -> str:
    """The name of a comparison; the largest one is that of all."""
    if pair == main:
        return say("All", "全部")
    against = say(f"against {say.within(pair[1])}", f"对比{say.name(pair[1])}")
    return capital(against) if pair[0] == main[0] else f"{say.name(pair[0])} {against}"


def _reading(say: Wording, groups: list[_Group]) -> str:
    row = groups[0].any_row
    did = say("bought", "购买") if row["metric"] == "conversion" else say("woke", "醒来")
    whose = (
        say("the people recalled this year", "今年召回的客户")
        if row["is_own"]
        else say(f"the people of {row['campaign_id']}", f"活动 {row['campaign_id']} 的客户")
    )
    if row["verdict"] == "invalid_split":
        return say(
            f"The split between {whose} and those held out is not as planned, so no effect is told.",
            f"{whose}与对照组的分组比例不符合计划，因此不给出效果。",
        )
    if row["verdict"] != "too_early" and row["lift"] is None:
        return say(
            f"Nobody can be compared with {whose}, so nothing is known of the true effect.",
            f"没有可与{whose}相比的对照组，真实效果未知。",
        )
    if row["verdict"] == "too_early":
        until = f" ({row['matured_on']})" if row["matured_on"] else ""
        until_zh = f"（{row['matured_on']}）" if row["matured_on"] else ""
        return say(
            f"It is too early to tell what recalls brought of {whose}: their windows have to close{until}.",
            f"{whose}的观察窗口尚未结束{until_zh}，判断效果为时尚早。",
        )
    seen, without = share(row["treated_rate"]), share(row["holdout_rate"])
    lift, low, high = (signed(100 * row[name], ".1f") for name in ("lift", "ci_low", "ci_high"))
    sentence = say(
        f"Of {whose} {seen} {did}, of those held out {without}: the recall's own share is {lift} points "
        f"({low} to {high})",
        f"{whose}中 {seen} {did}，对照组为 {without}：真正由召回带来的是 {lift} 个百分点（{low} 至 {high}）",
    )
    return sentence + _judged(say, row)


def _judged(say: Wording, row: Row) -> str:
    if row["verdict"] == "harmful":
        return say(", so recalls do harm.", "，即召回适得其反。")
    if row["verdict"] == "no_effect_seen":
        return say("; no effect is seen.", "；未见效果。")
    if row["verdict"] == "too_small_to_tell":
        smallest = row["minimum_detectable_effect"]
        bound = (
            ""
            if smallest is None
            else say(
                f": only an effect from {100 * smallest:.1f} points could have been seen",
                f"：只有不低于 {100 * smallest:.1f} 个百分点的效果才能被识别",
            )
        )
        return (
            say("; there are too few people to tell it from chance", "；人数不足，无法与偶然波动区分")
            + bound
            + say(".", "。")
        )
    return say(".", "。")


def _note(say: Wording, rows: list[Row]) -> str:
    row = rows[0]
    what = (
        say(
            "All own recalls of the calendar year, judged by a method that may be looked at every day.",
            "本系统本年度的全部召回，采用可每日查看的检验方法。",
        )
        if row["is_own"]
        else say(
            f"Another tool's campaign {row['campaign_id']}, as nothing is known of own recalls of the year.",
            f"本年度尚无本系统召回的结果，此处为其他工具的活动 {row['campaign_id']}。",
        )
    )
    return what + say(
        f" Both groups are followed for {row['window_days']} days from the first message, which those held "
        "out did not get; what they do anyway is no merit of the recall. Bars are 95 % intervals; a tick is "
        "the smallest effect that could have been seen where there are too few people to tell. Of each "
        f"dimension the eight largest segments stand here. Measured until {row['measured_on']}, whatever the "
        "report's date.",
        f"两组均自首次触达起观察 {row['window_days']} 天，对照组未收到消息；"
        "他们本来就会做的事不算召回的功劳。横条为 95% 置信区间；人数不足时，短竖线为可识别的最小效果。"
        f"每个维度列出最大的八个细分。截至 {row['measured_on']} 的结果，与报告日期无关。",
    )


def _chart(canvas: Canvas, say: Wording, groups: list[_Group]) -> Drawing:
    lift = Kind(say("True lift", "真实提升"), "accent", "circle")
    smallest = Kind(say("Smallest effect to be seen", "可识别的最小效果"), "soft", "tick")
    drawn = [_dots(say, group, lift, smallest) for group in groups if group.dimension == "all"]
    listed = [DotGroup(say("Overall: who woke up, who bought", "总体：唤醒与购买"), tuple(sum(drawn, ())))]
    for dimension, of_dimension in groupby(groups, key=lambda group: group.dimension):
        if dimension == "all":
            continue
        rows = tuple(
            _dot_row(say, group.conversion, group.name, (lift, smallest))
            for group in of_dimension
            if group.conversion is not None
        )
        if rows:
            title = say(*_DIMENSIONS.get(dimension, (dimension, dimension)))
            listed.append(DotGroup(say(f"{title}: who bought", f"{title}：购买"), rows))
    low, high = _domain(listed)
    listed = [
        replace(group, rows=tuple(replace(row, dots=_within(row, smallest, high)) for row in group.rows))
        for group in listed
    ]
    present = {kind for group in listed for row in group.rows for _, kind in row.dots}
    return dot_list(
        canvas,
        listed,
        [kind for kind in (lift, smallest) if kind.name in present],
        title=say("Lift in percentage points", "提升（百分点）"),
        domain=(low, high),
        number_format="+.0f" if high - low > 4 else "+.1f",
        reference=0,
    )


def _dots(say: Wording, group: _Group, lift: Kind, smallest: Kind) -> tuple[DotRow, ...]:
    bought = (group.conversion, say("bought", "购买"))
    is_main = group.name == say("All", "全部")
    told = ((group.wake_up, say("woke up", "唤醒")), bought) if is_main else (bought,)
    return tuple(
        _dot_row(
            say,
            row,
            capital(did) if is_main else say(f"{group.name}: {did}", f"{group.name}：{did}"),
            (lift, smallest),
        )
        for row, did in told
        if row is not None
    )


def _dot_row(say: Wording, row: Row, label: str, kinds: tuple[Kind, Kind]) -> DotRow:
    lift, smallest = kinds
    if row["verdict"] not in _ESTIMATED or row["lift"] is None:
        return DotRow((), say.within(row["verdict"]), label)
    dots = [(100 * row["lift"], lift.name)]
    if row["verdict"] == "too_small_to_tell" and row["minimum_detectable_effect"] is not None:
        dots.insert(0, (100 * row["minimum_detectable_effect"], smallest.name))
    known = row["ci_low"] is not None and row["ci_high"] is not None
    return DotRow(
        dots=tuple(dots),
        text=f"{signed(100 * row['lift'], '.1f')} {say.within(row['verdict'])}",
        label=label,
        span=(100 * row["ci_low"], 100 * row["ci_high"]) if known else None,
    )


def _within(row: DotRow, smallest: Kind, high: float) -> tuple[tuple[float, str], ...]:
    """The dots without a smallest effect that is off the axis."""
    return tuple((value, kind) for value, kind in row.dots if kind != smallest.name or value <= high)


def _domain(groups: list[DotGroup]) -> tuple[float, float]:
    """Ends of the axis: all of the overall intervals, and of others as much as keeps these readable."""
    overall = [end for row in groups[0].rows for end in (row.span or ())]
    most = 3 * max((abs(end) for end in overall), default=2.0)
    ends = [
        end
        for group in groups
        for row in group.rows
        for end in (*(row.span or ()), row.dots[-1][0] if row.dots else 0.0)
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    low, high = max(low, -most), min(high, most)
    return (low, high) if high > low else (-1.0, 1.0)


def _table(say: Wording, groups: list[_Group]) -> Table:
    rows: list[tuple[Cell | str, ...]] = []
    for group in groups:
        row = group.any_row
        dimension = say(*_DIMENSIONS.get(group.dimension, (group.dimension, group.dimension)))
        rows.append(
            (
                Cell(group.name, note=dimension),
                number(row["treated"]),
                number(row["holdout"]),
                *(
                    cell
                    for effect in (group.wake_up, group.conversion)
                    for cell in (
                        _rate(effect, "treated_rate"),
                        _rate(effect, "holdout_rate"),
                        _lift(say, effect),
                    )
                ),
            )
        )
    return Table(
        columns=(
            Column(say("Segment", "细分"), numeric=False),
            Column(say("Recalled", "召回")),
            Column(say("Held out", "对照")),
            Column(say("Woke up as seen", "所见唤醒率")),
            Column(say("held out", "对照组")),
            Column(say("true lift, points", "真实提升（百分点）")),
            Column(say("Bought as seen", "所见转化率")),
            Column(say("held out", "对照组")),
            Column(say("true lift, points", "真实提升（百分点）")),
        ),
        rows=tuple(rows),
    )


def _rate(row: Row | None, column: str) -> str:
    return share(None if row is None else row[column])


def _lift(say: Wording, row: Row | None) -> Cell | str:
    if row is None:
        return DASH
    if row["verdict"] not in _ESTIMATED or row["lift"] is None:
        return Cell(DASH, note=verdict(say, row))
    lift, low, high = (
        DASH if row[name] is None else signed(100 * row[name], ".1f")
        for name in ("lift", "ci_low", "ci_high")
    )
    told = verdict(say, row)
    if row["verdict"] == "too_small_to_tell" and row["minimum_detectable_effect"] is not None:
        smallest = f"{100 * row['minimum_detectable_effect']:.1f}"
        told += say(f", only {smallest} or more could be seen", f"，只能识别 {smallest} 以上")
    return Cell(say(f"{lift} ({low} to {high})", f"{lift}（{low} 至 {high}）"), note=told)
