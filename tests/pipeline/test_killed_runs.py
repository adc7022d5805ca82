"""The command killed with SIGKILL at moments spread over its stages: nothing is lost, nothing blocks.

The moments are told by what the command says and by what appears on the disk. `WINBACK_KILLS=50` adds as
many kills at random moments.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from data_home import Home
from small_shop import END

from pipelines.settings import PROJECT_DIR

pytestmark = pytest.mark.xdist_group("processes")

LATE_SALES = """\
receipt,line,member,store,sold,product,quantity,amount,discount
L1,1,M001,S1,2024-06-30 12:00:00,P01,1,3.00,0.00
"""
MOST_SECONDS = 600
"""A whole run takes a twentieth of it; what takes longer hangs."""

KILLS = int(os.environ.get("WINBACK_KILLS", "0"))


Moment = Callable[[Home, str], bool]
"""Whether it is time to kill, from the home and from what the command has said so far."""


def extracting(home: Home, said: str) -> bool:
    # The feeds come in the order of their names, and pos_sales has something to take in. Its temporary
    # folder stands for a few milliseconds only: who waited for it would miss it on a busy machine.
    return "pos_members: nothing new" in said


def in_core(home: Home, said: str) -> bool:
    return any((home.settings.scratch_dir / "dbt").glob("*/core/run/**/*.sql"))


def sending(home: Home, said: str) -> bool:
    return (home.settings.lake_dir / "emissions" / f"as_of={END}").exists()


def publishing(home: Home, said: str) -> bool:
    return any(home.settings.published_file.parent.glob(".*.tmp-*"))


MOMENTS: dict[str, Moment] = {
    "extracting": extracting,
    "in core": in_core,
    "sending": sending,
    "publishing": publishing,
}


@dataclass(frozen=True)
class Killed:
    """A command that was killed, what it had said, and what it left."""

    exit_status: int
    output: str
    published: str
    survivors: list[str]


def kill(home: Home, is_time: Moment, *, whole_group: bool) -> Killed:
    """Start the command and kill it when it is time.

    Args:
        home: the data home.
        is_time: asked again and again.
        whole_group: with all its children; else it alone, as the kernel does when memory is short.
    """
    log = home.path.with_name("output.txt")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            home.command("run"),
            cwd=PROJECT_DIR,
            env={**os.environ, **home.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        deadline = time.monotonic() + MOST_SECONDS
        while process.poll() is None and not is_time(home, log.read_text(encoding="utf-8", errors="ignore")):
            assert time.monotonic() < deadline, "the command hangs"
            time.sleep(0.002)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    said = log.read_text(encoding="utf-8", errors="ignore")
    return Killed(process.returncode, said, fingerprint(home), survivors(home))


def fingerprint(home: Home) -> str:
    """Of the published file's bytes; of the bytes themselves pytest would print megabytes of difference."""
    return hashlib.sha256(home.settings.published_file.read_bytes()).hexdigest()


def survivors(home: Home) -> list[str]:
    """Commands of the home's processes that have not ended after seconds."""
    deadline = time.monotonic() + 10
    while (found := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def processes_of(home: Home) -> list[str]:
    """Commands of the processes that were started with the home in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"WINBACK_DATA_DIR={home.path}\0".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended meanwhile, or is somebody else's
    return found


@dataclass(frozen=True)
class Drill:
    """A home in which one run after the other was killed, and then one was not."""

    home: Home
    published_before: str
    killed: dict[str, Killed]


@pytest.fixture(scope="module")
def late_sales(small_shop) -> Iterator[None]:
    """A file that arrives after the eve, so that there is something to take in."""
    file = small_shop.folder / "sales_late.csv"
    file.write_text(LATE_SALES, encoding="utf-8")
    yield
    file.unlink()


@pytest.fixture(scope="module")
def undisturbed(_eve, late_sales, tmp_path_factory) -> Home:
    home = _eve.copy(tmp_path_factory.mktemp("undisturbed") / "home")
    assert home.run() == 0
    return home


@pytest.fixture(scope="module")
def drill(_eve, late_sales, tmp_path_factory) -> Drill:
    home = _eve.copy(tmp_path_factory.mktemp("drill") / "home")
    before = fingerprint(home)
    killed = {
        name: kill(home, is_time, whole_group=number % 2 == 0)
        for number, (name, is_time) in enumerate(MOMENTS.items())
    }
    assert home.run() == 0
    return Drill(home, before, killed)


def exports_but_for_run_ids(home: Home) -> dict[str, object]:
    return {
        name: {key: value for key, value in json.loads(content).items() if key != "run_id"}
        if name.endswith("manifest.json")
        else content
        for name, content in home.exports().items()
    }


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_the_published_file_and_no_process(drill, moment):
    killed = drill.killed[moment]

    assert killed.exit_status == -signal.SIGKILL, f"it ended before it was killed: {killed.output}"
    assert killed.published == drill.published_before
    assert killed.survivors == []


def test_the_next_command_marks_the_killed_run_without_a_daemon(drill):
    for killed in list(drill.killed.values())[1:]:
        assert "is marked as ended: its process (pid" in killed.output
        assert "waiting for the warehouse" not in killed.output
    with DagsterInstance.from_config(str(drill.home.settings.dagster_home)) as instance:
        statuses = [run.status for run in instance.get_runs()]
    # The newest first; the last is the run of the eve.
    assert statuses == [
        DagsterRunStatus.SUCCESS,
        *[DagsterRunStatus.FAILURE] * len(MOMENTS),
        DagsterRunStatus.SUCCESS,
    ]


def test_after_one_whole_run_all_is_as_if_nobody_had_been_killed(drill, undisturbed):
    assert drill.home.work() == undisturbed.work()
    assert exports_but_for_run_ids(drill.home) == exports_but_for_run_ids(undisturbed)


def test_nothing_half_written_is_left(drill):
    settings = drill.home.settings
    folders = (settings.lake_dir, settings.audiences_dir, settings.published_file.parent)
    assert [path for folder in folders for path in folder.rglob("*") if ".tmp" in path.name] == []


@pytest.mark.skipif(not KILLS, reason="the long form: set WINBACK_KILLS to a number of kills")
def test_kills_at_random_moments(_eve, undisturbed, tmp_path):
    home, right = _eve.copy(tmp_path / "home"), undisturbed.work()
    published = [_eve.work(), right]
    begin = time.monotonic()
    assert home.copy(tmp_path / "measured").start("run").wait(MOST_SECONDS) == 0
    whole_seconds = time.monotonic() - begin
    for seed in range(KILLS):
        chance = random.Random(seed)
        moment = time.monotonic() + chance.uniform(0, whole_seconds)
        killed = kill(home, lambda *_: time.monotonic() > moment, whole_group=chance.random() < 0.5)  # noqa: B023 - called at once
        assert killed.survivors == [], f"seed {seed}"
        assert home.work() in published, f"seed {seed}"
    assert home.run() == 0
    assert home.work() == right
    assert exports_but_for_run_ids(home) == exports_but_for_run_ids(undisturbed)
