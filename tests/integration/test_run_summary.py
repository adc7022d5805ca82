"""The end of a run: what was planned and not made is told, in whole runs, in parts of them and in ranges."""

import warnings

import pytest
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetOut,
    AssetSelection,
    BackfillPolicy,
    BetaWarning,
    DagsterInstance,
    DailyPartitionsDefinition,
    Definitions,
    Failure,
    MaterializeResult,
    Output,
    asset,
    define_asset_job,
    in_process_executor,
    mem_io_manager,
    multi_asset,
)

from pipelines.assets.run_summary import RUN_SUMMARY, build_run_summary
from pipelines.failures import causes
from pipelines.retries import try_again

DATES = DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")
RANGE = {
    "dagster/asset_partition_range_start": "2024-01-01",
    "dagster/asset_partition_range_end": "2024-01-03",
}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)
        yield


@pytest.fixture
def instance(tmp_path):
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def job(*, forgets=(), fails=0):
    """A job of a source, two tables of one step, and a dated one.

    Args:
        forgets: tables that are not made, without an error.
        fails: how often the source fails for a reason that may pass.
    """
    left = [fails]

    @asset(backfill_policy=BackfillPolicy.single_run())
    def source(context: AssetExecutionContext) -> MaterializeResult:
        if left[0]:
            left[0] -= 1
            if fails < 100:
                try_again(context, OSError("away for a moment"))
            raise Failure("no such file")
        return MaterializeResult(metadata={"dagster/row_count": 7})

    @multi_asset(
        outs={name: AssetOut(is_required=False) for name in ("left", "right")},
        deps=[source],
        can_subset=True,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def tables(context):
        for name in sorted(context.selected_output_names):
            if name not in forgets:
                yield Output(None, name, metadata={"dagster/row_count": 5})

    @multi_asset(
        outs={"dated": AssetOut(is_required=False)},
        deps=["left", "right"],
        partitions_def=DATES,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def dated():
        if "dated" not in forgets:
            yield Output(None, "dated")

    definitions = Definitions(
        # Made first of all, so that its place in the order is its own doing.
        assets=[build_run_summary(DATES), source, tables, dated],
        jobs=[define_asset_job("all", AssetSelection.all(), partitions_def=DATES)],
        executor=in_process_executor,
        resources={"io_manager": mem_io_manager},
    )
    return definitions.resolve_job_def("all")


def shown(result):
    (made,) = result.asset_materializations_for_node("reports__run_summary")
    return {name: value.value for name, value in made.metadata.items()}


def test_a_whole_run_is_counted(instance):
    result = job().execute_in_process(instance=instance, partition_key="2024-01-01")

    summary = shown(result)
    assert (summary["assets"], summary["materialisations"], summary["rows"]) == (4, 4, 17)
    assert [line.split("|")[1:5] for line in summary["steps"].splitlines()[2:]] == [
        [" source ", " 1 ", " 1 ", " 7 "],
        [" tables ", " 2 ", " 2 ", " 10 "],
        [" dated ", " 1 ", " 1 ", " 0 "],
    ]
    assert summary["seconds"] >= 0


@pytest.mark.parametrize(
    ("forgets", "message"),
    [
        (
            ["dated"],
            "1 planned materialisations are missing, and no step failed: dated (2024-01-01)",
        ),
        # Dagster then leaves out what depends on it, and would call the run a success.
        (
            ["right"],
            "2 planned materialisations are missing, and no step failed: dated (2024-01-01); right. "
            "Dagster has left out: dated",
        ),
    ],
)
def test_what_was_forgotten_without_an_error_makes_the_run_red(instance, forgets, message):
    result = job(forgets=forgets).execute_in_process(
        instance=instance, partition_key="2024-01-01", raise_on_error=False
    )

    assert not result.success
    (cause,) = causes(result.all_events)
    assert (cause.step, cause.message) == ("reports__run_summary", message)


def test_after_a_failure_it_says_how_much_is_missing_and_the_cause_comes_first(instance):
    result = job(fails=100).execute_in_process(
        instance=instance, partition_key="2024-01-01", raise_on_error=False
    )

    (cause,) = causes(result.all_events)
    assert (cause.step, cause.message) == ("source", "no such file")
    said = [event.step_failure_data for event in result.all_events if event.is_step_failure][-1]
    assert said.user_failure_data.description == (
        "4 of 4 planned materialisations were not made, after failed steps: source"
    )


def test_it_waits_for_a_step_that_is_tried_again(instance, monkeypatch):
    """Meanwhile nothing else can be done, and it would be its turn."""
    monkeypatch.setattr("pipelines.retries.WAIT_SECONDS", 0.3)
    monkeypatch.setattr("pipelines.assets.run_summary.WAIT_SECONDS", 0.1)
    result = job(fails=2).execute_in_process(instance=instance, partition_key="2024-01-01")

    assert shown(result)["assets"] == 4
    retried = [event.step_key for event in result.all_events if event.is_step_up_for_retry]
    assert retried.count("source") == 2 and retried.count("reports__run_summary") > 0


def test_a_range_is_one_run_and_names_its_missing_dates(instance):
    done = job().execute_in_process(instance=instance, tags=RANGE)
    summary = [event for event in done.get_asset_materialization_events() if event.asset_key == RUN_SUMMARY]
    lost = job(forgets=["dated"]).execute_in_process(instance=instance, tags=RANGE, raise_on_error=False)

    assert done.success and len(summary) == 3
    (cause,) = causes(lost.all_events)
    assert cause.message.endswith("dated (2024-01-01, 2024-01-02, 2024-01-03)")


@pytest.mark.parametrize("names", [["left"], ["left", "right"], ["dated"], []])
def test_a_part_of_the_job_is_judged_by_its_own_plan(instance, names):
    """The summary comes last, whichever part somebody has launched."""
    selected = [*(AssetKey(name) for name in names), RUN_SUMMARY]
    result = job().execute_in_process(instance=instance, partition_key="2024-01-01", asset_selection=selected)
    lost = job(forgets=names).execute_in_process(
        instance=instance, partition_key="2024-01-01", asset_selection=selected, raise_on_error=False
    )

    assert shown(result)["assets"] == len(names)
    assert lost.success == (not names)
