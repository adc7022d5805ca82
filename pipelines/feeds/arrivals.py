"""What has arrived and is not taken in yet, by a look at names, sizes and times: often and cheap.

A file that was touched without a change looks as if it had arrived; taking it in then finds nothing new.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.lake import Lake
from pipelines.feeds.source_settings import FileSource
from pipelines.feeds.sources import SeenFile, seen_files

QUIET = timedelta(seconds=60)
"""A file that was written in the last so long may have more to come, and so may its folder."""
PATIENCE = timedelta(minutes=15)
"""Whoever writes a file a minute is not waited for longer than this."""


Role = tuple[str, bool]
"""A feed, and whether its file is only joined to the rows of another."""


@dataclass(frozen=True)
class Arrivals:
    """Files of all file sources of a profile.

    Attributes:
        files: what is there, by feed and whether it is only joined.
    """

    files: Mapping[Role, Sequence[SeenFile]]

    @property
    def digest(self) -> str:
        """A short name of exactly these files in this state."""
        lines = sorted(
            f"{feed}\t{file.label}\t{file.size_bytes}\t{file.modified_ns}"
            for (feed, _), files in self.files.items()
            for file in files
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    @property
    def labels(self) -> list[str]:
        """Names of the files, in order."""
        return sorted({file.label for files in self.files.values() for file in files})

    def __bool__(self) -> bool:
        return any(self.files.values())


def look(bindings: Mapping[str, FeedBinding], base_dir: Path) -> Arrivals:
    """The files of all file sources, those that are only joined too.

    Args:
        bindings: the profile's feeds.
        base_dir: the folder from which the profile's relative paths start.
    """
    found: dict[Role, list[SeenFile]] = {}
    for feed, binding in bindings.items():
        for source, is_joined in ((binding.source, False), *((each, True) for each in binding.also.values())):
            if isinstance(source, FileSource):
                found.setdefault((feed, is_joined), []).extend(seen_files(source, base_dir=base_dir))
    return Arrivals(found)


def not_taken_in(seen: Arrivals, lake: Lake) -> Arrivals:
    """Those that the lake does not know in this state: new ones, and what was written after it was taken in.

    Args:
        seen: what is there.
        lake: what was taken in. It has no record of files that are only joined: they are as old as the feed's
            newest ingestion.
    """
    waiting: dict[Role, list[SeenFile]] = {}
    for (feed, is_joined), files in seen.files.items():
        taken = lake.current(feed) if files else []
        known = {each.source: (each.source_bytes, each.ingested_at) for each in taken}
        newest = max((each.ingested_at for each in taken), default=None)
        waiting[feed, is_joined] = [
            file
            for file in files
            if not _is_known(file, (file.size_bytes, newest) if is_joined else known.get(file.label))
        ]
    return Arrivals(waiting)


def _is_known(file: SeenFile, taken: tuple[int, datetime | None] | None) -> bool:
    if taken is None or taken[1] is None:
        return False
    return file.size_bytes == taken[0] and file.modified_ns <= _nanoseconds(taken[1])


def settled(waiting: Arrivals, now: datetime, quiet: timedelta = QUIET) -> Arrivals | None:
    """Those that nobody is writing any more; None while a batch is still coming in.

    Args:
        waiting: files that are not taken in.
        now: aware.
        quiet: for how long nothing must have been written.
    """
    old = {
        role: [file for file in files if _age(file, now) >= quiet] for role, files in waiting.files.items()
    }
    calm = Arrivals(old)
    if len(calm.labels) == len(waiting.labels):
        return waiting
    longest = max((_age(file, now) for files in old.values() for file in files), default=timedelta())
    return calm if longest > max(PATIENCE, quiet) else None


def _age(file: SeenFile, now: datetime) -> timedelta:
    # Of a writer whose clock is ahead, too.
    return abs(timedelta(microseconds=(_nanoseconds(now) - file.modified_ns) / 1000))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
