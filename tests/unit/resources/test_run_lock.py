"""One run at a time: across processes, across threads, and never longer than the holder lives."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from pipelines.resources.warehouse import RunLock, WarehouseBusy, WarehouseNotLocked

HOLD = """
    import sys
    from pathlib import Path
    from pipelines.resources.warehouse import RunLock
    RunLock(Path(sys.argv[1]), 60).acquire("their-run")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "warehouse.lock"


@pytest.fixture
def holder(path):
    """Another process that holds the lock until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_busy_warehouse_names_its_holder(path, holder):
    with pytest.raises(WarehouseBusy, match=rf"run their-run \(pid {holder.pid}\) since 20"):
        RunLock(path, timeout_seconds=0.3).acquire("mine")


def test_waiting_is_said_at_once_and_ends_with_the_holder(path, holder, capsys):
    lock, messages = RunLock(path, timeout_seconds=30), []

    def end_the_holder(message):
        messages.append(message)
        holder.stdin.close()

    lock.acquire("mine", end_the_holder)
    lock.release("mine")

    assert messages[0].startswith(f"waiting for the warehouse: held by run their-run (pid {holder.pid})")
    # The log of a run is on the console already; saying it there too would say it twice.
    assert capsys.readouterr().err == ""


def test_waiting_is_repeated_and_without_a_log_goes_to_stderr(path, holder, capsys, monkeypatch):
    monkeypatch.setattr("pipelines.resources.warehouse._REMIND_SECONDS", 0.3)

    with pytest.raises(WarehouseBusy):
        RunLock(path, timeout_seconds=1.2).acquire("mine")

    assert capsys.readouterr().err.count("waiting for the warehouse: held by run their-run") >= 3


def test_a_killed_holder_blocks_nobody(path, holder):
    holder.kill()
    holder.wait()
    lock = RunLock(path, timeout_seconds=1)

    assert lock.holder() is None  # the file still names it
    lock.acquire("mine")
    assert lock.holder().run_id == "mine"
    lock.release("mine")


def test_the_same_run_enters_again_and_leaves_as_often(path):
    lock = RunLock(path, timeout_seconds=0.3)
    lock.acquire("mine")
    RunLock(path, timeout_seconds=0.3).acquire("mine")

    lock.release("mine")
    assert lock.is_held()
    lock.release("mine")
    assert not lock.is_held()
    with pytest.raises(WarehouseNotLocked):
        lock.release("mine")


def test_a_run_inside_a_command_of_the_same_thread_enters(path):
    lock = RunLock(path, timeout_seconds=0.3)
    lock.acquire("rebuild")
    lock.acquire("the run that rebuild starts")
    lock.release("the run that rebuild starts")

    assert lock.is_held()
    lock.release("rebuild")


def test_another_run_in_another_thread_waits(path):
    order, lock = [], RunLock(path, timeout_seconds=10)
    lock.acquire("first")

    def second():
        RunLock(path, timeout_seconds=10).acquire("second")
        order.append("second in")
        lock.release("second")

    thread = threading.Thread(target=second)
    thread.start()
    time.sleep(0.5)
    order.append("first out")
    lock.release("first")
    thread.join()

    assert order == ["first out", "second in"]


def test_a_thread_of_the_same_run_enters(path):
    lock = RunLock(path, timeout_seconds=0.3)
    lock.acquire("mine")
    thread = threading.Thread(target=lambda: (lock.acquire("mine"), lock.release("mine")))
    thread.start()
    thread.join()

    assert lock.is_held()
    lock.release("mine")


def test_a_child_process_does_not_keep_the_lock(path):
    """Neither a program that was started nor a fork: a server left over would block every run after it."""
    lock = RunLock(path, timeout_seconds=5)
    lock.acquire("mine")
    program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    reading, writing = os.pipe()
    fork = os.fork()
    if fork == 0:
        held = lock.is_held()
        os.close(writing)
        os.read(reading, 1)
        os._exit(1 if held else 0)
    lock.release("mine")

    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(path)]
    taken = subprocess.run(command, input="", capture_output=True, text=True, check=True)

    os.close(writing)
    os.close(reading)
    _, status = os.waitpid(fork, 0)
    program.communicate(b"\n")
    assert taken.stdout == "held\n"
    assert status == 0, "the fork believed that it holds the lock"
