"""The figures one looks at first."""

from __future__ import annotations

from pipelines.report.section import Row, Section, Source, Tile
from pipelines.report.wording import DASH, counted, number, percent, whole

_SQL = """
select
    (select count(*) from activation.recall_decision where as_of_date = $as_of_date) as customers,
    (select count(*) from marts.customer_rfm where as_of_date = $as_of_date) as buyers,
    (select count(*) from marts.customer_dormancy where as_of_date = $as_of_date) as judged,
    (select count(dormant_since) from marts.customer_dormancy where as_of_date = $as_of_date) as asleep,
    (
        select coalesce(sum(net_amount), 0)
        from core.purchase_day
        where purchased_on > $as_of_date - 365 and purchased_on <= $as_of_date
    ) as net_revenue,
    (
        select count(*) from activation.recall_decision
        where as_of_date = $as_of_date and decision = 'send'
    ) as recalled,
    (
        select count(*) from activation.recall_decision
        where as_of_date = $as_of_date and decision = 'holdout'
    ) as held_out,
    (
        select coalesce(bool_or(simulated), false)
        from activation.recall_decision
        where as_of_date = $as_of_date
    ) as simulated
"""


def build(source: Source) -> Section:
    """Customers, buyers, share asleep, net revenue of a year, recalls of the day."""
    say = source.say
    query = source.bind(_SQL)
    [row] = source.rows(query)
    asleep = percent(row["asleep"], row["judged"])
    recall_note = (
        say("simulated: nothing was sent", "模拟，未实际发送")
        if row["simulated"]
        else say("decided for this date", "当日决策")
    )
    tiles = (
        Tile(say("Customers", "客户"), number(row["customers"]), say("known on the date", "截至当日已识别")),
        Tile(say("Buyers", "购买客户"), number(row["buyers"]), say("with a kept purchase", "有未退货的购买")),
        Tile(
            say("Asleep", "沉睡"),
            asleep,
            say(
                f"{number(row['asleep'])} of {counted(row['judged'], 'customer')}",
                f"{number(row['judged'])} 位客户中的 {number(row['asleep'])} 位",
            ),
        ),
        Tile(
            say("Net revenue", "净收入"),
            whole(row["net_revenue"]),
            say(f"{source.currency}, last 365 days", f"{say.unit(source.currency)}，近 365 天"),
        ),
        Tile(say("Recalled", "召回"), number(row["recalled"]), recall_note),
        Tile(
            say("Held out", "对照组"),
            number(row["held_out"]),
            say("not contacted, for comparison", "不触达，用于对比"),
        ),
    )
    return Section(
        slug="headline",
        title=say("At a glance", "概览"),
        reading=_reading(source, row, asleep),
        query=query,
        published="activation.recall_decision",
        tiles=tiles,
    )


def _reading(source: Source, row: Row, asleep: str) -> str:
    say = source.say
    if row["customers"] == 0:
        return say(
            f"The published tables have no customers on {source.as_of_date}.",
            f"已发布的数据中，{source.as_of_date} 没有客户。",
        )
    sleeping = "" if asleep == DASH else say(f", {asleep} of them asleep", f"，其中 {asleep} 处于沉睡")
    verb = "would have been recalled" if row["simulated"] else "are recalled"
    return say(
        f"The shop knows {counted(row['customers'], 'customer')}{sleeping}; "
        f"{number(row['recalled'])} {verb}.",
        f"店铺共识别 {number(row['customers'])} 位客户{sleeping}；"
        f"{'模拟' if row['simulated'] else '当日'}召回 {number(row['recalled'])} 位。",
    )
