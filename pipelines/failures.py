"""Why a run failed, from Dagster's events, in words that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEventType

SUMMARY_STEP = "reports__run_summary"
"""The step that says what is missing at the end of a run."""

if TYPE_CHECKING:
    from dagster import DagsterEvent
    from dagster._utils.error import SerializableErrorInfo


@dataclass(frozen=True)
class Cause:
    """One thing that went wrong in a run.

    Attributes:
        message: what a person can act on.
        kind: name of the exception's class; `Failure` and `gate` are worded by this project.
        step: where it happened; None for the run as a whole.
    """

    message: str
    kind: str
    step: str | None = None


def causes(events: Iterable[DagsterEvent]) -> list[Cause]:
    """What went wrong in a run: its failed steps, then its failed checks, or else the run itself.

    Args:
        events: of the run, in order; all of them or those of failures and checks.
    """
    steps, checks, runs = [], [], []
    for event in events:
        if event.is_step_failure and not _is_gate_failure(event):
            steps.append(_of_step(event))
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR:
                checks.append(Cause(_of_check(evaluation), "gate", event.step_key))
        elif event.is_job_failure:
            # What a run that did not get what its steps need, such as the warehouse, has to say.
            runs.append(_of_run(event))
    # That something is missing after a failure follows from the failure.
    first = [each for each in [*steps, *checks] if each.step != SUMMARY_STEP]
    return first or steps or runs


def _is_gate_failure(event: DagsterEvent) -> bool:
    """Dagster's word that a blocking check failed; the check itself says what and why."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name == "DagsterAssetCheckFailedError"


def _of_step(event: DagsterEvent) -> Cause:
    """The innermost cause is what a person can act on; Dagster wraps it once or twice."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return Cause(str(data.user_failure_data.description).strip(), "Failure", event.step_key)
    return _innermost(data.error, event.step_key)


def _of_check(evaluation: AssetCheckEvaluation) -> str:
    asset = evaluation.asset_key.to_user_string()
    return evaluation.description or f"{asset}: dbt test {evaluation.check_name} failed"


def _of_run(event: DagsterEvent) -> Cause:
    # Who ends the record of a dead run gives a reason and no data.
    error = event.job_failure_data.error if event.event_specific_data else None
    return _innermost(error, None) if error is not None else Cause(event.message or "failed", "Failure")


def _innermost(error: SerializableErrorInfo | None, step: str | None) -> Cause:
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return Cause("failed without a message", "", step)
    return Cause(error.message.strip(), error.cls_name or "", step)
