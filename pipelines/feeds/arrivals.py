"""What has arrived and is not taken in yet, by a look at names, sizes and times: often and cheap.

A file that was touched without a change looks as if it had arrived; taking it in then finds nothing new.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.lake import Lake
from pipelines.feeds.source_settings import FileSource
from pipelines.feeds.sources import SeenFile, seen_files

QUIET = timedelta(seconds=60)
"""When a file was written or came in within so long, more may be to come."""
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


@dataclass(frozen=True)
class Watch:
    """What earlier looks have left to know. A file's own time does not tell when it arrived: copies keep it.

    Attributes:
        done: the digest of a look after which nothing was to do.
        waiting: the digest of what was waiting at the last look.
        changed: since when exactly that is waiting.
        since: since when anything is waiting.
    """

    done: str | None = None
    waiting: str | None = None
    changed: datetime | None = None
    since: datetime | None = None

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """What `to_json` wrote; of any other text, nothing is known."""
        try:
            values = json.loads(text or "{}")
            times = {
                name: datetime.fromisoformat(values[name]) for name in ("changed", "since") if name in values
            }
            return cls(done=values.get("done"), waiting=values.get("waiting"), **times)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def to_json(self) -> str:
        """The watch as a JSON object."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        return json.dumps({n: v.isoformat() if isinstance(v, datetime) else v for n, v in values.items()})

    def seeing(self, waiting: Arrivals, now: datetime) -> "Watch":
        """The watch after a look at which this was waiting."""
        is_same = waiting.digest == self.waiting
        return replace(
            self,
            waiting=waiting.digest,
            changed=self.changed if is_same else now,
            since=self.since or now,
        )


def settled(waiting: Arrivals, watch: Watch, now: datetime) -> Arrivals | None:
    """Those that nobody is writing any more; None while a batch is still coming in.

    Args:
        waiting: files that are not taken in.
        watch: since when they are waiting.
        now: aware.
    """
    calm = Arrivals(
        {role: [file for file in files if _age(file, now) >= QUIET] for role, files in waiting.files.items()}
    )
    if now - (watch.since or now) >= PATIENCE:
        return calm or None
    is_calm = calm.labels == waiting.labels and now - (watch.changed or now) >= QUIET
    return waiting if is_calm else None


def _age(file: SeenFile, now: datetime) -> timedelta:
    # Of a writer whose clock is ahead, too.
    return abs(timedelta(microseconds=(_nanoseconds(now) - file.modified_ns) / 1000))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
