"""Kept verdicts: the newest counts, a rebuild revokes, and what is not passed is refused."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml

from pipelines.checks.runner import Finding, SuiteVerdict
from pipelines.checks.stages import Stage
from pipelines.checks.verdicts import (
    COLUMNS,
    GateRefused,
    ensure_tables,
    missing_or_failed,
    newest,
    record,
    require,
    revoke,
)

NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)
DAY, NEXT_DAY = date(2024, 6, 29), date(2024, 6, 30)
FAILURE = Finding(
    expectation="customer_once",
    type="unexpected_rows",
    column=None,
    severity="critical",
    reason="Why.",
    remedy="Do.",
    observed="3 unexpected rows",
    examples=({"customer_id": "c1"},),
)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    ensure_tables(con)
    ensure_tables(con)
    return con


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    """A suite per stage, and a second one for core."""
    for stage in Stage:
        (tmp_path / stage).mkdir()
        for name in ("thing", "other") if stage is Stage.CORE else ("thing",):
            suite = {
                "table": f"{stage}.{name}",
                "owner": "somebody",
                "description": "Things.",
                "expectations": [
                    {
                        "name": "some_rows",
                        "type": "expect_table_row_count_to_be_between",
                        "kwargs": {"min_value": 1},
                        "severity": "critical",
                        "reason": "Why.",
                        "remedy": "Do.",
                    }
                ],
            } | ({"date_column": "as_of_date"} if stage.dated else {})
            (tmp_path / stage / f"{name}.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    return tmp_path


def verdict(stage: str, day: date | None = None, *details: Finding, suite: str = "thing") -> SuiteVerdict:
    return SuiteVerdict(
        stage=Stage(stage),
        suite=suite,
        table=f"{stage}.{suite}",
        as_of_date=day,
        passed=not details,
        expectations=1,
        failed=len(details),
        errored=0,
        warnings=0,
        details=details,
    )


def test_the_table_has_the_published_columns(con: duckdb.DuckDBPyConnection) -> None:
    names = con.execute("select column_name from duckdb_columns() where table_name = 'gate_results'")
    assert tuple(name for (name,) in names.fetchall()) == (
        "run_id",
        "stage",
        "suite",
        "as_of_date",
        "checked_at",
        "passed",
        "expectations",
        "failed",
        "errored",
        "details",
    )
    assert all(comment for _, comment in COLUMNS.values())


def test_rows_are_kept_as_they_were_given(con: duckdb.DuckDBPyConnection) -> None:
    record(con, "run-1", [verdict("marts", DAY, FAILURE)], NOON)
    (kept,) = newest(con)
    assert (kept.run_id, kept.stage, kept.suite, kept.as_of_date) == ("run-1", Stage.MARTS, "thing", DAY)
    assert (kept.passed, kept.expectations, kept.failed, kept.errored) == (False, 1, 1, 0)
    assert kept.checked_at == NOON
    assert kept.details[0]["examples"] == [{"customer_id": "c1"}]
    assert con.execute("select json_valid(details) from quality.gate_log").fetchone() == (True,)


def test_the_newest_verdict_counts_and_ties_go_to_the_last(con: duckdb.DuckDBPyConnection) -> None:
    record(con, "run-1", [verdict("raw")], NOON)
    record(con, "run-2", [verdict("raw", None, FAILURE)], NOON)
    assert [kept.run_id for kept in newest(con)] == ["run-2"]
    record(con, "run-3", [verdict("raw")], NOON + timedelta(seconds=1))
    assert [kept.run_id for kept in newest(con)] == ["run-3"]


def test_a_clock_that_was_set_back_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    record(con, "run-1", [verdict("raw")], NOON)
    record(con, "run-2", [verdict("raw", None, FAILURE)], NOON - timedelta(hours=1))
    (kept,) = newest(con)
    assert (kept.run_id, kept.passed, kept.checked_at) == ("run-2", False, NOON)


def test_a_naive_time_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="must be aware"):
        record(con, "run-1", [verdict("raw")], datetime(2024, 7, 1))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(
    ("stage", "revoked"),
    [
        ("raw", {("raw", "thing", None), ("core", "thing", None), ("core", "other", None)}),
        ("core", {("core", "thing", None), ("core", "other", None)}),
        ("marts", {("marts", "thing", DAY), ("activation", "thing", DAY), ("kpi", "thing", DAY)}),
        ("kpi", {("kpi", "thing", DAY)}),
    ],
)
def test_a_rebuild_revokes_its_own_and_later_verdicts(
    con: duckdb.DuckDBPyConnection, suites: Path, stage: str, revoked: set[tuple[str, str, date | None]]
) -> None:
    passed = [verdict("raw"), verdict("core"), verdict("core", suite="other")]
    passed += [verdict(s, day) for s in ("marts", "activation", "kpi") for day in (DAY, NEXT_DAY)]
    record(con, "run-1", passed, NOON)
    revoke(con, "run-2", stage, [DAY], NOON, directory=suites)
    rows = newest(con)
    assert {(kept.stage, kept.suite, kept.as_of_date) for kept in rows if not kept.passed} == revoked
    assert len(rows) == len(passed)
    gone = [kept for kept in rows if not kept.passed]
    assert all(kept.details == {"revoked_by": "run-2"} and kept.expectations == 0 for kept in gone)


def test_all_passed_is_allowed(con: duckdb.DuckDBPyConnection, suites: Path) -> None:
    record(con, "run-1", [verdict("raw"), verdict("marts", DAY)], NOON)
    require(con, ["raw", "marts"], DAY, "Publishing", directory=suites)


def test_what_is_not_passed_is_refused_with_its_reason(con: duckdb.DuckDBPyConnection, suites: Path) -> None:
    record(con, "run-1", [verdict("raw", None, FAILURE), verdict("core"), verdict("marts", DAY)], NOON)
    record(con, "run-1", [verdict("marts", NEXT_DAY)], NOON)
    revoke(con, "run-2", "marts", [DAY], NOON, directory=suites)
    lines = missing_or_failed(con, [Stage.RAW, Stage.CORE, Stage.MARTS], DAY, directory=suites)
    assert [line.split(":")[0] for line in lines] == ["raw.thing", "core.other", f"marts.thing for {DAY}"]
    assert "failed in run run-1" in lines[0]
    assert "customer_once (3 unexpected rows)" in lines[0]
    assert "never checked" in lines[1]
    assert "rebuilt by run run-2" in lines[2]
    with pytest.raises(GateRefused) as refused:
        require(con, ["raw", "core", "marts"], DAY, "Publishing", directory=suites)
    message = str(refused.value)
    assert message.startswith(
        f"Publishing for {DAY} is refused: 3 of the suites it relies on have not passed.\n"
    )
    assert all(f"  - {line}" in message for line in lines)
    assert missing_or_failed(con, ["marts"], NEXT_DAY, directory=suites) == []


def test_a_warehouse_without_the_table_has_checked_nothing(suites: Path) -> None:
    (line,) = missing_or_failed(duckdb.connect(), ["raw"], None, directory=suites)
    assert line == "raw.thing: never checked"


def test_a_dated_stage_needs_a_date(con: duckdb.DuckDBPyConnection, suites: Path) -> None:
    with pytest.raises(ValueError, match="stage kpi is checked per as-of date"):
        missing_or_failed(con, ["kpi"], None, directory=suites)


def test_details_are_json_even_with_dates_and_quotes(con: duckdb.DuckDBPyConnection) -> None:
    finding = Finding(**{**FAILURE.__dict__, "examples": ({"name": 'O\'Hara "x" 重要'},)})
    record(con, "run-1", [verdict("raw", None, finding)], NOON)
    (row,) = con.execute("select details from quality.gate_log").fetchall()
    assert json.loads(row[0])[0]["examples"] == [{"name": 'O\'Hara "x" 重要'}]
