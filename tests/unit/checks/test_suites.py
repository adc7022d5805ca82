"""Suite files: what is accepted, and what the message says when it is not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.checks.stages import Stage
from pipelines.checks.suites import SuiteError, load_suites, render_sql
from pipelines.feeds.contract import load_contracts

GOOD: dict[str, Any] = {
    "table": "core.thing",
    "owner": "somebody",
    "description": "Things.",
    "expectations": [
        {
            "name": "id_present",
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "id"},
            "severity": "critical",
            "reason": "Why.",
            "remedy": "What to do.",
        }
    ],
}


def write(directory: Path, content: Any, stage: str = "core", name: str = "thing") -> Path:
    file = directory / stage / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return file


def with_expectation(**changes: Any) -> dict[str, Any]:
    expectation = GOOD["expectations"][0] | changes
    return GOOD | {"expectations": [{key: value for key, value in expectation.items() if value is not None}]}


def test_the_projects_suites_load_for_every_stage() -> None:
    suites = {stage: [suite.name for suite in load_suites(stage)] for stage in Stage}
    assert suites[Stage.RAW] == sorted(load_contracts())
    assert {"customer", "order_line", "purchase_day", "product", "customer_account"} <= set(
        suites[Stage.CORE]
    )
    assert {"customer_rfm", "customer_dormancy", "segment_movement"} <= set(suites[Stage.MARTS])
    assert "recall_decision" in suites[Stage.ACTIVATION]
    assert "dormancy_overview" in suites[Stage.KPI]


def test_a_good_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (suite,) = load_suites("core", tmp_path)
    assert (suite.stage, suite.name, suite.table) == (Stage.CORE, "thing", "core.thing")
    assert suite.expectations[0].column == "id"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"is empty; accepted: a mapping with table, owner"),
        ("- a list", "is list; accepted: a mapping"),
        ("table: [", "cannot be read as YAML"),
        (GOOD | {"expectations": []}, "expectations: Tuple should have at least 1 item"),
        (GOOD | {"table": "core.other"}, "table is 'core.other'; .* accepted: 'core.thing'"),
        (GOOD | {"tabel": "x"}, "tabel is 'x': Extra inputs are not permitted"),
        (GOOD | {"name": "x"}, "name: comes from the file's place and name"),
        (GOOD | {"date_column": "as_of_date"}, "stage core has no as-of date"),
        (GOOD | {"expectations": GOOD["expectations"] * 2}, "name id_present is used more than once"),
        (
            with_expectation(type="expect_magic"),
            "type is 'expect_magic': unknown type; accepted: unexpected_rows, ",
        ),
        (with_expectation(severity="fatal"), "severity is 'fatal': Input should be 'critical' or 'warning'"),
        (with_expectation(reason=None), "reason: Field required"),
        (with_expectation(kwargs={}), r"missing column; accepted: column, mostly \(optional\)"),
        (with_expectation(kwargs={"column": "id", "most": 1}), "unknown most; accepted: column, mostly"),
        (with_expectation(sql="select 1"), "takes kwargs, no sql"),
        (with_expectation(type="unexpected_rows"), "takes sql, no kwargs"),
        (with_expectation(type="unexpected_rows", kwargs={}), "needs sql: a query that must return no row"),
        (
            with_expectation(type="expect_column_values_to_be_between"),
            "give min_value, max_value or both, else nothing can fail",
        ),
        (
            with_expectation(type="unexpected_rows", kwargs={}, sql="select {as_of_date} from {batch}"),
            "id_present uses {as_of_date}, but core has no date",
        ),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: Any, message: str) -> None:
    file = write(tmp_path, content)
    with pytest.raises(SuiteError, match=message) as error:
        load_suites("core", tmp_path)
    assert str(error.value).startswith(str(file))


def test_a_dated_suite_needs_its_date_column(tmp_path: Path) -> None:
    write(tmp_path, GOOD | {"table": "marts.thing"}, stage="marts")
    with pytest.raises(SuiteError, match="date_column is missing"):
        load_suites("marts", tmp_path)


def test_a_stage_without_suites_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="holds no suite"):
        load_suites("kpi", tmp_path)


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(ValueError, match="'staging' is not a valid Stage"):
        load_suites("staging")


def test_only_placeholders_are_filled() -> None:
    sql = r"select * from {batch} where d = {as_of_date} and regexp_matches(k, '\d{4}') and k <> '{}'"
    assert render_sql(sql, batch="rows", as_of_date="date '2024-06-30'") == (
        r"select * from rows where d = date '2024-06-30' and regexp_matches(k, '\d{4}') and k <> '{}'"
    )


def test_a_stage_reaches_to_the_later_ones_of_its_kind() -> None:
    assert Stage.RAW.with_later() == (Stage.RAW, Stage.CORE)
    assert Stage.CORE.with_later() == (Stage.CORE,)
    assert Stage.MARTS.with_later() == (Stage.MARTS, Stage.ACTIVATION, Stage.KPI)
    assert Stage.KPI.with_later() == (Stage.KPI,)


def test_great_expectations_is_imported_by_the_run_alone() -> None:
    modules = ", ".join(f"pipelines.checks.{name}" for name in ("gates", "runner", "suites", "verdicts"))
    code = f"import sys, {modules}; sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
