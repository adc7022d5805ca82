"""The gates as Dagster knows them: one blocking check operation per stage, one check per suite.

A failed gate makes Dagster skip what depends on the stage's assets in the same run. Its verdicts are kept
before Dagster hears of them (see `verdicts`), so that later runs know them too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    Failure,
    MetadataValue,
    multi_asset_check,
)

from pipelines.account import EXPECTATIONS, spending
from pipelines.checks import verdicts as verdict_store
from pipelines.checks.runner import SuiteVerdict, run_suites
from pipelines.checks.stages import Stage
from pipelines.checks.suites import Suite, load_suites
from pipelines.partitions import required_dates_of

CHECK_NAME = "gate"


def build_gate(
    stage: Stage | str, asset_keys_by_table: Mapping[str, AssetKey], directory: Path | None = None
) -> AssetChecksDefinition:
    """The check operation of one stage, `gate_<stage>`, with one blocking check `gate` per suite.

    It needs the resource `warehouse`, whose `connect()` is a context manager that yields the connection.

    Args:
        stage: the stage whose suites are run.
        asset_keys_by_table: asset of each table, by `<schema>.<table>`; tables without a suite are ignored.
        directory: folder of the suites, see `load_suites`.

    Raises:
        SuiteError: a suite of the stage is not valid.
        ValueError: a suite guards a table that has no asset.
    """
    stage = Stage(stage)
    suites = {}
    for suite in load_suites(stage, directory):
        if suite.table not in asset_keys_by_table:
            raise ValueError(
                f"suite {stage}/{suite.name}.yaml guards {suite.table}, which is no asset; "
                f"assets are: {', '.join(sorted(asset_keys_by_table))}"
            )
        suites[AssetCheckKey(asset_keys_by_table[suite.table], CHECK_NAME)] = suite

    @multi_asset_check(
        name=f"gate_{stage}",
        description=f"Gate of stage {stage}: runs its suites and stops what follows when one fails.",
        specs=[
            AssetCheckSpec(
                CHECK_NAME,
                asset=key.asset_key,
                description=suite.description,
                blocking=True,
                metadata={"owner": suite.owner, "expectations": len(suite.expectations)},
            )
            for key, suite in suites.items()
        ],
        can_subset=True,
        compute_kind="greatexpectations",
        required_resource_keys={"warehouse"},
    )
    def gate(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        selected = [suite for key, suite in suites.items() if key in context.selected_asset_check_keys]
        dates: Sequence[date | None] = [None]
        if stage.dated:
            dates = required_dates_of(context.run.tags, f"the gate of stage {stage}")
        with context.resources.warehouse.connect() as con:
            with spending(EXPECTATIONS):
                verdicts = run_suites(con, selected, dates)
            verdict_store.ensure_tables(con)
            verdict_store.record(con, context.run.run_id, verdicts, datetime.now(UTC))
        by_suite = defaultdict(list)
        for verdict in verdicts:
            by_suite[verdict.suite].append(verdict)
        for suite in selected:
            result = check_result(suite, asset_keys_by_table[suite.table], by_suite[suite.name])
            (context.log.debug if result.passed else context.log.warning)(result.description)
            yield result

    return gate


def require_passed(con: Any, stages: Sequence[Stage], as_of_date: date | None, what: str) -> None:
    """`verdicts.require` for an asset: the refusal is the step's failure, without a stack of frames.

    Raises:
        Failure: a suite of the stages has failed, was revoked, or was never checked.
    """
    try:
        verdict_store.require(con, stages, as_of_date, what)
    except verdict_store.GateRefused as refusal:
        raise Failure(str(refusal)) from refusal


def check_result(suite: Suite, asset_key: AssetKey, verdicts: Sequence[SuiteVerdict]) -> AssetCheckResult:
    """What Dagster shows of a suite's verdicts, one per date.

    Only a failed verdict has the severity that blocks; a suite with nothing but warnings is shown as not
    passed with severity WARN, which blocks nothing.
    """
    blocked = any(not verdict.passed for verdict in verdicts)
    warnings = sum(verdict.warnings for verdict in verdicts)
    metadata: dict[str, Any] = {
        "expectations": len(suite.expectations),
        "failed": sum(verdict.failed for verdict in verdicts),
        "errored": sum(verdict.errored for verdict in verdicts),
        "warnings": warnings,
    }
    failing_dates = [str(v.as_of_date) for v in verdicts if not v.passed and v.as_of_date is not None]
    if failing_dates:
        metadata["failing_dates"] = ", ".join(failing_dates)
    if any(verdict.details for verdict in verdicts):
        metadata["findings"] = MetadataValue.md(_findings_table(verdicts))
    return AssetCheckResult(
        asset_key=asset_key,
        check_name=CHECK_NAME,
        passed=not blocked and not warnings,
        severity=AssetCheckSeverity.ERROR if blocked else AssetCheckSeverity.WARN,
        description=_summary(suite, verdicts),
        metadata=metadata,
    )


def _summary(suite: Suite, verdicts: Sequence[SuiteVerdict]) -> str:
    """One line: what failed and what to do."""
    findings = [(verdict, finding) for verdict in verdicts for finding in verdict.details]
    when = "" if len(verdicts) == 1 else f" on {len(verdicts)} dates"
    if not findings:
        return f"{suite.table}: all {len(suite.expectations)} expectations met{when}"
    findings.sort(key=lambda pair: not pair[1].fails_gate)
    verdict, first = findings[0]
    day = "" if verdict.as_of_date is None else f" for {verdict.as_of_date}"
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    outcome = "failed" if first.fails_gate else "warning"
    return (
        f"{suite.table}{day}: {outcome}: {first.expectation} ({first.error or first.observed}){more}. "
        f"Remedy: {first.remedy}"
    )


def _findings_table(verdicts: Sequence[SuiteVerdict]) -> str:
    lines = [
        "| date | expectation | severity | column | observed | reason | remedy | examples |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        for finding in verdict.details:
            cells = [
                verdict.as_of_date or "",
                finding.expectation,
                "error" if finding.error else finding.severity,
                finding.column or "",
                finding.error or finding.observed,
                finding.reason,
                finding.remedy,
                "; ".join(", ".join(f"{k}={v}" for k, v in row.items()) for row in finding.examples),
            ]
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
