"""The file of notices: every one of them, whether anybody could be reached or not, and each once.

Lines of JSON below the data home. A notice has a line, and a second one tells what became of it. Who finds a
notice without the second line sends it again: the process that wrote the first has died in between.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pipelines.notices.channels import Channel
from pipelines.notices.notice import Notice
from pipelines.notices.webhook import Patience, deliver

_MODE = 0o600


class Journal:
    """Sends notices and keeps them in a file.

    Args:
        file: the file; it and its folder are made when the first notice comes, for their owner alone.
        channels: the webhooks.
        environment: what holds their addresses and secrets.
        patience: how long to try to reach one.
    """

    def __init__(
        self,
        file: Path,
        channels: list[Channel],
        environment: Mapping[str, str],
        patience: Patience | None = None,
    ) -> None:
        self.file = file
        self._channels = channels
        self._environment = environment
        self._patience = patience or Patience()

    def send(self, notice: Notice) -> dict[str, str] | None:
        """Keep the notice and post it, unless somebody has.

        The daemon and a command may come to know of the same failure at once: the second one waits, and then
        finds it sent.

        Returns:
            By channel `sent`, or why not; None if it had been sent before.

        Raises:
            OSError: the file cannot be written.
        """
        with self._locked() as file:
            if notice.key in self._settled(file):
                return None
            self._write(file, {"notice": notice.to_dict()})
            outcomes = deliver(notice, self._channels, self._environment, self._patience)
            at = datetime.now(UTC).isoformat(timespec="seconds")
            self._write(file, {"key": notice.key, "at": at, "webhooks": outcomes})
            return outcomes

    def notices(self) -> list[dict[str, Any]]:
        """The notices as they were written, oldest first."""
        if not self.file.exists():
            return []
        with self.file.open(encoding="utf-8") as file:
            found = {each["notice"]["key"]: each["notice"] for each in _lines(file) if "notice" in each}
        return list(found.values())

    @contextmanager
    def _locked(self) -> Iterator[TextIO]:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            # Freed by the kernel when the process dies.
            fcntl.flock(file, fcntl.LOCK_EX)
            _end_last_line(file)
            yield file

    @staticmethod
    def _settled(file: TextIO) -> set[str]:
        file.seek(0)
        return {each["key"] for each in _lines(file) if "webhooks" in each}

    @staticmethod
    def _write(file: TextIO, line: dict[str, Any]) -> None:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _end_last_line(file: TextIO) -> None:
    """A process that was killed while it wrote has left half a line."""
    size = os.fstat(file.fileno()).st_size
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        os.write(file.fileno(), b"\n")


def _lines(file: TextIO) -> Iterator[dict[str, Any]]:
    for line in file:
        try:
            read = json.loads(line)
        except ValueError:  # half a line
            continue
        if isinstance(read, dict):
            yield read
