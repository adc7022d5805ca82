"""The identity of a process tells it from a later one with the same id."""

import os
import subprocess
import sys

from pipelines.resources.process import is_alive, process_identity


def test_this_process_is_alive():
    assert is_alive(process_identity())


def test_an_ended_process_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(process.pid)
    assert is_alive(identity)

    process.communicate(b"\n")

    assert not is_alive(identity)


def test_a_killed_process_is_not_alive_although_nobody_has_asked_for_its_result():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not is_alive(identity)
    process.communicate()


def test_the_same_id_with_another_start_is_another_process():
    boot_id, pid, start = process_identity().split(":")

    assert not is_alive(f"{boot_id}:{pid}:{start}0")
    assert not is_alive(f"another-boot:{pid}:{start}")
