"""What recalls cost and what they returned, as seen and beyond what would have come anyway."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import groupby

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Bar, BarGroup, Kind, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.sections.true_effect import verdict
from pipelines.report.wording import DASH, Wording, whole

_SQL = """
with judged as (
    select
        campaign_id,
        max(holdout) > 0 as is_compared,
        max(matured_on) as matured_on
    from kpi.incrementality
    group by campaign_id
),
subject as (
    -- Own recalls of sleepers in the year; where there were none, another tool's newest campaign, rather one
    -- whose effect is known.
    select
        case
            when outcome.journey is null then outcome.campaign_id
            else 'recall_' || year($as_of_date)
        end as campaign_id,
        outcome.journey is not null as is_own
    from kpi.recall_outcome as outcome
    left join judged on outcome.campaign_id = judged.campaign_id and outcome.journey is null
    where
        outcome.as_of_date <= $as_of_date
        and (
            outcome.journey is null
            or (outcome.dormancy_reason <> 'none' and year(outcome.as_of_date) = year($as_of_date))
        )
    order by
        is_own desc,
        judged.is_compared desc nulls last,
        judged.matured_on desc nulls last,
        outcome.as_of_date desc,
        campaign_id
    limit 1
),
outcomes as (
    select
        outcome.channel,
        coalesce(outcome.offer_id, 'none') as offer_id,
        outcome.contact_cost,
        outcome.incentive_cost,
        outcome.cost,
        outcome.revenue,
        outcome.margin
    from kpi.recall_outcome as outcome
    cross join subject
    where
        outcome.as_of_date <= $as_of_date
        and case
            when subject.is_own
                then
                    outcome.journey is not null
                    and outcome.dormancy_reason <> 'none'
                    and year(outcome.as_of_date) = year($as_of_date)
            else outcome.campaign_id = subject.campaign_id
        end
),
totals as (
    select
        case
            when grouping(channel) = 0 then 'channel'
            when grouping(offer_id) = 0 then 'offer_id'
            else 'all'
        end as segment_dim,
        case
            when grouping(channel) = 0 then channel
            when grouping(offer_id) = 0 then offer_id
            else 'all'
        end as segment,
        sum(contact_cost) as contact_cost,
        sum(incentive_cost) as incentive_cost,
        sum(cost) as cost,
        sum(revenue) as revenue,
        sum(margin) as margin,
        (sum(margin) - sum(cost)) / nullif(sum(cost), 0) as roi
    from outcomes
    group by grouping sets ((), (channel), (offer_id))
)
select
    subject.campaign_id,
    subject.is_own,
    totals.*,
    effect.incremental_revenue,
    effect.incremental_roi,
    effect.measured_on,
    effect.matured_on,
    effect.verdict
from totals
cross join subject
left join kpi.incrementality as effect
    on
        subject.campaign_id = effect.campaign_id
        and totals.segment_dim = effect.segment_dim
        and totals.segment = coalesce(effect.segment, 'none')
        and effect.metric = 'net_margin'
        and not ends_with(effect.method, '_without_merged')
qualify row_number() over (
    partition by totals.segment_dim, totals.segment
    order by effect.treated + effect.holdout desc nulls last, effect.arm, effect.control_arm
) = 1
order by list_position(['all', 'channel', 'offer_id'], totals.segment_dim), totals.cost desc, totals.segment
"""

_DIMENSIONS = {"all": ("", ""), "channel": ("Channel", "渠道"), "offer_id": ("Offer", "优惠")}
_UNTOLD = ("too_early", "invalid_split")


def build(source: Source) -> Section:
    """Cost, revenue, margin and return by channel and offer."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="cost",
        title=say("Cost and return", "成本与回报"),
        reading=say(
            "No recall has gone out by this date, so nothing was spent.",
            "截至当日没有发出召回，因此没有成本。",
        ),
        query=query,
        published="kpi.recall_outcome",
    )
    if not rows:
        return head
    return replace(
        head,
        reading=_reading(source, rows[0]),
        chart=lambda canvas: _chart(canvas, source, rows),
        table=_table(source, rows),
        note=_note(say, rows[0]["measured_on"]),
        is_wide=True,
    )


def _reading(source: Source, row: Row) -> str:
    say = source.say
    cost, margin = (say.money(row[name] or Decimal(0), source.currency) for name in ("cost", "margin"))
    who = (
        say("Own recalls of sleepers in the year", "本年度本系统对沉睡客户的召回")
        if row["is_own"]
        else say(f"Messages of {row['campaign_id']}", f"活动 {row['campaign_id']}")
    )
    if row["roi"] is None:
        return say(
            f"{who} cost nothing; the purchases after them brought a margin of {margin}.",
            f"{who}：没有成本，其后的购买带来毛利 {margin}。",
        )
    sentence = say(
        f"{who} cost {cost} and the purchases after them brought a margin of {margin}: a return of "
        f"{_roi(row['roi'])} as seen",
        f"{who}：成本 {cost}，其后的购买带来毛利 {margin}，所见投资回报率为 {_roi(row['roi'])}",
    )
    if row["incremental_roi"] is None or row["verdict"] in _UNTOLD:
        return sentence + say(
            "; what would have come anyway is not known yet.", "；其中多少本来就会发生，尚不清楚。"
        )
    return sentence + say(
        f", and {_roi(row['incremental_roi'])} without what would have come anyway.",
        f"，扣除本来就会发生的部分后为 {_roi(row['incremental_roi'])}。",
    )


def _note(say: Wording, until: date | None) -> str:
    return say(
        "Cost is what the contact cost, labour included, and incentives that were redeemed. Margin is "
        "before incentives. Return is margin less cost, over cost. As seen counts every purchase in the "
        "window after a message; the true one counts what the recalled brought more than the people held "
        "out." + ("" if until is None else f" Measured until {until}, whatever the report's date."),
        "成本含触达成本（含人工）与已核销的优惠。毛利未扣优惠。投资回报率 =（毛利 − 成本）/ 成本。"
        "“所见”计入消息后窗口内的全部购买；“真实”只计入召回客户比对照组多带来的部分。"
        + ("" if until is None else f"截至 {until} 的结果，与报告日期无关。"),
    )


def _roi(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0%}".replace("-", "−")


def _name(source: Source, row: Row) -> str:
    if row["segment_dim"] == "all":
        return source.say("All", "全部")
    return source.segment(row["segment_dim"], row["segment"])


def _chart(canvas: Canvas, source: Source, rows: list[Row]) -> Drawing:
    say = source.say
    margin, cost = Kind(say("Margin as seen", "所见毛利"), "accent"), Kind(say("Cost", "成本"), "holdout")
    groups = [
        BarGroup(
            f"{say(*_DIMENSIONS[dimension])} · {_name(source, row)}",
            tuple(
                Bar(float(row[column] or 0), whole(row[column] or Decimal(0)), kind.colour)
                for column, kind in (("margin", margin), ("cost", cost))
            ),
        )
        for dimension, of_dimension in groupby(rows, key=lambda row: row["segment_dim"])
        if dimension != "all"
        for row in of_dimension
    ]
    return bar_list(canvas, groups, (margin, cost))


def _table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    unit = say.unit(source.currency)

    def titled(english: str, chinese: str) -> Column:
        return Column(say(f"{english}, {unit}", f"{chinese}（{unit}）"))

    return Table(
        columns=(
            Column(say("Channel or offer", "渠道或优惠"), numeric=False),
            titled("Cost", "成本"),
            titled("Revenue", "收入"),
            titled("Margin", "毛利"),
            Column(say("Return: seen", "回报率：所见")),
            Column(say("true", "真实")),
        ),
        rows=tuple(
            (
                Cell(_name(source, row), note=say(*_DIMENSIONS[row["segment_dim"]])),
                Cell(
                    whole(row["cost"] or Decimal(0)),
                    note=say(
                        f"{whole(row['incentive_cost'] or Decimal(0))} incentives",
                        f"优惠 {whole(row['incentive_cost'] or Decimal(0))}",
                    ),
                ),
                whole(row["revenue"] or Decimal(0)),
                whole(row["margin"] or Decimal(0)),
                _roi(row["roi"]),
                _true_roi(say, row),
            )
            for row in rows
        ),
    )


def _true_roi(say: Wording, row: Row) -> Cell | str:
    if row["verdict"] is None:
        return DASH
    if row["verdict"] in _UNTOLD:
        return Cell(DASH, note=verdict(say, row))
    return Cell(_roi(row["incremental_roi"]), note=verdict(say, row))
