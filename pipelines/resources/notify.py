"""Notices of failed runs: from Dagster's records to `pipelines.notices`, for the daemon and the commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, Failure

from pipelines.failures import Cause, causes
from pipelines.notices.journal import Journal
from pipelines.notices.notice import Notice, shortened
from pipelines.partitions import dates_of

if TYPE_CHECKING:
    from pipelines.settings import Settings

_EVENTS = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.RUN_FAILURE,
}
# Worded by this project: `shortened` then leaves the names of columns, tables and files in them.
_OURS = frozenset({"Failure", "gate", "WarehouseBusy", "WarehouseNotLocked", "WrongShop", "ConfigError"})


def journal(settings: Settings) -> Journal:
    """The notices of a data home."""
    return Journal(settings.notices_file, list(settings.notices), os.environ)


def report_failures(
    instance: DagsterInstance, run_ids: Sequence[str], settings: Settings, log: Callable[[str], object]
) -> None:
    """Send a notice of each of these runs that failed, unless one was sent.

    Nothing fails because nobody could be told: what became of a notice is logged, and stands in the file.

    Args:
        instance: which has their records.
        run_ids: of runs that have ended.
        settings: the shop, its data home and its webhooks.
        log: gets a line for each webhook that did not take a notice.
    """
    for run_id in run_ids:
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status == DagsterRunStatus.FAILURE:
            send(notice_of(run, instance, settings), settings, log)


def send(notice: Notice, settings: Settings, log: Callable[[str], object]) -> None:
    """Send a notice, unless one of the same key was sent; logs what did not work."""
    try:
        outcomes = journal(settings).send(notice)
    except OSError as error:
        log(f"the notice of {notice.title!r} could not be kept: {error.strerror} ({settings.notices_file})")
        return
    for channel, outcome in (outcomes or {}).items():
        if outcome != "sent":
            log(f"the notice did not reach {channel}: {outcome}; it is in {settings.notices_file}")


def notice_of(run: DagsterRun, instance: DagsterInstance, settings: Settings) -> Notice:
    """What to say of a failed run."""
    records = instance.get_records_for_run(run.run_id, of_type=_EVENTS).records
    events = [record.event_log_entry.dagster_event for record in records]
    found = causes(event for event in events if event is not None)
    first = found[0] if found else Cause("failed without a message", "")
    dates = _dates(run)
    when = f" for {dates[0]}" if len(dates) == 1 else f" for {dates[0]} to {dates[-1]}" if dates else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Notice(
        key=run.run_id,
        event="run_failed",
        profile=settings.profile.name,
        title=f"{settings.profile.name}: {_name(run)}{when} failed",
        error=shortened(first.message, is_ours=first.kind in _OURS) + more,
        what_to_do=_remedy(run, first, dates),
        occurred_at=datetime.now(UTC),
        job=_name(run),
        run_id=run.run_id,
        step=first.step,
        first_date=dates[0] if dates else None,
        last_date=dates[-1] if dates else None,
        link=f"{settings.ui_url}/runs/{run.run_id}" if settings.ui_url else None,
    )


def _name(run: DagsterRun) -> str:
    return "materialization" if run.job_name.startswith("__ASSET_JOB") else run.job_name


def _dates(run: DagsterRun) -> list[date]:
    try:
        return dates_of(run.tags)
    except Failure:  # a tag that is no date; the run's own error says so
        return []


def _remedy(run: DagsterRun, cause: Cause, dates: Sequence[date]) -> str:
    asked = ""
    if dates:
        asked = f"--date {dates[0]}" if len(dates) == 1 else f"--from {dates[0]} --to {dates[-1]}"
    again = _AGAIN.get(run.job_name, "launch it again in the UI").format(dates=asked)
    if cause.kind == "gate":
        return f"Follow the remedy, then {again}. Until then nothing that comes after the gate goes out."
    if cause.kind == "WarehouseBusy":
        return f"Wait for the run that holds the warehouse, or end it; then {again}."
    if "is marked as ended" in cause.message:
        return f"Its process was killed or the machine restarted; nothing is left to clean up: {again}."
    if cause.kind == "Failure":
        return f"Mend what the error names, then {again}."
    return f"Look at the run's log in the UI, then {again}."


_AGAIN = {
    "daily_recall": "run: winback run {dates}",
    "scrub": "run: winback scrub",
    "kpi_refresh": "run: winback refresh",
}
