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
    asset,
)

RUN_SUMMARY = AssetKey(["reports", "run_summary"])

_SHOWN = 20


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


def build_run_summary(dates: PartitionsDefinition, upstream: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset that ends each daily run.

    Args:
        dates: the as-of dates.
        upstream: all assets that it may have to judge: in any part of the job it comes last.
    """

    @asset(
        key=RUN_SUMMARY,
        deps=upstream,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="reports",
        kinds={"dagster"},
        owners=["team:data-engineering"],
        description=(
            "The end of a run: compares the assets that Dagster planned for it with those that it has "
            "recorded as made, and fails with a list of what is missing. Shows how many assets and rows "
            "each step made, and how long it took."
        ),
    )
    def run_summary(context: AssetExecutionContext) -> MaterializeResult:
        stages = stages_of(_events(context), own=RUN_SUMMARY)
        missing = [each for stage in stages for each in stage.missing]
        if missing:
            raise Failure(
                f"{len(missing)} planned materialisations are missing, and no step failed: {listed(missing)}",
                metadata={"steps": MetadataValue.md(table(stages))},
            )
        return MaterializeResult(
            metadata={
                "assets": len({key for stage in stages for key, _ in stage.made}),
                "materialisations": sum(len(stage.made) for stage in stages),
                "rows": sum(rows for stage in stages for rows in stage.rows.values()),
                "seconds": round(sum(stage.seconds for stage in stages), 1),
                "steps": MetadataValue.md(table(stages)),
            }
        )

    return run_summary


def _events(context: AssetExecutionContext) -> list[tuple[float, DagsterEvent]]:
    wanted = {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.STEP_START,
        DagsterEventType.STEP_SUCCESS,
    }
    events: list[tuple[float, DagsterEvent]] = []
    cursor = None
    while True:
        found = context.instance.get_records_for_run(context.run_id, cursor, wanted)
        entries = [record.event_log_entry for record in found.records]
        events += [(each.timestamp, each.dagster_event) for each in entries if each.dagster_event]
        if not found.has_more:
            return events
        cursor = found.cursor


def stages_of(events: Iterable[tuple[float, DagsterEvent]], own: AssetKey) -> list[Stage]:
    """The steps of a run, in the order in which they began.

    Args:
        events: time in seconds and event, in order.
        own: the asset that asks, which is planned and not made yet.
    """
    stages: dict[str, Stage] = defaultdict(lambda: Stage(""))
    started: dict[str, float] = {}
    for at, event in events:
        step = event.step_key or ""
        stage = stages[step]
        stage.step = step
        if event.event_type == DagsterEventType.STEP_START:
            started[step] = at
        elif event.event_type == DagsterEventType.STEP_SUCCESS:
            stage.seconds += at - started.get(step, at)
        elif event.asset_key == own or event.asset_key is None:
            continue
        elif event.event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            planned = event.asset_materialization_planned_data
            partitions = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else ()
            keys = list(partitions) or [planned.partition]
            stage.planned.update((event.asset_key, partition) for partition in keys)
        else:
            materialization = event.step_materialization_data.materialization
            stage.made.add((event.asset_key, materialization.partition))
            rows = materialization.metadata.get("dagster/row_count")
            if rows is not None and isinstance(rows.value, int):
                stage.rows[event.asset_key] = rows.value
    order = [*started, *(step for step in stages if step not in started)]
    return [stages[step] for step in order if stages[step].planned or stages[step].made]


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
