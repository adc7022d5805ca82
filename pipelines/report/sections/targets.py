"""The shop's targets: which are met."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, counted

_SQL = """
select
    measured_on,
    metric,
    direction,
    target,
    actual,
    met,
    period_days,
    description,
    description_zh
from kpi.target
order by
    list_position(
        [
            'wake_up_rate', 'response_rate', 'conversion_rate', 'average_order_value', 'roi',
            'unsubscribe_rate', 'redormancy_share'
        ],
        metric
    ),
    metric
"""


def build(source: Source) -> Section:
    """Targets, what was measured, and whether that is enough."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="targets",
        title=say("Targets", "目标达成"),
        reading=say("The policy sets no targets.", "策略中未设定目标。"),
        query=query,
        published="kpi.target",
    )
    if not rows:
        return head
    return replace(
        head,
        reading=_reading(source, rows),
        table=_table(source, rows),
        note=say(
            f"Measured until {rows[0]['measured_on']}, whatever the report's date, on contacts whose window "
            "has closed.",
            f"截至 {rows[0]['measured_on']} 的结果，与报告日期无关；以观察窗口已结束的触达计算。",
        ),
    )


def _reading(source: Source, rows: list[Row]) -> str:
    say = source.say
    judged = [row for row in rows if row["met"] is not None]
    if not judged:
        return say(
            f"Nothing has been measured yet for {counted(len(rows), 'target')}.",
            f"{len(rows)} 项目标均尚无可用的测量结果。",
        )
    missed = [row for row in judged if not row["met"]]
    met = len(judged) - len(missed)
    names = [
        say(
            f"{say.within(row['metric'])} ({_figure(source, row, 'actual')}, {_bound(source, row)})",
            f"{say.name(row['metric'])}（{_figure(source, row, 'actual')}，{_bound(source, row)}）",
        )
        for row in missed
    ]
    sentence = say(
        f"{met} of {counted(len(judged), 'target')} {'is' if met == 1 else 'are'} met",
        f"{len(judged)} 项目标中 {met} 项达成",
    )
    if names:
        sentence += say(f"; missed: {', '.join(names)}", f"；未达成：{'、'.join(names)}")
    if waiting := len(rows) - len(judged):
        sentence += say(f"; {waiting} cannot be measured yet", f"；另有 {waiting} 项尚无法测量")
    return sentence + say(".", "。")


def _bound(source: Source, row: Row) -> str:
    figure = _figure(source, row, "target")
    if row["direction"] == "at_most":
        return source.say(f"at most {figure}", f"不高于 {figure}")
    return source.say(f"at least {figure}", f"不低于 {figure}")


def _figure(source: Source, row: Row, column: str) -> str:
    value = row[column]
    if value is None:
        return DASH
    if row["metric"] == "average_order_value":
        return source.say.money(Decimal(value), source.currency)
    return f"{value:.1%}"


def _table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    return Table(
        columns=(
            Column(say("KPI", "指标"), numeric=False),
            Column(say("Target", "目标")),
            Column(say("Measured", "实际")),
            Column(say("Verdict", "结论"), numeric=False),
        ),
        rows=tuple(
            (
                Cell(say.name(row["metric"]), note=_description(say, row)),
                _bound(source, row),
                _figure(source, row, "actual"),
                _verdict(say, row["met"]),
            )
            for row in rows
        ),
    )


def _description(say: Wording, row: Row) -> str:
    told = say(row["description"] or "", row["description_zh"] or "")
    days = say(f"last {row['period_days']} days", f"近 {row['period_days']} 天")
    return say(f"{told}; {days}", f"{told}；{days}") if told else days


def _verdict(say: Wording, met: bool | None) -> Cell:
    if met is None:
        return Cell(say("not measured yet", "尚无结果"), colour="quiet")
    if met:
        return Cell(say("✓ met", "✓ 达成"), colour="accent")
    return Cell(say("✗ missed", "✗ 未达成"), colour="alarm")
