"""The command killed with SIGKILL at moments spread over its stages: nothing is lost, nothing blocks.

The moments are told by what the command says and by what appears on the disk. `WINBACK_KILLS=30` adds as
many kills at random moments of every stage, of `rebuild` and of `scrub`. A reader opens the published copy
again and again meanwhile.
"""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from data_home import Home
from poller import Polls, polling, state_of
from published_contract import COLUMNS
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


def kill(home: Home, is_time: Moment, *, whole_group: bool, command: str = "run") -> Killed:
    """Start the command and kill it when it is time.

    Args:
        home: the data home.
        is_time: asked again and again.
        whole_group: with all its children; else it alone, as the kernel does when memory is short.
        command: of winback.
    """
    log = home.path.with_name("output.txt")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            home.command(command),
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
        if process.poll() is None:
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
    polls: Polls


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
    with polling(home.settings.published_file) as polls:
        killed = {
            name: kill(home, is_time, whole_group=number % 2 == 0)
            for number, (name, is_time) in enumerate(MOMENTS.items())
        }
        assert home.run() == 0
    return Drill(home, before, killed, polls)


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


def test_a_reader_finds_a_complete_copy_at_every_moment(drill, _eve):
    polls = drill.polls

    assert polls.complaints == []
    assert polls.looks > 50
    assert polls.states == [state_of(home.settings.published_file) for home in (_eve, drill.home)]
    assert all(set(COLUMNS) <= state.tables for state in polls.states)


STEPS = {
    "extract": "raw",
    "gate_raw": "gate",
    "normal_forms": "identity",
    "staging": "staging",
    "identity": "identity",
    "core": "core",
    "gate_core": "gate",
    "control/dormancy_fit": "fit",
    "marts": "marts",
    "gate_marts": "gate",
    "activation": "activation",
    "gate_activation": "gate",
    "kpi": "kpi",
    "gate_kpi": "gate",
    "audiences/recall": "audiences",
    "published/winback_analytics": "publish",
    "reports/daily_report": "report",
}
"""The steps of a run, as its lines call them, and the stage that each belongs to."""

BEFORE_SENDING = ("extract", "identity", "staging", "core", "marts", "activation", "kpi")
SENDING = ("audiences/recall", "published/winback_analytics", "reports/daily_report")
COMMAND = "the command"
"""The process itself: it starts, or it has done its last step."""


@dataclass(frozen=True)
class Timeline:
    """When the steps of an undisturbed command began and ended, in seconds from its start."""

    spans: dict[str, tuple[float, float]]
    seconds: float


def ended_steps(said: str) -> list[str]:
    """The steps that have ended, in their order, by what the command has said."""
    return re.findall(r"^[0-9:]{8}  (\S+) +done ", said, re.MULTILINE)


def begun(said: str) -> bool:
    """Whether its first step has begun, by the first line with a time."""
    return bool(re.search(r"^[0-9:]{8}  ", said, re.MULTILINE))


def step_at(said: str, timeline: Timeline) -> str:
    """The step that is at work, by the order in which those of the undisturbed command ended."""
    ended = set(ended_steps(said))
    left = [step for step in timeline.spans if step not in ended]
    return left[0] if left and begun(said) else COMMAND


def measure(home: Home, command: str) -> Timeline:
    """Run the command to its end and note when its steps end."""
    spans: dict[str, tuple[float, float]] = {}
    begin = before = time.monotonic()

    def watch(_: Home, said: str) -> bool:
        nonlocal before
        now = time.monotonic()
        if not begun(said):
            before = now
        for step in ended_steps(said):
            if step not in spans:
                spans[step] = (before - begin, now - begin)
                before = now
        return False

    ran = kill(home, watch, whole_group=False, command=command)
    assert ran.exit_status == 0, ran.output
    return Timeline(spans, time.monotonic() - begin)


def within(step: str, share: float, timeline: Timeline) -> Moment:
    """The moment at which this share of a step's time is over, from when the step before it has ended."""
    names = list(timeline.spans)
    before = set(names[: names.index(step)])
    start, end = timeline.spans[step]
    began: float | None = None

    def is_time(_: Home, said: str) -> bool:
        nonlocal began
        if began is None and before <= set(ended_steps(said)) and begun(said):
            began = time.monotonic()
        return began is not None and time.monotonic() - began >= share * (end - start)

    return is_time


def after(seconds: float) -> Moment:
    """So many seconds from when it is first asked."""
    first: list[float] = []

    def is_time(*_: object) -> bool:
        first.append(time.monotonic())
        return first[-1] - first[0] >= seconds

    return is_time


@dataclass(frozen=True)
class Planned:
    """One kill of the drill: which command, how far into which of its steps (or of all of it)."""

    command: str
    step: str | None
    share: float
    whole_group: bool

    def moment(self, timeline: Timeline) -> Moment:
        if self.step is None:
            return after(self.share * timeline.seconds)
        return within(self.step, self.share, timeline)


def planned(kills: int, chance: random.Random) -> list[Planned]:
    """Two thirds hit runs, in every stage; the rest hit rebuilds and scrubs anywhere. Half of them kill the
    parent alone, half the whole group."""
    steps = (*BEFORE_SENDING, *SENDING)
    of_runs = [steps[number % len(steps)] for number in range(kills - kills // 3)]
    early = [step for step in of_runs if step in BEFORE_SENDING]
    chance.shuffle(early)
    # What was sent is sent: the stages before it come first, so that most runs have something to send.
    late = sorted((step for step in of_runs if step in SENDING), key=SENDING.index)
    plan = [
        Planned("run", step, chance.uniform(0, 0.9), number % 2 == 0)
        for number, step in enumerate([*early, *late])
    ]
    rest = kills - len(plan)
    return plan + [
        # One in each of as many equal parts of the command's time.
        Planned(
            ("rebuild", "scrub")[number % 2],
            None,
            (number // 2 + chance.random()) / ((rest + 1) // 2),
            number % 4 < 2,
        )
        for number in range(rest)
    ]


@pytest.mark.skipif(not KILLS, reason="the long form: set WINBACK_KILLS to a number of kills")
def test_kills_at_random_moments_of_all_stages(_eve, undisturbed, tmp_path, capsys):
    seed = int(os.environ.get("WINBACK_SEED", "8"))
    once = undisturbed.work()
    # Once the date went out, the next run knows what was sent; so does a rebuild.
    twice_home = undisturbed.copy(tmp_path / "twice" / "home")
    assert twice_home.run() == 0
    twice = twice_home.work()
    measured = undisturbed.copy(tmp_path / "measured" / "home")
    timelines = {
        "run": measure(_eve.copy(tmp_path / "run" / "home"), "run"),
        **{command: measure(measured, command) for command in ("scrub", "rebuild")},
    }
    home = _eve.copy(tmp_path / "drill" / "home")
    hits: list[str] = []

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    say(f"\n{KILLS} kills, seed {seed}; a run takes {timelines['run'].seconds:.0f} s")
    plan = planned(KILLS, random.Random(seed))
    may_be_published = [_eve.work(), once, twice]
    with polling(home.settings.published_file) as polls:
        for number, each in enumerate(plan):
            if each.command != "run" and plan[number - 1].command == "run":
                assert home.run() == 0
                assert home.work() in (once, twice)
            for _ in range(3):  # one that had ended before it was killed is no kill
                killed = kill(
                    home,
                    each.moment(timelines[each.command]),
                    whole_group=each.whole_group,
                    command=each.command,
                )
                if killed.exit_status == -signal.SIGKILL:
                    break
                assert killed.exit_status == 0, killed.output
            hit = step_at(killed.output, timelines[each.command])
            hits.append(f"{each.command}: {STEPS.get(hit, hit)}")
            say(f"{number + 1:3}  {each}  hit {hit}")
            assert killed.exit_status == -signal.SIGKILL, killed.output
            assert killed.survivors == [], each
            assert "waiting for the warehouse" not in killed.output, each
            assert home.work() in may_be_published, each
        assert home.run() == 0
    assert home.work() == twice
    assert exports_but_for_run_ids(home) == exports_but_for_run_ids(undisturbed)
    assert polls.complaints == []
    assert all(set(COLUMNS) <= state.tables for state in polls.states)
    dates = [state.newest for state in polls.states]
    assert dates == sorted(dates)
    complete = [state_of(each.settings.published_file) for each in (_eve, undisturbed, twice_home, home)]
    assert [state for state in polls.states if state not in complete] == []
    counted = {hit: hits.count(hit) for hit in sorted(set(hits))}
    say(f"hit: {counted}; the reader looked {polls.looks:,} times and saw {len(polls.states)} states")
    if KILLS >= 30:
        assert {f"run: {STEPS[step]}" for step in (*BEFORE_SENDING, *SENDING)} <= set(hits)
