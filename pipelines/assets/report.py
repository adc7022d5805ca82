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
from pipelines.report import write_report
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
        kinds={"html", "altair"},
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
                        reason_descriptions=_reasons(settings),
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


def _reasons(settings: Settings) -> dict[str, str]:
    """The words of the policy for each reason code."""
    seed = settings.dbt_dir / "seeds" / "policy" / "reason_code.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        return {row["reason_code"]: row["description"] for row in csv.DictReader(file)}
