"""The quality gates: the verdict in force of every suite that counts for the date."""

from __future__ import annotations

from itertools import groupby

from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import counted, number, words

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
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Quality gates"
    if not rows:
        return Section("gates", title, "No gate has been checked for this date.", query)
    passed = sum(row["passed"] for row in rows)
    expectations = sum(row["expectations"] for row in rows)
    reading = (
        f"All {counted(len(rows), 'suite')} with {counted(expectations, 'expectation')} passed."
        if passed == len(rows)
        else f"{number(len(rows) - passed)} of {counted(len(rows), 'suite')} did not pass."
    )
    return Section(
        slug="gates",
        title=title,
        reading=reading,
        query=query,
        table=_table(rows),
        note="Raw and core are checked once for all dates, the later stages date by date.",
    )


def _table(rows: list[Row]) -> Table:
    stages = {stage: list(suites) for stage, suites in groupby(rows, key=lambda row: row["stage"])}
    return Table(
        columns=(
            Column("Stage", numeric=False),
            Column("Suites"),
            Column("Expectations"),
            Column("Verdict", numeric=False),
        ),
        rows=tuple(
            (
                words(stage),
                number(len(suites)),
                number(sum(row["expectations"] for row in suites)),
                _verdict(suites),
            )
            for stage, suites in stages.items()
        ),
    )


def _verdict(suites: list[Row]) -> Cell:
    by_remark: dict[str, list[str]] = {}
    for row in suites:
        if remark := _remark(row):
            by_remark.setdefault(remark, []).append(row["suite"])
    remarks = "; ".join(f"{remark}: {', '.join(names)}" for remark, names in by_remark.items())
    unmet = sum(not row["passed"] for row in suites)
    if unmet:
        return Cell(f"✗ {number(unmet)} not passed", colour="alarm", note=remarks)
    return Cell("✓ passed", colour="accent", note=remarks)


def _remark(row: Row) -> str:
    if row["passed"]:
        return counted(row["findings"], "warning") if row["findings"] else ""
    if row["expectations"] == 0:
        return "not checked since it was rebuilt"
    errors = f", {number(row['errored'])} could not be evaluated" if row["errored"] else ""
    return f"{number(row['failed'])} of {counted(row['expectations'], 'expectation')} failed{errors}"
