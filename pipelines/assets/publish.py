"""Publishing the analysts' copy: what of the warehouse is public, and only after its gates."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    asset,
)

from pipelines.account import FILES, spending
from pipelines.assets.dbt import REBUILD_TAG
from pipelines.checks import verdicts
from pipelines.checks.gates import require_passed
from pipelines.checks.stages import DATED_STAGES, Stage
from pipelines.feeds.raw import INGESTION_COLUMNS
from pipelines.history import History, prune
from pipelines.jobs import ERASURE_TAG
from pipelines.partitions import required_dates_of
from pipelines.publication.publish import PublishedColumn, PublishedTable, publish
from pipelines.resources.warehouse import Warehouse
from pipelines.retries import passes, try_again
from pipelines.settings import Settings

PUBLISHED = AssetKey(["published", "winback_analytics"])


def build_publish(
    settings: Settings, manifest: Path, dates: PartitionsDefinition, upstream: Sequence[AssetKey]
) -> AssetsDefinition:
    """The asset of the analysts' copy.

    Args:
        settings: where the published file is, and for how long snapshots are kept.
        manifest: the parsed dbt project; its models say which tables and columns are public.
        dates: the as-of dates.
        upstream: all gated tables, and the audiences.
    """
    history = History(settings.lake_dir)

    @asset(
        key=PUBLISHED,
        deps=upstream,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="published",
        kinds={"duckdb"},
        owners=["team:data-engineering"],
        description=(
            "The analysts' copy: a DuckDB file that is replaced in one step, without clear personal data. "
            "Readers of the old file are not disturbed. Refuses when any gate has not passed, also when it "
            "is launched alone; the file then stays as it is."
        ),
    )
    def winback_analytics(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        days = required_dates_of(context.run.tags, "publishing")
        tables = published_tables(manifest)
        with spending(FILES), warehouse.connect() as con:
            for day in days:
                require_passed(con, list(Stage), day, "publishing")
            # Not before: a rebuild computes the recorded dates again, and movements are published for ever.
            history.record(con, days)
            pruned = prune(con, snapshots(manifest), settings.profile.history_days, days)
            pruned |= prune(con, snapshots(manifest, keep="newest"), 1, [max(days)])
            try:
                report = publish(
                    con,
                    settings.published_file,
                    [*tables, *QUALITY_TABLES],
                    dates=days,
                    full="true" in (context.run.tags.get(REBUILD_TAG), context.run.tags.get(ERASURE_TAG)),
                    allowed_dates=[*verdicts.passed_dates(con, DATED_STAGES), *_restored(con, history)],
                )
            except OSError as error:
                if passes(error):
                    try_again(context, error)
                raise
        for table, old in pruned.items():
            context.log.info(f"{table}: {len(old)} dates let go, {old[0]} to {old[-1]}")
        context.log.info(f"published {report.rows:,} rows in {report.seconds:.1f} s: {report.target}")
        return MaterializeResult(
            metadata={
                "file": MetadataValue.path(report.target),
                "dagster/row_count": report.rows,
                "size_bytes": report.size_bytes,
                "tables": MetadataValue.md(
                    "\n".join(
                        ["| table | rows | how |", "|---|---|---|"]
                        + [f"| {t.table} | {t.rows:,} | {t.mode.replace('_', ' ')} |" for t in report.tables]
                    )
                ),
            }
        )

    return winback_analytics


def _restored(con, history: History) -> list[date]:
    """Recorded dates that this warehouse never judged: all it has of them came back from the lake."""
    judged = {verdict.as_of_date for verdict in verdicts.newest(con)}
    return [day for day in history.dates() if day not in judged]


def _quality_table(
    name: str, comment: str, columns: Mapping[str, tuple[str, str]], key: tuple[str, ...]
) -> PublishedTable:
    published = tuple(PublishedColumn(column, kind, text) for column, (kind, text) in columns.items())
    return PublishedTable("quality", name, comment, published, key)


QUALITY_TABLES = (
    _quality_table("gate_results", verdicts.COMMENT, verdicts.COLUMNS, ("stage", "suite", "as_of_date")),
    _quality_table(
        "ingestions",
        "Every accepted version of every source file, with what became of its rows",
        INGESTION_COLUMNS,
        ("feed", "ingestion_id"),
    ),
)


def published_tables(manifest: Path) -> list[PublishedTable]:
    """The public interface: dbt models with `meta: {published: true}`, but for columns marked otherwise."""
    return [
        PublishedTable(
            schema=node["schema"],
            name=node["name"],
            comment=node["description"],
            columns=tuple(
                PublishedColumn(column["name"], column["data_type"], column["description"])
                for column in node["columns"].values()
                if column["config"].get("meta", {}).get("published", True)
            ),
            key=tuple(node["config"]["meta"].get("key", ())),
            date_column=node["config"]["meta"].get("date_column"),
        )
        for node in _published_nodes(manifest)
    ]


def snapshots(manifest: Path, keep: Literal["history", "newest"] = "history") -> list[tuple[str, str, str]]:
    """Schema, name and date column of the tables whose old dates are let go.

    Args:
        manifest: the parsed dbt project; `meta: {keep: ...}` of a model says how long, by default `history`.
        keep: those that are kept for the profile's `history_days`, or the newest date's alone. Month-ends of
            both stay; a model with `keep: forever` is in neither.
    """
    return [
        (node["schema"], node["name"], node["config"]["meta"]["date_column"])
        for node in _published_nodes(manifest)
        if "date_column" in node["config"]["meta"] and node["config"]["meta"].get("keep", "history") == keep
    ]


def _published_nodes(manifest: Path) -> list[dict[str, Any]]:
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    models = [node for node in nodes if node["config"].get("meta", {}).get("published")]
    return sorted(models, key=lambda node: (node["schema"], node["name"]))
