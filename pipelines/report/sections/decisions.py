"""Who is recalled, who is left out, and why."""

from __future__ import annotations

from dataclasses import replace

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DECISIONS, Wording, counted, number, ordered, percent

_SQL = """
select
    decision,
    reason_code,
    count(*) as customers,
    bool_or(simulated) as simulated
from activation.recall_decision
where as_of_date = $as_of_date
group by decision, reason_code
order by decision, customers desc, reason_code
"""

_COLOURS = {"send": "accent", "holdout": "holdout"}


def build(source: Source) -> Section:
    """One reason for every customer, those who are not contacted included."""
    say = source.say
    query = source.bind(_SQL)
    rows = ordered(source.rows(query), "decision", DECISIONS)
    head = Section(
        slug="decisions",
        title=say("Recall decisions", "召回决策"),
        reading=say("No recall was decided on this date.", "当日没有召回决策。"),
        query=query,
        published="activation.recall_decision",
    )
    if not rows:
        return head
    customers = sum(row["customers"] for row in rows)
    simulated = any(row["simulated"] for row in rows)
    simulation = say(
        "Simulated: decided for a past date or again, so nothing was sent.",
        "模拟：为过去的日期或重新决策，未实际发送。",
    )
    return replace(
        head,
        reading=_reading(say, rows, customers, simulated),
        chart=lambda canvas: _chart(canvas, say, rows, customers),
        table=_table(source, rows, customers),
        note=simulation if simulated else "",
    )


def _reading(say: Wording, rows: list[Row], customers: int, simulated: bool) -> str:
    chosen = {
        decision: sum(row["customers"] for row in rows if row["decision"] == decision)
        for decision in ("send", "holdout")
    }
    left = [row for row in rows if row["decision"] not in chosen]
    verb = "would be" if simulated else "is" if chosen["send"] == 1 else "are"
    sentence = say(
        f"{number(chosen['send'])} of {counted(customers, 'customer')} {verb} recalled and "
        f"{number(chosen['holdout'])} held out for comparison",
        f"{number(customers)} 位客户中，{'模拟' if simulated else ''}召回 {number(chosen['send'])} 位，"
        f"{number(chosen['holdout'])} 位列入对照组",
    )
    if not left:
        return sentence + say("; nobody else is left out.", "；没有其他客户被排除。")
    commonest = max(left, key=lambda row: row["customers"])
    name, count = say.within(commonest["reason_code"]), number(commonest["customers"])
    return sentence + say(
        f"; the commonest reason to leave somebody alone is “{name}” ({count}).",
        f"；不触达的最主要原因是“{name}”（{count} 位）。",
    )


def _chart(canvas: Canvas, say: Wording, rows: list[Row], customers: int) -> Drawing:
    groups = []
    for row in rows:
        text = f"{number(row['customers'])} ({percent(row['customers'], customers)})"
        colour = _COLOURS.get(row["decision"], "quiet")
        groups.append(BarGroup(_label(say, row), (Bar(row["customers"], text, colour),)))
    return bar_list(canvas, groups)


def _label(say: Wording, row: Row) -> str:
    decision, reason = say.name(row["decision"]), say.name(row["reason_code"])
    if decision == reason:
        return decision
    return say(f"{decision}: {say.within(row['reason_code'])}", f"{decision}：{reason}")


def _table(source: Source, rows: list[Row], customers: int) -> Table:
    say = source.say
    return Table(
        columns=(
            Column(say("Decision and reason", "决策与原因"), numeric=False),
            Column(say("Customers", "客户")),
            Column(say("Share", "占比")),
        ),
        rows=tuple(
            (
                Cell(
                    _label(say, row),
                    colour=_COLOURS.get(row["decision"], "quiet"),
                    note=say.told(row["reason_code"], source.policy.reason_codes),
                ),
                number(row["customers"]),
                percent(row["customers"], customers),
            )
            for row in rows
        ),
    )
