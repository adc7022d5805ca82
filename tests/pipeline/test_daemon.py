"""The daemon really ticks: a scheduled run and a run for files that have arrived, from end to end."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from data_home import Home
from processes import server
from small_shop import END

from pipelines.feeds.arrivals import QUIET
from pipelines.jobs import DAILY_RECALL, SCRUB
from pipelines.resources.instance import open_instance, prepare_home
from pipelines.sensors import LANDING
from pipelines.settings import PROJECT_DIR

pytestmark = pytest.mark.xdist_group("processes")

DEADLINE_SECONDS = 900
MINUTELY = "minutely_scrub"
IN_VAIN = ("everything is taken in", "nothing has arrived since the last look")
ENDED = {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}


@pytest.fixture
def home(_eve: Home, tmp_path: Path) -> Home:
    """A home in which the last date but one was run."""
    return _eve.copy(tmp_path / "home")


@pytest.fixture
def late_file(home: Home) -> Iterator[Path]:
    """Where a till's file of the last date will be."""
    late = home.shop.folder / "sales_ticking.csv"
    yield late
    late.unlink(missing_ok=True)


def arrive(late: Path) -> None:
    """Put it there, as a copy does that keeps the file's time."""
    header = (late.parent / "sales.csv").read_text(encoding="utf-8").splitlines()[0]
    late.write_text(f"{header}\nT1,1,M001,S1,{END} 12:00:00,P01,1,3.00,0.00\n", encoding="utf-8")
    finished = time.time() - QUIET.total_seconds() - 5
    os.utime(late, (finished, finished))


def daemon(home: Home, log: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """`dagster-daemon run` for the home, with a schedule of every minute."""
    location = ["-f", str(Path(__file__).with_name("ticking.py")), "-d", str(PROJECT_DIR)]
    path = f"{PROJECT_DIR}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = home.environment | {"DAGSTER_HOME": str(home.settings.dagster_home), "PYTHONPATH": path}
    return server([sys.executable, "-m", "dagster._daemon", "run", *location], environment, log)


def until(process: subprocess.Popen[bytes], log: Path, found: Callable[[], Any]) -> Any:
    """What is found as soon as it is; fails when the daemon has ended or the deadline has passed."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.5)
    raise AssertionError(f"the daemon did not do it:\n{log.read_text(errors='replace')[-8000:]}")


def ended_run(instance: DagsterInstance, job: str, **tags: str) -> DagsterRun | None:
    """The run of a job with these tags, if it has ended."""
    runs = instance.get_runs(RunsFilter(job_name=job, tags=tags, statuses=list(ENDED)))
    return runs[0] if runs else None


def test_the_daemon_runs_what_is_due_and_what_has_arrived(
    home: Home, late_file: Path, tmp_path: Path
) -> None:
    prepare_home(home.settings)
    log = tmp_path / "daemon.log"
    scheduled_by = {"dagster/schedule_name": MINUTELY}
    with (
        open_instance(home.settings.dagster_home) as instance,
        daemon(home, log) as process,
    ):
        scheduled = until(process, log, lambda: ended_run(instance, SCRUB, **scheduled_by))
        # Not before: the scheduled run would take it in, and leave the sensor nothing to do.
        arrive(late_file)
        sensed = until(
            process, log, lambda: ended_run(instance, DAILY_RECALL, **{"dagster/sensor_name": LANDING})
        )
        # The sensor has looked again since, and found that everything was taken in.
        until(process, log, lambda: _looked_in_vain(instance))
        runs = instance.get_runs(RunsFilter(job_name=DAILY_RECALL, tags={"dagster/sensor_name": LANDING}))

    assert (sensed.status, scheduled.status) == (DagsterRunStatus.SUCCESS, DagsterRunStatus.SUCCESS)
    assert sensed.tags["dagster/partition"] == str(END)
    assert len(runs) == 1, "one arrival, one run"
    with home.published() as con:
        taken = con.execute(
            "select rows_loaded from quality.ingestions where source = ?", [str(late_file)]
        ).fetchall()
    assert taken == [(1,)]
    assert not home.settings.notices_file.exists(), "nothing has failed"


def _looked_in_vain(instance: DagsterInstance) -> bool:
    state = next((each for each in instance.all_instigator_state() if each.instigator_name == LANDING), None)
    if state is None:
        return False
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return bool(ticks) and ticks[0].skip_reason in IN_VAIN
