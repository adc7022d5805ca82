"""Several dates as one range: one run, and the same results as one run after the other."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, instance_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.client.query import LAUNCH_PARTITION_BACKFILL_MUTATION
from dagster_graphql.test.utils import execute_dagster_graphql
from story import MONDAY, OUTCOMES, SATURDAY, SUNDAY, Moment, Story

from pipelines.resources.instance import open_instance
from pipelines.settings import PROJECT_DIR

pytestmark = pytest.mark.xdist_group("story")

DAYS = (SATURDAY, SUNDAY, MONDAY)
RANGE_TAGS = {
    "dagster/asset_partition_range_start": str(SATURDAY),
    "dagster/asset_partition_range_end": str(MONDAY),
}


@pytest.fixture(scope="module")
def ranged(story: Story, tmp_path_factory):
    """A home of the story's shop in which the three dates of its beginning were run as one range."""
    home = type(story.home)(story.home.shop, tmp_path_factory.mktemp("ranged") / "home")
    assert home.run("--from", str(SATURDAY), "--to", str(MONDAY)) == 0
    return home


@pytest.fixture(scope="module")
def moment(ranged) -> Moment:
    return Moment.of(ranged)


@pytest.fixture(scope="module")
def instance(ranged) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_config(str(ranged.settings.dagster_home)) as instance:
        yield instance


def test_a_range_is_one_run(instance: DagsterInstance) -> None:
    (run,) = instance.get_runs()
    assert run.status == DagsterRunStatus.SUCCESS
    assert run.job_name == "daily_recall"
    assert run.tags.items() >= RANGE_TAGS.items()


def test_each_date_of_a_range_is_materialised(instance: DagsterInstance) -> None:
    for key in (["marts", "customer_rfm"], ["audiences", "recall"], ["reports", "daily_report"]):
        done = instance.get_materialized_partitions(AssetKey(key))
        assert done == {str(day) for day in DAYS}, key


def test_the_dates_need_two_weekly_fits(moment: Moment) -> None:
    used = {row["model_version"] for row in moment.records("marts.customer_dormancy")}
    fitted_on = {row["model_version"][:10] for row in moment.records("marts.dormancy_model")}
    assert {version[:10] for version in used if version} == fitted_on == {"2024-06-02", "2024-06-09"}


def test_a_range_gives_the_tables_of_one_run_after_the_other(story: Story, moment: Moment) -> None:
    one_by_one = story["monday"]
    for table in ("marts.customer_rfm", "marts.customer_dormancy", "kpi.dormancy_overview"):
        assert moment.dates(table) == set(DAYS), table
    for table, rows in one_by_one.tables.items():
        # What is decided follows from what was sent, and a range sends its last date alone.
        if table.split(".")[0] != "activation" and table not in ("quality.ingestions", *OUTCOMES):
            assert moment.tables[table] == rows, table


def test_a_range_decides_as_one_run_after_the_other_does_without_its_sends(
    story: Story, moment: Moment
) -> None:
    # Only the last date of a range is for real, so the dates before it sent nothing that would have to wait.
    compared = 0
    for day in DAYS:
        alone, ranged = story["monday"].decisions(day), moment.decisions(day)
        assert ranged.keys() == alone.keys()
        for customer, row in alone.items():
            if row["reason_code"] == "bought_since":
                # What happened in the night after a date stops what goes out, and no simulation.
                assert day != MONDAY
            elif row["reason_code"] in ("journey_waiting", "journey_done"):
                assert day != SATURDAY
                assert ranged[customer]["decision"] in ("send", "holdout"), (day, customer)
            else:
                assert _decision(ranged[customer]) == _decision(row), (day, customer)
                compared += 1
        if day == SATURDAY:
            assert {c: row["priority"] for c, row in ranged.items()} == {
                c: row["priority"] for c, row in alone.items()
            }
    assert compared > 500


def _decision(row: dict) -> dict:
    """A decision without who made it, whether it counts, and its rank among the others that go out."""
    return {name: value for name, value in row.items() if name not in ("simulated", "run_id", "priority")}


def test_only_the_last_date_of_a_range_is_sent(ranged, moment: Moment, instance: DagsterInstance) -> None:
    (run,) = instance.get_runs()
    made_by = {
        day: {(row["simulated"], row["run_id"]) for row in moment.decisions(day).values()} for day in DAYS
    }
    assert made_by == {SATURDAY: {(True, None)}, SUNDAY: {(True, None)}, MONDAY: {(False, run.run_id)}}
    assert {name.split("/")[1] for name in moment.emissions()} == {f"as_of={MONDAY}"}
    assert {name.split("/")[0] for name in moment.exports} == {f"as_of={MONDAY}"}


def test_a_backfill_launched_in_the_ui_is_the_run_that_the_command_makes(
    ranged, instance: DagsterInstance, tmp_path: Path, monkeypatch
) -> None:
    for name, value in ranged.environment.items():
        monkeypatch.setenv(name, value)
    (commanded,) = instance.get_runs()
    with _backfilled_by_the_daemon(tmp_path) as (other_instance, runs):
        (submitted,) = runs
        assert submitted.job_name == commanded.job_name
        assert submitted.tags.items() >= RANGE_TAGS.items()
        for run in (submitted, commanded):
            assert "dagster/partition" not in run.tags
            assert not run.asset_selection, "all of the job, not a part"
        assert _steps(other_instance, submitted) == _steps(instance, commanded)


def _steps(instance: DagsterInstance, run: DagsterRun) -> list[str]:
    assert run.execution_plan_snapshot_id is not None
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    return sorted(plan.step_keys_to_execute)


@contextmanager
def _backfilled_by_the_daemon(folder: Path) -> Iterator[tuple[DagsterInstance, list[DagsterRun]]]:
    """What the UI's button and the daemon after it submit for DAYS; nothing of it is executed."""
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(
            executable_path=sys.executable,
            python_file=str(PROJECT_DIR / "pipelines" / "definitions.py"),
            attribute="defs",
        ),
        location_name="winback",
    )
    launcher = {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}
    with (
        instance_for_test({"run_launcher": launcher}, temp_dir=str(folder)) as instance,
        create_test_daemon_workspace_context(_Target(origin), instance) as workspace,
    ):
        context = workspace.create_request_context()
        (location,) = context.code_locations
        (repository,) = location.get_repositories()
        selector = {
            "partitionSetName": "daily_recall_partition_set",
            "repositorySelector": {"repositoryLocationName": location.name, "repositoryName": repository},
        }
        answer = execute_dagster_graphql(
            context,
            LAUNCH_PARTITION_BACKFILL_MUTATION,
            {"backfillParams": {"selector": selector, "partitionNames": [str(day) for day in DAYS]}},
        ).data["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        assert list(execute_backfill_iteration(workspace, logging.getLogger(__name__))) == []
        yield instance, list(instance.get_runs())


class _Target(WorkspaceLoadTarget):
    """A code location in this process: a server of its own takes 15 s more to say the same."""

    def __init__(self, origin: InProcessCodeLocationOrigin) -> None:
        self._origin = origin

    def create_origins(self) -> list[InProcessCodeLocationOrigin]:
        return [self._origin]


def test_a_backfill_in_parts_gives_the_tables_of_one_run_and_sends_nothing(
    ranged, moment: Moment, tmp_path: Path, capfd
) -> None:
    home = type(ranged)(ranged.shop, tmp_path / "home")
    # The first part alone, as if the second had failed; the whole then goes on from there.
    asked = ("backfill", "--chunk", "2", "--from", str(SATURDAY), "--to")
    assert home.winback(*asked, str(SUNDAY)) == 0
    assert home.winback(*asked, str(MONDAY)) == 0
    assert home.winback(*asked, str(MONDAY)) == 0

    said = capfd.readouterr().out
    assert "2 dates, 0 of them computed before, 2 to do in 1 runs" in said
    assert "backfill: 2 of 2 dates (100%) in " in said
    assert "3 dates, 2 of them computed before, 1 to do in 1 runs" in said
    assert "3 dates, 3 of them computed before, 0 to do in 0 runs" in said
    parts = Moment.of(home)
    assert (parts.emissions(), parts.exports) == ({}, {})
    assert all(row["simulated"] for day in DAYS for row in parts.decisions(day).values())
    with open_instance(home.settings.dagster_home) as instance:
        assert instance.get_runs_count() == 2
    for table in ("marts.customer_rfm", "marts.customer_dormancy", "kpi.dormancy_overview"):
        assert parts.dates(table) == set(DAYS), table
    for table, rows in moment.tables.items():
        # Monday was for real in the one run: it saw the night after, and what it sent is in the measures.
        if table.split(".")[0] != "activation" and table not in ("quality.ingestions", *OUTCOMES):
            assert parts.tables[table] == rows, table
    for day in (SATURDAY, SUNDAY):
        ours, theirs = parts.decisions(day), moment.decisions(day)
        assert {c: _decision(row) for c, row in ours.items()} == {
            c: _decision(row) for c, row in theirs.items()
        }
