"""Kept verdicts: the log of all gates, the results in force, and the refusal of what is not passed.

`quality.gate_log` is written and never changed; `quality.gate_results` is the view of what counts now, the
newest verdict of each suite and date.

A blocking check stops what follows in the same run only. Whoever emits or publishes therefore asks here for
the newest verdict of every suite, and a rebuild of a stage first revokes what it makes worthless.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.checks.stages import Stage
from pipelines.checks.suites import load_suites

if TYPE_CHECKING:
    import duckdb

    from pipelines.checks.runner import SuiteVerdict

_LOG = "quality.gate_log"
_RESULTS = "quality.gate_results"

COLUMNS = {
    "run_id": ("varchar", "Run that wrote the verdict"),
    "stage": ("varchar", "Stage of the pipeline: raw, core, marts, activation or kpi"),
    "suite": ("varchar", "Suite of expectations, named after the table it guards"),
    "as_of_date": ("date", "As-of date that was checked; empty for the unpartitioned stages raw and core"),
    "checked_at": ("timestamptz", "When the verdict was written; the newest one counts"),
    "passed": ("boolean", "Whether what follows may use the table"),
    "expectations": ("integer", "Number of expectations in the suite; 0 when the verdict was revoked"),
    "failed": ("integer", "Number of critical expectations that were not met"),
    "errored": ("integer", "Number of expectations that could not be evaluated"),
    "details": ("varchar", "JSON: what was not met, why it matters and what to do; or which run revoked"),
}
"""DuckDB type and comment of each column of `quality.gate_results`; analysts get them too."""

COMMENT = "The newest verdict of each suite, per as-of date in the dated stages"


class GateRefused(RuntimeError):
    """Something was asked for whose gates are not passed; the message says which and what to do."""


@dataclass(frozen=True)
class KeptVerdict:
    """One row of `quality.gate_results`."""

    run_id: str
    stage: Stage
    suite: str
    as_of_date: date | None
    checked_at: datetime
    passed: bool
    expectations: int
    failed: int
    errored: int
    details: Any


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the log and the view of the results in force, if they are not there."""
    con.execute("create schema if not exists quality")
    columns = ", ".join(f"{name} {column_type}" for name, (column_type, _) in COLUMNS.items())
    con.execute(f"create table if not exists {_LOG} ({columns})")
    con.execute(
        f"""
        create or replace view {_RESULTS} as
        select {", ".join(COLUMNS)} from {_LOG}
        -- Ties in time go to the verdict that was written last.
        qualify row_number() over (
            partition by stage, suite, as_of_date order by checked_at desc, rowid desc
        ) = 1
        """
    )


def record(
    con: duckdb.DuckDBPyConnection, run_id: str, verdicts: Iterable[SuiteVerdict], checked_at: datetime
) -> None:
    """Append the verdicts of one gate; `checked_at` is an aware instant."""
    _append(
        con,
        checked_at,
        [
            _row(
                run_id,
                verdict.stage,
                verdict.suite,
                verdict.as_of_date,
                [finding.as_json() for finding in verdict.details],
                passed=verdict.passed,
                expectations=verdict.expectations,
                failed=verdict.failed,
                errored=verdict.errored,
            )
            for verdict in verdicts
        ],
    )


def revoke(
    con: duckdb.DuckDBPyConnection,
    run_id: str,
    stage: Stage | str,
    dates: Iterable[date],
    at: datetime,
    *,
    directory: Path | None = None,
) -> None:
    """Declare the verdicts of a stage and of those after it worthless, before the stage is rebuilt.

    Args:
        con: a writing connection to the warehouse.
        run_id: the run that rebuilds.
        stage: the stage that is rebuilt. An unpartitioned one revokes its own and later unpartitioned
            verdicts, a dated one its own and later dated ones.
        dates: as-of dates that are rebuilt; without effect for an unpartitioned stage.
        at: aware instant of the revocation.
        directory: folder of the suites, see `load_suites`.
    """
    stage = Stage(stage)
    days: Sequence[date | None] = sorted(set(dates)) if stage.dated else [None]
    _append(
        con,
        at,
        [
            _row(run_id, reached, suite.name, day, {"revoked_by": run_id}, passed=False)
            for reached in stage.with_later()
            for suite in load_suites(reached, directory)
            for day in days
        ],
    )


def newest(con: duckdb.DuckDBPyConnection) -> list[KeptVerdict]:
    """The newest verdict of each suite and date; ties in time go to the one written last."""
    ensure_tables(con)
    rows = con.execute(
        f"select {', '.join(COLUMNS)} from {_RESULTS} order by stage, suite, as_of_date"
    ).fetchall()
    return [
        KeptVerdict(run_id, Stage(stage), suite, day, at, passed, total, failed, errored, json.loads(details))
        for run_id, stage, suite, day, at, passed, total, failed, errored, details in rows
    ]


def missing_or_failed(
    con: duckdb.DuckDBPyConnection,
    stages: Iterable[Stage | str],
    as_of_date: date | None,
    directory: Path | None = None,
) -> list[str]:
    """One line for each suite of the stages whose newest verdict is not a pass; empty when all are.

    Args:
        con: open on the warehouse.
        stages: the stages that must have passed.
        as_of_date: the date for the dated ones among them.
        directory: folder of the suites, see `load_suites`.

    Raises:
        ValueError: a dated stage is asked for without a date.
    """
    kept = {(verdict.stage, verdict.suite, verdict.as_of_date): verdict for verdict in newest(con)}
    lines = []
    for stage in map(Stage, stages):
        if stage.dated and as_of_date is None:
            raise ValueError(f"stage {stage} is checked per as-of date, and none is given")
        day = as_of_date if stage.dated else None
        for suite in load_suites(stage, directory):
            verdict = kept.get((stage, suite.name, day))
            if verdict is None or not verdict.passed:
                where = suite.table if day is None else f"{suite.table} for {day}"
                lines.append(f"{where}: {_why(verdict)}")
    return lines


def passed_dates(
    con: duckdb.DuckDBPyConnection, stages: Iterable[Stage | str], directory: Path | None = None
) -> list[date]:
    """As-of dates for which the newest verdict of every suite of these dated stages is a pass."""
    wanted = {(Stage(stage), suite.name) for stage in stages for suite in load_suites(stage, directory)}
    passed: dict[date, set[tuple[Stage, str]]] = {}
    for verdict in newest(con):
        if verdict.passed and verdict.as_of_date is not None:
            passed.setdefault(verdict.as_of_date, set()).add((verdict.stage, verdict.suite))
    return sorted(day for day, suites in passed.items() if wanted <= suites)


def require(
    con: duckdb.DuckDBPyConnection,
    stages: Sequence[Stage | str],
    as_of_date: date | None,
    what: str,
    directory: Path | None = None,
) -> None:
    """Let `what` go on only when the newest verdict of every suite of the stages is a pass.

    Raises:
        GateRefused: a suite has failed, was revoked, or was never checked.
    """
    lines = missing_or_failed(con, stages, as_of_date, directory)
    if not lines:
        return
    when = "" if as_of_date is None else f" for {as_of_date}"
    listed = "\n".join(f"  - {line}" for line in lines)
    raise GateRefused(
        f"{what}{when} is refused: {len(lines)} of the suites it relies on have not passed.\n{listed}\n"
        f"Mend what failed, run the stages {', '.join(map(str, stages))} with their gates{when} again "
        f"(the job daily_recall does all of it), then try again."
    )


def _row(
    run_id: str,
    stage: Stage,
    suite: str,
    as_of_date: date | None,
    details: Any,
    *,
    passed: bool,
    expectations: int = 0,
    failed: int = 0,
    errored: int = 0,
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "stage": stage,
        "suite": suite,
        "as_of_date": as_of_date,
        "passed": passed,
        "expectations": expectations,
        "failed": failed,
        "errored": errored,
        "details": json.dumps(details, ensure_ascii=False),
    }


def _append(con: duckdb.DuckDBPyConnection, at: datetime, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, in one statement, at an instant which is moved up to the newest one kept.

    Without that, a clock that was set back would let an older pass outlive a newer failure.
    """
    if at.tzinfo is None:
        raise ValueError(f"the time of a verdict must be aware, given: {at!r}")
    latest = con.execute(f"select max(checked_at) from {_LOG}").fetchone()
    instant = at if latest is None or latest[0] is None else max(at, latest[0])
    written = {name: kind for name, (kind, _) in COLUMNS.items() if name != "checked_at"}
    con.execute(
        f"""
        insert into {_LOG} by name
        select *, $instant::timestamptz as checked_at
        from (select unnest(from_json($rows::json, $structure), recursive := true))
        """,
        {
            "instant": instant,
            "rows": json.dumps(rows, default=str),
            "structure": json.dumps([written]),
        },
    )


def _why(verdict: KeptVerdict | None) -> str:
    if verdict is None:
        return "never checked"
    when = f"{verdict.checked_at:%Y-%m-%d %H:%M:%S %Z}"
    if isinstance(verdict.details, dict) and "revoked_by" in verdict.details:
        return f"rebuilt by run {verdict.details['revoked_by']} ({when}) and not checked since"
    unmet = [
        f"{finding['expectation']} ({finding.get('error', finding['observed'])})"
        for finding in verdict.details
        if "error" in finding or finding["severity"] == "critical"
    ]
    return f"failed in run {verdict.run_id} ({when}): {'; '.join(unmet)}"
