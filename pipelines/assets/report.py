"""The report of a date, from the published copy: what it shows is what analysts can query."""

import csv
from collections.abc import Sequence

import duckdb
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

from pipelines.partitions import required_dates_of
from pipelines.report import PolicyWords, write_report
from pipelines.settings import Settings

REPORT = AssetKey(["reports", "daily_report"])


def build_report(
    settings: Settings, dates: PartitionsDefinition, upstream: Sequence[AssetKey]
) -> AssetsDefinition:
    """The asset of the HTML report, one page per date.

    Args:
        settings: where the published copy and the reports are.
        dates: the as-of dates.
        upstream: the published copy.
    """

    @asset(
        key=REPORT,
        deps=upstream,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="reports",
        kinds={"html"},
        owners=["team:marketing"],
        description="One self-contained HTML page per date: classes, who sleeps and why, how well that was "
        "foretold, decisions, data quality.",
    )
    def daily_report(context: AssetExecutionContext) -> MaterializeResult:
        written = []
        with duckdb.connect(str(settings.published_file), read_only=True) as con:
            for day in required_dates_of(context.run.tags, "the report"):
                written.append(
                    write_report(
                        con,
                        day,
                        title=settings.profile.title,
                        currency=settings.profile.currency,
                        folder=settings.reports_dir,
                        language=settings.profile.activation.language,
                        policy=_policy_words(settings),
                    )
                )
                context.log.info(f"report {day}: {written[-1].page}")
        return MaterializeResult(
            metadata={
                "page": MetadataValue.path(written[-1].page),
                **{f"chart: {name}": MetadataValue.path(file) for name, file in written[-1].charts.items()},
            }
        )

    return daily_report


def _policy_words(settings: Settings) -> PolicyWords:
    """What the policy's tables say of its codes, in both languages."""
    return PolicyWords(
        reason_codes=_words(settings, "reason_code", "description"),
        journeys=_words(settings, "journey", "name"),
        offers=_words(settings, "offer", "name"),
    )


def _words(settings: Settings, table: str, column: str) -> dict[str, tuple[str, str]]:
    """A column of a policy table in English and Chinese, by the key of the table, its first column."""
    seed = settings.dbt_dir / "seeds" / "policy" / f"{table}.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        [key, *_] = rows.fieldnames or [""]
        return {row[key]: (row[column], row[f"{column}_zh"]) for row in rows}
