"""The report of a date, from the published copy: what it shows is what analysts can query."""

import base64
import csv
from collections.abc import Iterator, Sequence

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetObservation,
    AssetsDefinition,
    BackfillPolicy,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    asset,
)

from pipelines import account
from pipelines.partitions import required_dates_of
from pipelines.report import PolicyWords, Report, write_report
from pipelines.settings import Settings

REPORT = AssetKey(["reports", "daily_report"])

# What came in and what the gates said is no asset of its own.
_NO_ASSETS = "quality."


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
        description="One self-contained HTML page per date, in English and Chinese: targets, what recalls "
        "brought and cost, classes, who sleeps and why, how well that was foretold, decisions, data quality.",
    )
    def daily_report(context: AssetExecutionContext) -> MaterializeResult:
        written = []
        with (
            account.spending(account.REPORT),
            duckdb.connect(str(settings.published_file), read_only=True) as con,
        ):
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
        for observation in observations(written[-1]):
            context.log_event(observation)
        return MaterializeResult(
            metadata={
                "page": MetadataValue.path(written[-1].page),
                **{f"chart: {name}": MetadataValue.path(file) for name, file in written[-1].charts.items()},
            }
        )

    return daily_report


def observations(report: Report) -> Iterator[AssetObservation]:
    """The charts of a report for the assets that they describe, one for each, small enough for an event."""
    from pipelines.report.page import chart_png  # noqa: PLC0415 - loads what draws

    drawn = {section.published: section for section in reversed(report.sections) if section.chart is not None}
    for table, section in sorted(drawn.items()):
        image = chart_png(section, report.as_of_date.isoformat(), scale=1)
        if image is None or table.startswith(_NO_ASSETS):
            continue
        chart = f"![{section.title}](data:image/png;base64,{base64.b64encode(image).decode()})"
        yield AssetObservation(
            asset_key=AssetKey(table.split(".")),
            partition=report.as_of_date.isoformat(),
            metadata={"reading": section.reading, "chart": MetadataValue.md(chart)},
        )


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
