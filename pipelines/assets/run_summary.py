"""The end of a daily run: whether all that was planned was made, and what it took."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    DagsterEvent,
    DagsterEventType,
    Failure,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    RetryRequested,
    asset,
)
from dagster._core.storage.tags import PRIORITY_TAG

from pipelines.failures import SUMMARY_STEP
from pipelines.retries import WAIT_SECONDS

RUN_SUMMARY = AssetKey(["reports", "run_summary"])

_SHOWN = 20
_STATES = {
    DagsterEventType.STEP_START,
    DagsterEventType.STEP_RESTARTED,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SKIPPED,
    DagsterEventType.STEP_UP_FOR_RETRY,
}
_WANTED = _STATES | {DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION}


@dataclass
class Stage:
    """What a run did in one step.

    Attributes:
        step: its name.
        seconds: how long it took.
        planned: assets with the partitions that were planned; an unpartitioned asset has None.
        made: and those that were made.
        rows: of the assets that count theirs, in their newest materialisation.
    """

    step: str
    seconds: float = 0.0
    planned: set[tuple[AssetKey, str | None]] = field(default_factory=set)
    made: set[tuple[AssetKey, str | None]] = field(default_factory=set)
    rows: dict[AssetKey, int] = field(default_factory=dict)

    @property
    def missing(self) -> set[tuple[AssetKey, str | None]]:
        """Planned and not made; what was made as a whole counts for all partitions that were planned."""
        whole = {key for key, partition in self.made if partition is None}
        return {each for each in self.planned - self.made if each[0] not in whole}

    def plan(self, event: DagsterEvent) -> None:
        """Take in an event of a plan."""
        planned = event.asset_materialization_planned_data
        partitions = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else ()
        self.planned.update((planned.asset_key, key) for key in list(partitions) or [planned.partition])

    def record(self, event: DagsterEvent) -> None:
        """Take in an event of a materialisation."""
        materialization = event.step_materialization_data.materialization
        self.made.add((materialization.asset_key, materialization.partition))
        rows = materialization.metadata.get("dagster/row_count")
        if rows is not None and isinstance(rows.value, int):
            self.rows[materialization.asset_key] = rows.value


@dataclass
class Course:
    """How the steps of a run went.

    Attributes:
        stages: steps that make assets, in the order in which they began.
        failed: steps that failed.
        skipped: steps that Dagster left out because something that they need was not made.
        waiting: steps that will be tried again.
    """

    stages: list[Stage]
    failed: list[str]
    skipped: list[str]
    waiting: list[str]


def build_run_summary(dates: PartitionsDefinition) -> AssetsDefinition:
    """The asset that ends each daily run.

    It depends on no other asset. Dagster skips a step, and calls the run a success, when an optional output
    that it needs was not made, and the outputs of dbt are optional: a summary that depends on them would be
    skipped as well when it is needed. It comes last by its priority, of which the in-process executor starts
    the highest first.

    Args:
        dates: the as-of dates.
    """

    @asset(
        key=RUN_SUMMARY,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        op_tags={PRIORITY_TAG: "-1000"},
        group_name="reports",
        kinds={"dagster"},
        owners=["team:data-engineering"],
        description=(
            "The end of a run, whatever has become of it: compares the assets that Dagster planned for it "
            "with those that it has recorded as made, and fails with a list of what is missing. Shows how "
            "many assets and rows each step made, and how long it took."
        ),
    )
    def run_summary(context: AssetExecutionContext) -> MaterializeResult:
        course = course_of(_events(context), own=SUMMARY_STEP)
        if course.waiting:
            # Nothing else can be done meanwhile, so it is this step's turn, too early.
            raise RetryRequested(max_retries=20, seconds_to_wait=WAIT_SECONDS)
        shown = {"steps": MetadataValue.md(table(course.stages))}
        if message := _mismatch(course):
            raise Failure(message, metadata=shown)
        made = [each for stage in course.stages for each in stage.made]
        return MaterializeResult(
            metadata={
                "assets": len({key for key, _ in made}),
                "materialisations": len(made),
                "rows": sum(rows for stage in course.stages for rows in stage.rows.values()),
                "seconds": round(sum(stage.seconds for stage in course.stages), 1),
                **shown,
            }
        )

    return run_summary


def _mismatch(course: Course) -> str | None:
    missing = [each for stage in course.stages for each in stage.missing]
    if not missing:
        return None
    if course.failed:
        planned = sum(len(stage.planned) for stage in course.stages)
        return (
            f"{len(missing)} of {planned} planned materialisations were not made, after failed steps: "
            f"{', '.join(course.failed)}"
        )
    left_out = f". Dagster has left out: {', '.join(course.skipped)}" if course.skipped else ""
    what = f"{len(missing)} planned materialisations are missing, and no step failed"
    return f"{what}: {listed(missing)}{left_out}"


def _events(context: AssetExecutionContext) -> list[tuple[float, DagsterEvent]]:
    events: list[tuple[float, DagsterEvent]] = []
    cursor = None
    while True:
        found = context.instance.get_records_for_run(context.run_id, cursor, _WANTED)
        entries = [record.event_log_entry for record in found.records]
        events += [(each.timestamp, each.dagster_event) for each in entries if each.dagster_event]
        if not found.has_more:
            return events
        cursor = found.cursor


def course_of(events: Iterable[tuple[float, DagsterEvent]], own: str) -> Course:
    """How the steps of a run went.

    Args:
        events: time in seconds and event, in order.
        own: the step that asks, which is left out.
    """
    stages: dict[str, Stage] = {}
    states: dict[str, DagsterEventType] = {}
    started: dict[str, float] = {}
    for at, event in events:
        step = event.step_key
        if step is None or step == own:
            continue
        if event.event_type in _STATES:
            states[step] = event.event_type
            if event.event_type == DagsterEventType.STEP_START:
                started[step] = at
            elif event.event_type == DagsterEventType.STEP_SUCCESS:
                stages.setdefault(step, Stage(step)).seconds = at - started.get(step, at)
        elif event.event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            stages.setdefault(step, Stage(step)).plan(event)
        elif event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
            stages.setdefault(step, Stage(step)).record(event)
    order = [*started, *(step for step in stages if step not in started)]
    kept = [stages[step] for step in order if step in stages and (stages[step].planned or stages[step].made)]
    return Course(
        kept,
        failed=[step for step, state in states.items() if state == DagsterEventType.STEP_FAILURE],
        skipped=[step for step, state in states.items() if state == DagsterEventType.STEP_SKIPPED],
        waiting=[step for step, state in states.items() if state == DagsterEventType.STEP_UP_FOR_RETRY],
    )


def listed(missing: Iterable[tuple[AssetKey, str | None]]) -> str:
    """Assets with their partitions, in order, the first twenty of them."""
    partitions: dict[str, list[str]] = defaultdict(list)
    for key, partition in missing:
        partitions[key.to_user_string()] += [partition] if partition else []
    named = [
        f"{name} ({', '.join(sorted(found))})" if found else name
        for name, found in sorted(partitions.items())
    ]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{'; '.join(named[:_SHOWN])}{more}"


def table(stages: Sequence[Stage]) -> str:
    """The steps as Markdown."""
    lines = ["| step | planned | made | rows | seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| {stage.step} | {len(stage.planned):,} | {len(stage.made):,} | {sum(stage.rows.values()):,} "
        f"| {stage.seconds:.1f} |"
        for stage in stages
    ]
    return "\n".join(lines)
