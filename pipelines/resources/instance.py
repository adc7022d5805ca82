"""The data home before a run: its folders, its Dagster instance, and runs that died without saying so."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.instance.ref import InstanceRef

from pipelines.resources.process import is_alive
from pipelines.resources.warehouse import PROCESS_TAG

if TYPE_CHECKING:
    from pipelines.settings import Settings

MARKER = "shop.json"

_KEPT_SCRATCH_RUNS = 20
_START_TIMEOUT_SECONDS = 900

_DAGSTER_YAML = """\
# Written when the data home was made; change it as you like, it is not written again.
telemetry:
  enabled: false
nux:
  enabled: false
# Steps report to the event log. Keeping what they print as well starts four processes per step.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
# The warehouse has one writer: a second run would only wait for it.
concurrency:
  runs:
    max_concurrent_runs: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 180
  # A day's run takes minutes; one of hours hangs.
  max_runtime_seconds: 21600
  poll_interval_seconds: 60
# A failed gate fails again; a step that may go well a minute later tries again by itself.
run_retries:
  enabled: false
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 90
"""


class WrongShop(RuntimeError):
    """The data home holds another shop's data; the message names both."""


def prepare_home(settings: Settings) -> None:
    """Make the data home ready: folders, `dagster.yaml`, and the marker that says whose home it is.

    What exists already keeps its content. Folders with personal data are closed to other users when they are
    made.

    Raises:
        WrongShop: the home was made for another profile.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    _mark(settings.home, settings.profile.name)
    for folder in (settings.published_file.parent, settings.reports_dir):
        _make(folder, 0o755)
    # Source systems of the same group drop their files here.
    _make(settings.landing_dir, 0o770)
    private = (
        settings.lake_dir,
        settings.warehouse_file.parent,
        settings.audiences_dir,
        settings.scratch_dir,
        settings.dagster_home,
    )
    for folder in private:
        _make(folder, 0o700)
    given = settings.dagster_yaml
    text = given.read_text(encoding="utf-8") if given else _DAGSTER_YAML
    _write_once(settings.dagster_home / "dagster.yaml", text)
    _remove_old_runs(settings.scratch_dir / "dbt")


def open_instance(dagster_home: Path) -> DagsterInstance:
    """The Dagster instance of a prepared home, with the quicker event log unless its settings name a storage.

    Args:
        dagster_home: folder of `dagster.yaml`.
    """
    home = str(dagster_home)
    found, defaults = InstanceRef.from_dir(home), InstanceRef.config_defaults(home)
    if found.storage_data != defaults["storage"]:
        return DagsterInstance.from_ref(found)
    event_log = defaults["event_log_storage"]
    quicker = {
        "module": "pipelines.resources.event_log",
        "class": "EventLog",
        "config": event_log.config_dict if event_log else {},
    }
    return DagsterInstance.from_ref(InstanceRef.from_dir(home, overrides={"event_log_storage": quicker}))


def mark_dead_runs(instance: DagsterInstance, log: Callable[[str], object]) -> list[str]:
    """End the records of runs whose process is gone (killed, or the machine was restarted).

    Dagster itself would show them as running for ever when no daemon watches, and count them against the
    limit of concurrent runs. A run that never came as far as the warehouse names no process; it is given up
    when it has been starting for a quarter of an hour.

    Args:
        log: gets a line for each run.

    Returns:
        Ids of the runs that were ended.
    """
    unfinished = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    ended = []
    for record in instance.get_run_records(RunsFilter(statuses=unfinished)):
        reason = _cause_of_death(record)
        if reason is None:
            continue
        run = record.dagster_run
        message = f"Run {run.run_id} is marked as ended: {reason}."
        if run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
        log(message)
        ended.append(run.run_id)
    return ended


def _cause_of_death(record: RunRecord) -> str | None:
    run = record.dagster_run
    if process := run.tags.get(PROCESS_TAG):
        if is_alive(process):
            return None
        pid = process.split(":")[1]
        return f"its process (pid {pid}) is gone without an end of the run; it was killed or crashed"
    waited_seconds = time.time() - record.update_timestamp.timestamp()
    if run.status == DagsterRunStatus.STARTED or waited_seconds < _START_TIMEOUT_SECONDS:
        return None
    return f"it has been {run.status.value.lower()} for {waited_seconds / 60:.0f} minutes without a process"


def _mark(home: Path, profile: str) -> None:
    path = home / MARKER
    _write_once(path, json.dumps({"profile": profile}, indent=2) + "\n")
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))["profile"]
    except (ValueError, KeyError, TypeError) as error:
        raise WrongShop(
            f'{path} is damaged; it should be {{"profile": <name>}} and say whose data {home} holds'
        ) from error
    if owner != profile:
        raise WrongShop(
            f"the data home {home} belongs to profile {owner!r}, and this run is for profile {profile!r}. "
            "Two shops never share tables: set WINBACK_DATA_DIR to another folder."
        )


def _make(folder: Path, mode: int) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)


def _write_once(path: Path, text: str) -> None:
    """Write a file whole unless it exists; of two processes at once, one writes."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


def _remove_old_runs(folder: Path) -> None:
    """Failed runs leave their compiled models; the newest ones are enough."""
    with suppress(FileNotFoundError):  # nothing there yet, or another command is removing the same
        runs = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for run in runs[_KEPT_SCRATCH_RUNS:]:
            shutil.rmtree(run, ignore_errors=True)
