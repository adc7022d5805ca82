"""Gates inside Dagster: a failed one stops what follows, and its verdict outlives the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pytest
from dagster import (
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    AssetSelection,
    ConfigurableResource,
    DailyPartitionsDefinition,
    Definitions,
    ExecuteInProcessResult,
    asset,
    define_asset_job,
    in_process_executor,
)

from pipelines.checks.gates import build_gate
from pipelines.checks.verdicts import GateRefused, newest, require
from pipelines.partitions import dates_of

SUITE = """
table: {table}
owner: somebody
description: Things have names.
{date_column}
expectations:
  - name: name_present
    type: expect_column_values_to_not_be_null
    kwargs: {{column: name}}
    severity: critical
    reason: Nameless things | get lost.
    remedy: Name them.
  - name: few
    type: expect_table_row_count_to_be_between
    kwargs: {{max_value: 2}}
    severity: warning
    reason: Many things are dear.
    remedy: Count them.
"""
KEYS = {
    "core.thing": AssetKey(["core", "thing"]),
    "core.other": AssetKey(["core", "other"]),
    "marts.thing": AssetKey(["marts", "thing"]),
    "staging.thing": AssetKey(["staging", "thing"]),
}
DAYS = DailyPartitionsDefinition(start_date="2024-06-01", end_date="2024-07-01")


class FileWarehouse(ConfigurableResource):
    """A warehouse as the gates see it."""

    file: str

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(self.file) as con:
            yield con


@pytest.fixture
def warehouse(tmp_path: Path) -> FileWarehouse:
    resource = FileWarehouse(file=str(tmp_path / "w.duckdb"))
    with resource.connect() as con:
        con.execute(
            """
            create schema core; create schema marts;
            create table core.thing as select 'Anna' as name;
            create table core.other as select 'Anna' as name;
            create table marts.thing as
            select day::date as as_of_date, 'Anna' as name
            from range(date '2024-06-01', date '2024-06-04', interval 1 day) as days (day)
            """
        )
    return resource


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    for table in ("core.thing", "core.other", "marts.thing"):
        stage, name = table.split(".")
        date_column = "date_column: as_of_date" if stage == "marts" else ""
        folder = tmp_path / "expectations" / stage
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(
            SUITE.format(table=table, date_column=date_column), encoding="utf-8"
        )
    return tmp_path / "expectations"


@pytest.fixture
def definitions(warehouse: FileWarehouse, suites: Path) -> Definitions:
    @asset(key=KEYS["core.thing"])
    def core_thing() -> None: ...

    @asset(key=KEYS["core.other"])
    def core_other() -> None: ...

    @asset(key=KEYS["marts.thing"], deps=[KEYS["core.thing"]], partitions_def=DAYS)
    def marts_thing() -> None: ...

    @asset(deps=[KEYS["marts.thing"]])
    def audience(context: AssetExecutionContext) -> None:
        context.add_output_metadata({"dates": [str(day) for day in dates_of(context.run.tags)]})

    return Definitions(
        assets=[core_thing, core_other, marts_thing, audience],
        asset_checks=[build_gate(stage, KEYS, directory=suites) for stage in ("core", "marts")],
        jobs=[define_asset_job("everything", AssetSelection.all(), partitions_def=DAYS)],
        resources={"warehouse": warehouse},
        executor=in_process_executor,
    )


def run(definitions: Definitions, **tags: str) -> ExecuteInProcessResult:
    names = {"partition": "dagster/partition", "start": "dagster/asset_partition_range_start"}
    names["end"] = "dagster/asset_partition_range_end"
    job = definitions.resolve_job_def("everything")
    return job.execute_in_process(
        raise_on_error=False, tags={names[key]: value for key, value in tags.items()}
    )


def materialised(result: ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def spoil(warehouse: FileWarehouse, sql: str) -> None:
    with warehouse.connect() as con:
        con.execute(sql)


def test_good_data_passes_and_everything_runs(definitions: Definitions, warehouse: FileWarehouse) -> None:
    result = run(definitions, partition="2024-06-01")
    assert result.success
    assert materialised(result) == {"core/thing", "core/other", "marts/thing", "audience"}
    evaluations = result.get_asset_check_evaluations()
    assert {(e.asset_key.to_user_string(), e.check_name, e.passed) for e in evaluations} == {
        ("core/thing", "gate", True),
        ("core/other", "gate", True),
        ("marts/thing", "gate", True),
    }
    with warehouse.connect() as con:
        kept = newest(con)
    assert {(v.stage, v.suite, v.as_of_date, v.passed, v.run_id) for v in kept} == {
        ("core", "thing", None, True, result.run_id),
        ("core", "other", None, True, result.run_id),
        ("marts", "thing", date(2024, 6, 1), True, result.run_id),
    }


def test_a_failed_gate_stops_what_follows_and_is_kept(
    definitions: Definitions, warehouse: FileWarehouse, suites: Path
) -> None:
    spoil(warehouse, "update core.thing set name = null")
    result = run(definitions, partition="2024-06-01")
    assert not result.success
    assert materialised(result) == {"core/thing", "core/other"}
    failed = next(e for e in result.get_asset_check_evaluations() if not e.passed)
    assert failed.severity == AssetCheckSeverity.ERROR
    assert failed.description == (
        "core.thing: failed: name_present (1 of 1 rows unexpected). Remedy: Name them."
    )
    findings = str(failed.metadata["findings"].value)
    assert "| name_present | critical | name | 1 of 1 rows unexpected |" in findings
    assert "Nameless things \\| get lost." in findings
    with warehouse.connect() as con, pytest.raises(GateRefused, match=result.run_id):
        require(con, ["core"], None, "Publishing", directory=suites)


def test_a_gate_that_cannot_read_its_table_stops_too(
    definitions: Definitions, warehouse: FileWarehouse
) -> None:
    spoil(warehouse, "drop table core.thing")
    result = run(definitions, partition="2024-06-01")
    assert materialised(result) == {"core/thing", "core/other"}


def test_a_warning_is_seen_and_stops_nothing(definitions: Definitions, warehouse: FileWarehouse) -> None:
    spoil(warehouse, "insert into core.thing select 'Bob' from range(5)")
    result = run(definitions, partition="2024-06-01")
    assert result.success
    assert "audience" in materialised(result)
    (warned,) = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert warned.severity == AssetCheckSeverity.WARN
    assert "core.thing: warning: few (6). Remedy: Count them." in str(warned.description)
    with warehouse.connect() as con:
        assert all(verdict.passed for verdict in newest(con))


def test_a_range_is_checked_date_by_date(definitions: Definitions, warehouse: FileWarehouse) -> None:
    spoil(warehouse, "update marts.thing set name = null where as_of_date = date '2024-06-02'")
    result = run(definitions, start="2024-06-01", end="2024-06-03")
    assert "audience" not in materialised(result)
    failed = next(e for e in result.get_asset_check_evaluations() if not e.passed)
    assert failed.asset_key == KEYS["marts.thing"]
    assert failed.metadata["failing_dates"].value == "2024-06-02"
    with warehouse.connect() as con:
        marts = {v.as_of_date: v.passed for v in newest(con) if v.stage == "marts"}
    assert marts == {date(2024, 6, 1): True, date(2024, 6, 2): False, date(2024, 6, 3): True}


def test_unpartitioned_assets_know_the_dates_of_the_run(definitions: Definitions) -> None:
    result = run(definitions, start="2024-06-01", end="2024-06-03")
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == AssetKey("audience")]
    dates = event.materialization.metadata["dates"].value
    assert dates == ["2024-06-01", "2024-06-02", "2024-06-03"]


def test_a_dated_gate_without_a_date_says_what_to_do(definitions: Definitions) -> None:
    result = run(definitions)
    assert not result.success
    failures = [e for e in result.all_events if e.is_step_failure and e.step_key == "gate_marts"]
    assert "Launch it for a partition" in str(failures[0].step_failure_data.user_failure_data)


def test_one_check_can_run_alone(definitions: Definitions, warehouse: FileWarehouse) -> None:
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[KEYS["core.other"]]
    )
    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.asset_key == KEYS["core.other"]
    with warehouse.connect() as con:
        assert [verdict.suite for verdict in newest(con)] == ["other"]


def test_a_suite_without_an_asset_is_an_error(suites: Path) -> None:
    with pytest.raises(ValueError, match=r"core/other.yaml guards core.other, which is no asset"):
        build_gate("core", {"core.thing": KEYS["core.thing"]}, directory=suites)
