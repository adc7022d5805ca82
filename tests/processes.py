"""Dagster's own servers in tests: each in a process group of its own, of which nothing is left."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipelines.settings import PROJECT_DIR


@contextmanager
def server(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until it is interrupted, in the project's folder.

    Args:
        command: it and its arguments.
        environment: in addition to that of the tests.
        log: a file for what it says.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=PROJECT_DIR,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:  # a shell that put the tests aside lets them ignore the signal
                process.kill()
                process.wait()
            _end_group(process.pid)


def _end_group(group: int) -> None:
    """What it has left running: code servers end by themselves a little later."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.2)
    os.killpg(group, signal.SIGKILL)
