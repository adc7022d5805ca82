"""Every suite passes on good data, and every expectation of it fails on data spoilt for it."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from pipelines.checks import duckdb_datasource
from pipelines.checks.runner import SuiteVerdict, run_suite, run_suites
from pipelines.checks.stages import Stage
from pipelines.checks.suites import GX_TYPES, UNEXPECTED_ROWS, ExpectationSpec, Suite, load_suites

AS_OF_DATE = date(2024, 6, 30)
SUITES = [suite for stage in Stage for suite in load_suites(stage)]
SPOILS: dict[str, dict[str, str]] = yaml.safe_load((Path(__file__).parent / "spoils.yaml").read_text("utf-8"))


def spoil(suite: Suite, expectation: ExpectationSpec) -> str:
    """SQL that plants a fault which the expectation must see."""
    if expectation.type == UNEXPECTED_ROWS:
        own = SPOILS.get(suite.table, {})
        sql = own[expectation.name] if expectation.name in own else SPOILS["every_feed"][expectation.name]
        return sql.replace("{feed}", suite.name)
    column = expectation.kwargs["column"]
    return f"update {suite.table} set {column} = {_bad_value(expectation)}"


def _bad_value(expectation: ExpectationSpec) -> str:
    match expectation.type:
        case "expect_column_values_to_not_be_null":
            return "null"
        case "expect_column_values_to_be_in_set":
            return "'no such value'"
        case "expect_column_values_to_be_between":
            lowest, highest = expectation.kwargs.get("min_value"), expectation.kwargs.get("max_value")
            return str(Decimal(lowest) - 1 if lowest is not None else Decimal(highest) + 1)
    raise AssertionError(f"no spoil for type {expectation.type}: teach this test")


def run_one(con: duckdb.DuckDBPyConnection, suite: Suite) -> SuiteVerdict:
    return run_suite(con, suite, AS_OF_DATE if suite.stage.dated else None)


@pytest.mark.parametrize("stage", Stage)
def test_good_data_passes_every_suite(shop: duckdb.DuckDBPyConnection, stage: Stage) -> None:
    verdicts = run_suites(shop, load_suites(stage), [AS_OF_DATE if stage.dated else None])
    assert [v.details for v in verdicts if v.details] == []
    assert all(v.passed and v.expectations for v in verdicts)


@pytest.mark.parametrize(
    ("suite", "expectation"),
    [pytest.param(suite, e, id=f"{suite.table}:{e.name}") for suite in SUITES for e in suite.expectations],
)
def test_every_expectation_can_fail(
    shop: duckdb.DuckDBPyConnection, suite: Suite, expectation: ExpectationSpec
) -> None:
    shop.execute(spoil(suite, expectation))
    verdict = run_one(shop, suite.model_copy(update={"expectations": (expectation,)}))
    (finding,) = verdict.details
    assert finding.error is None
    assert finding.unexpected_rows
    assert finding.fails_gate == (expectation.severity == "critical")
    assert verdict.passed == (expectation.severity == "warning")


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.table)
def test_one_fault_fails_the_whole_suite(shop: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    critical = next(e for e in suite.expectations if e.severity == "critical")
    shop.execute(spoil(suite, critical))
    verdict = run_one(shop, suite)
    assert not verdict.passed
    assert critical.name in {finding.expectation for finding in verdict.details}
    assert verdict.errored == 0


@pytest.mark.parametrize("suite", [s for s in SUITES if s.stage is Stage.RAW], ids=lambda suite: suite.table)
def test_an_empty_feed_passes(shop: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    shop.execute(f"delete from {suite.table}")
    shop.execute("update quality.ingestions set rows_read = 0, rows_loaded = 0 where feed = ?", [suite.name])
    verdict = run_one(shop, suite)
    assert verdict.details == ()
    assert verdict.expectations == len(suite.expectations)


def test_of_a_feed_that_was_never_taken_in_nothing_is_checked(shop: duckdb.DuckDBPyConnection) -> None:
    suite = next(suite for suite in SUITES if suite.table == "raw.web_events")
    shop.execute("delete from raw.web_events")
    shop.execute("delete from quality.ingestions where feed = 'web_events'")
    verdict = run_one(shop, suite)
    assert (verdict.passed, verdict.expectations) == (True, 0)


def test_no_spoil_is_left_over() -> None:
    names: dict[str, set[str]] = {
        suite.table: {e.name for e in suite.expectations if e.type == UNEXPECTED_ROWS} for suite in SUITES
    }
    unused: dict[str, Any] = {
        table: sorted(set(spoils) - names[table])
        for table, spoils in SPOILS.items()
        if table != "every_feed" and set(spoils) - names[table]
    }
    assert unused == {}


@pytest.mark.parametrize("gx_type", sorted(GX_TYPES))
def test_accepted_arguments_exist_in_great_expectations(gx_type: str) -> None:
    required, optional = GX_TYPES[gx_type]
    assert required | optional <= set(duckdb_datasource.get_expectation_impl(gx_type).__fields__)
