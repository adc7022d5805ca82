"""The quality gates: the verdict in force of every suite that counts for the date."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import Wording, counted, number

_SQL = """
select
    stage,
    suite,
    passed,
    expectations,
    failed,
    errored,
    coalesce(json_array_length(details), 0) as findings
from quality.gate_results
where as_of_date is null or as_of_date = $as_of_date
order by list_position(['raw', 'core', 'marts', 'activation', 'kpi'], stage), stage, suite
"""


def build(source: Source) -> Section:
    """Which suites passed, stage by stage."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="gates",
        title=say("Quality gates", "质量关卡"),
        reading=say("No gate has been checked for this date.", "当日没有质量关卡的检查结果。"),
        query=query,
        published="quality.gate_results",
    )
    if not rows:
        return head
    passed = sum(row["passed"] for row in rows)
    expectations = sum(row["expectations"] for row in rows)
    reading = (
        say(
            f"All {counted(len(rows), 'suite')} with {counted(expectations, 'expectation')} passed.",
            f"全部 {len(rows)} 组检查、{number(expectations)} 项预期均已通过。",
        )
        if passed == len(rows)
        else say(
            f"{number(len(rows) - passed)} of {counted(len(rows), 'suite')} did not pass.",
            f"{len(rows)} 组检查中有 {number(len(rows) - passed)} 组未通过。",
        )
    )
    return replace(
        head,
        reading=reading,
        table=_table(say, rows),
        note=say(
            "Raw and core are checked once for all dates, the later stages date by date.",
            "原始数据与核心数据对所有日期统一检查，其后各阶段逐日检查。",
        ),
    )


def _table(say: Wording, rows: list[Row]) -> Table:
    stages = {stage: list(suites) for stage, suites in groupby(rows, key=lambda row: row["stage"])}
    return Table(
        columns=(
            Column(say("Stage", "阶段"), numeric=False),
            Column(say("Suites", "检查组")),
            Column(say("Expectations", "预期项")),
            Column(say("Verdict", "结论"), numeric=False),
        ),
        rows=tuple(
            (
                say.name(stage),
                number(len(suites)),
                number(sum(row["expectations"] for row in suites)),
                _verdict(say, suites),
            )
            for stage, suites in stages.items()
        ),
    )


def _verdict(say: Wording, suites: list[Row]) -> Cell:
    by_remark: dict[str, list[str]] = {}
    for row in suites:
        if remark := _remark(say, row):
            by_remark.setdefault(remark, []).append(row["suite"])
    remarks = say("; ", "；").join(
        say(f"{remark}: {', '.join(names)}", f"{remark}：{'、'.join(names)}")
        for remark, names in by_remark.items()
    )
    unmet = sum(not row["passed"] for row in suites)
    if unmet:
        return Cell(say(f"✗ {number(unmet)} not passed", f"✗ {unmet} 组未通过"), colour="alarm", note=remarks)
    return Cell(say("✓ passed", "✓ 通过"), colour="accent", note=remarks)


def _remark(say: Wording, row: Row) -> str:
    if row["passed"]:
        findings = row["findings"]
        return say(counted(findings, "warning"), f"{findings} 条警告") if findings else ""
    if row["expectations"] == 0:
        return say("not checked since it was rebuilt", "重建后尚未检查")
    errors = (
        say(f", {number(row['errored'])} could not be evaluated", f"，{row['errored']} 项无法评估")
        if row["errored"]
        else ""
    )
    return (
        say(
            f"{number(row['failed'])} of {counted(row['expectations'], 'expectation')} failed",
            f"{row['expectations']} 项预期中 {row['failed']} 项未通过",
        )
        + errors
    )
