"""Which process is this, and does it still live? A process id alone is not enough: ids are used again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def process_identity(pid: int | None = None) -> str:
    """Identity of a living process (default: this one) as `<boot id>:<pid>:<start time>`.

    The start time tells two processes with the same id apart, the boot id two starts of the machine.

    Raises:
        ProcessLookupError: there is no such process.
    """
    pid = os.getpid() if pid is None else pid
    return f"{_boot_id()}:{pid}:{_start_time(pid)}"


def is_alive(identity: str) -> bool:
    """Does the process with this identity still run, on this start of the machine?"""
    boot_id, pid, start_time = identity.split(":", 2)
    if boot_id != _boot_id():
        return False
    try:
        return _start_time(int(pid)) == start_time
    except ProcessLookupError:
        return False


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    # macOS: the second in which the machine was started.
    answer = subprocess.run(["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=True)
    return answer.stdout.split("sec = ")[1].split(",")[0]


def _start_time(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError) as error:
            raise ProcessLookupError(f"no process {pid}") from error
        # The command name, in parentheses, may hold spaces and parentheses itself.
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":  # killed, but its parent has not asked for the result yet
            raise ProcessLookupError(f"process {pid} has ended")
        return fields[19]
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if not answer.stdout.strip():
        raise ProcessLookupError(f"no process {pid}")
    return " ".join(answer.stdout.split())
