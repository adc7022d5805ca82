"""From the people whom recalls were meant for to those who came back, over the last 30 days."""

from __future__ import annotations

from dataclasses import replace

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Bar, BarGroup, Kind, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, counted, number, share, whole

_SQL = """
with sums as (
    select
        journey is not null as is_own,
        cast(sum(targeted) as bigint) as targeted,
        cast(sum(sent) as bigint) as sent,
        cast(sum(delivered) as bigint) as delivered,
        cast(sum(opened) as bigint) as opened,
        cast(sum(clicked) as bigint) as clicked,
        cast(sum(responded) as bigint) as responded,
        cast(sum(woken) as bigint) as woken,
        cast(sum(converted) as bigint) as converted,
        cast(sum(orders) as bigint) as orders,
        sum(revenue) as revenue,
        cast(coalesce(sum(targeted) filter (where not matured), 0) as bigint) as still_open
    from kpi.recall_outcome
    where as_of_date > $as_of_date - 30 and as_of_date <= $as_of_date
    group by is_own
)
select
    *,
    responded / nullif(delivered, 0) as response_rate,
    woken / nullif(targeted, 0) as wake_up_rate,
    converted / nullif(targeted, 0) as conversion_rate,
    cast(revenue / nullif(orders, 0) as decimal(18, 2)) as average_order_value
from sums
where targeted > 0
order by is_own desc
"""

_STAGES = {
    "targeted": ("Targeted", "目标"),
    "sent": ("Sent", "发送"),
    "delivered": ("Delivered", "送达"),
    "opened": ("Opened", "打开"),
    "clicked": ("Clicked", "点击"),
    "woken": ("Woke up", "唤醒"),
    "converted": ("Bought", "购买"),
}
_RATES = {
    "response_rate": ("of delivered", "占送达"),
    "wake_up_rate": ("of targeted", "占目标"),
    "conversion_rate": ("of targeted", "占目标"),
}


def build(source: Source) -> Section:
    """Stages of own contacts and of other tools' campaigns, and their rates."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="funnel",
        title=say("From message to purchase", "从触达到购买"),
        reading=say(
            "Nobody was contacted in the last 30 days, by us or by another tool.",
            "近 30 天没有触达，本系统与其他工具均无。",
        ),
        query=query,
        published="kpi.recall_outcome",
    )
    if not rows:
        return head
    return replace(
        head,
        reading=_reading(say, rows[0]),
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(source, rows),
        note=_note(say, rows),
    )


def _reading(say: Wording, row: Row) -> str:
    who = (
        say("Own contacts of the last 30 days", "近 30 天本系统的触达")
        if row["is_own"]
        else say("Other tools' campaigns of the last 30 days", "近 30 天其他工具的活动")
    )
    if row["response_rate"] is None:
        return say(
            f"{who} reached nobody of {counted(row['targeted'], 'target')}.",
            f"{who}：{number(row['targeted'])} 次目标触达均未送达。",
        )
    return say(
        f"{who} reached {number(row['delivered'])} of {counted(row['targeted'], 'target')}; "
        f"{share(row['response_rate'])} of these responded, {share(row['wake_up_rate'])} of all targets woke "
        f"and {share(row['conversion_rate'])} bought.",
        f"{who}：{number(row['targeted'])} 次目标触达中送达 {number(row['delivered'])} 次，其中 "
        f"{share(row['response_rate'])} 有响应；唤醒率 {share(row['wake_up_rate'])}，转化率 "
        f"{share(row['conversion_rate'])}。",
    )


def _note(say: Wording, rows: list[Row]) -> str:
    note = say(
        "Counted per message, people who were contacted only; what holdouts did is in the next section. "
        "A purchase needs no click: whoever reads and buys in a store has bought, so more may buy than "
        "clicked. Responded means clicked, replied, redeemed or answered the phone.",
        "按消息计数，只含实际触达的客户，对照组见下一节。购买不以点击为前提：看过消息后到店购买也算，因此购买可多于点击。"
        "响应指点击、回复、核销或接听。",
    )
    if still_open := sum(row["still_open"] for row in rows):
        note += say(
            f" For {number(still_open)} of the targets the window is still open: what they do may yet "
            "come to it.",
            f"其中 {number(still_open)} 次的观察窗口尚未结束，结果仍会增加。",
        )
    return note


def _who(say: Wording, row: Row) -> str:
    return say("Own contacts", "本系统触达") if row["is_own"] else say("Other campaigns", "其他活动")


def _colour(row: Row) -> str:
    return "accent" if row["is_own"] else "quiet"


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
    groups = [
        BarGroup(
            say(*names),
            tuple(
                Bar(
                    row[stage],
                    f"{number(row[stage])} ({row[stage] / row['targeted']:.1%})",
                    _colour(row),
                )
                for row in rows
            ),
        )
        for stage, names in _STAGES.items()
    ]
    kinds = [Kind(_who(say, row), _colour(row)) for row in rows]
    return bar_list(canvas, groups, kinds)


def _table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    counts: list[tuple[Cell | str, ...]] = [
        (say(*names), *(number(row[stage]) for row in rows)) for stage, names in _STAGES.items()
    ]
    rates: list[tuple[Cell | str, ...]] = [
        (Cell(say.name(rate), note=say(*of)), *(share(row[rate]) for row in rows))
        for rate, of in _RATES.items()
    ]
    money: list[tuple[Cell | str, ...]] = [
        (say(f"{english}, {source.currency}", f"{chinese}（{say.unit(source.currency)}）"), *values)
        for english, chinese, values in (
            ("Revenue", "收入", [whole(row["revenue"]) for row in rows]),
            (
                "Average order value",
                "客单价",
                [
                    DASH if row["average_order_value"] is None else f"{row['average_order_value']:,.2f}"
                    for row in rows
                ],
            ),
        )
    ]
    return Table(
        columns=(Column("", numeric=False), *(Column(_who(say, row)) for row in rows)),
        rows=(*counts, *rates, (say("Orders", "订单"), *(number(row["orders"]) for row in rows)), *money),
    )
