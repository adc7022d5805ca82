"""What a verdict says, what it never says, and what it leaves behind."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.checks.runner import EXAMPLES, run_suite, run_suites
from pipelines.checks.stages import Stage
from pipelines.checks.suites import ExpectationSpec, Suite

DAY = date(2024, 6, 30)


def expectation(name: str, type_: str, severity: str = "critical", **arguments: Any) -> ExpectationSpec:
    sql = arguments.pop("sql", None)
    return ExpectationSpec(
        name=name, type=type_, kwargs=arguments, sql=sql, severity=severity, reason="Why.", remedy="Do."
    )


def suite_of(stage: str, *expectations: ExpectationSpec, **settings: Any) -> Suite:
    if Stage(stage).dated:
        settings["date_column"] = "as_of_date"
    return Suite(
        stage=stage,
        name="thing",
        table=f"{stage}.thing",
        owner="somebody",
        description="Things.",
        expectations=expectations,
        **settings,
    )


NOT_NULL = expectation("name_present", "expect_column_values_to_not_be_null", column="name")


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema core; create schema raw; create schema marts")
    con.execute("create table core.thing as select range as id, 'Anna' as name, 'x' as secret from range(30)")
    con.execute(
        """
        create table raw.thing as
        select 'Anna' as name, 'a.csv' as _source, range + 1 as _line from range(30)
        """
    )
    con.execute("create schema quality")
    con.execute("create table quality.ingestions as select 'thing' as feed, true as current")
    return con


def test_a_missing_table_fails(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("drop table core.thing")
    verdict = run_suite(con, suite_of("core", NOT_NULL))
    assert (verdict.passed, verdict.expectations, verdict.errored, verdict.failed) == (False, 1, 1, 0)
    assert "Table with name thing does not exist" in str(verdict.details[0].error)


@pytest.mark.parametrize(
    "broken",
    [
        expectation("nope_present", "expect_column_values_to_not_be_null", "warning", column="nope"),
        expectation("nope_known", "unexpected_rows", "warning", sql="select nope from {batch}"),
        expectation("cannot_parse", "unexpected_rows", "warning", sql="selekt 1"),
    ],
    ids=lambda spec: spec.name,
)
def test_what_cannot_be_evaluated_fails_the_gate_even_as_a_warning(
    con: duckdb.DuckDBPyConnection, broken: ExpectationSpec
) -> None:
    verdict = run_suite(con, suite_of("core", NOT_NULL, broken))
    assert (verdict.passed, verdict.errored, verdict.failed, verdict.warnings) == (False, 1, 0, 0)
    (finding,) = verdict.details
    assert finding.error
    assert finding.expectation == broken.name


def test_a_warning_is_reported_and_does_not_fail(con: duckdb.DuckDBPyConnection) -> None:
    few = expectation("few", "expect_table_row_count_to_be_between", "warning", max_value=3)
    verdict = run_suite(con, suite_of("core", few))
    assert (verdict.passed, verdict.warnings, verdict.failed) == (True, 1, 0)
    assert verdict.details[0].observed == "30"


def test_counts_and_examples_of_a_column(con: duckdb.DuckDBPyConnection) -> None:
    small = expectation("small", "expect_column_values_to_be_between", column="id", max_value=9)
    (finding,) = run_suite(con, suite_of("core", small, pointers=["name"])).details
    assert finding.column == "id"
    assert finding.unexpected_rows == 20
    assert finding.observed == "20 of 30 rows unexpected"
    assert len(finding.examples) == EXAMPLES
    assert finding.examples[0] == {"id": 10, "name": "Anna"}


def test_queries_with_joins_comments_braces_and_percent_signs(con: duckdb.DuckDBPyConnection) -> None:
    sql = r"""
        select things.id, 'a:b' as mark, 10::integer as ten
        from {batch} as things join {batch} as others using (id)
        where regexp_matches(things.name, '^\w{4}$') and things.name like '%nn%'
            and things.id < 2 -- a comment
    """
    (finding,) = run_suite(con, suite_of("core", expectation("joined", "unexpected_rows", sql=sql))).details
    assert finding.error is None
    assert finding.observed == "2 unexpected rows"
    assert finding.examples == ({"id": 0, "mark": "a:b", "ten": 10}, {"id": 1, "mark": "a:b", "ten": 10})


def test_raw_verdicts_show_counts_and_places_but_no_values(con: duckdb.DuckDBPyConnection) -> None:
    verdict = run_suite(
        con,
        suite_of(
            "raw",
            expectation("failing", "unexpected_rows", sql="select cast(name as integer) from {batch}"),
            expectation("in_set", "expect_column_values_to_be_in_set", column="name", value_set=["Bob"]),
            expectation("rows", "unexpected_rows", sql="select *, name as rows_of from {batch}"),
            expectation("after", "unexpected_rows", sql="select _line from {batch} where _line = 1"),
        ),
    )
    assert "Anna" not in json.dumps([finding.as_json() for finding in verdict.details])
    failing, in_set, rows, after = verdict.details
    assert in_set.unexpected_rows == rows.unexpected_rows == 30
    assert {"_source": "a.csv", "_line": 1} in in_set.examples
    assert {"_source": "a.csv", "_line": 1} in rows.examples
    assert failing.error == "Conversion Error (the message may quote values and is not kept)"
    assert after.error is None


def test_private_columns_are_left_out(con: duckdb.DuckDBPyConnection) -> None:
    suite = suite_of(
        "core",
        expectation("rows", "unexpected_rows", sql="select id, secret from {batch} where id = 0"),
        expectation("in_set", "expect_column_values_to_be_in_set", column="secret", value_set=["y"]),
        private=["secret"],
    )
    rows, in_set = run_suite(con, suite).details
    assert rows.examples == ({"id": 0},)
    assert in_set.examples == ()


def test_a_dated_suite_sees_its_date_alone(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        create table marts.thing as
        select * from (values (date '2024-06-29', null), (date '2024-06-30', 'Anna')) as t (as_of_date, name)
        """
    )
    newer = expectation(
        "today", "unexpected_rows", sql="select name from {batch} where as_of_date <> {as_of_date}"
    )
    suite = suite_of("marts", NOT_NULL, newer)
    verdicts = run_suites(con, [suite], [date(2024, 6, 29), DAY])
    assert [(v.as_of_date, v.passed) for v in verdicts] == [(date(2024, 6, 29), False), (DAY, True)]


def test_a_date_is_needed_exactly_where_the_stage_has_one(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="stage core has no as-of date"):
        run_suite(con, suite_of("core", NOT_NULL), DAY)
    with pytest.raises(ValueError, match="stage marts needs an as-of date"):
        run_suite(con, suite_of("marts", NOT_NULL))


def test_local_dates_follow_the_connections_time_zone(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("set TimeZone = 'Asia/Tokyo'")
    con.execute(
        """
        create or replace table core.thing as
        select timestamptz '2024-06-30 20:00:00+00' as seen_at, 'a' as name
        """
    )
    local = expectation(
        "local", "unexpected_rows", sql="select name from {batch} where seen_at::date = date '2024-07-01'"
    )
    assert run_suite(con, suite_of("core", local)).failed == 1


def test_nothing_keeps_the_database_open(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    with duckdb.connect(file) as con:
        con.execute("create schema core; create table core.thing as select 'Anna' as name")
        assert run_suite(con, suite_of("core", NOT_NULL)).passed
        assert run_suite(con, suite_of("core", NOT_NULL)).passed
    # Another configuration is refused as long as anything in the process has the file open.
    with duckdb.connect(file, read_only=True) as con:
        assert con.execute("select count(*) from core.thing").fetchone() == (1,)


def test_it_is_quiet(con: duckdb.DuckDBPyConnection, capfd: pytest.CaptureFixture[str]) -> None:
    run_suite(
        con, suite_of("core", NOT_NULL, expectation("none", "unexpected_rows", sql="select 1 where false"))
    )
    assert capfd.readouterr() == ("", "")
