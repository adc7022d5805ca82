"""The lake: every accepted version of every source, as immutable Parquet.

`<root>/feeds/<feed>/<ingestion_id>/` holds `rows.parquet`, `quarantine.parquet` and `ingestion.json`. A
folder is written whole under a temporary name, synced and renamed, so that it is there completely or not at
all.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pipelines.feeds.errors import FeedError

_TEMPORARY = ".tmp-"
_RECORD = "ingestion.json"
_ROWS = "rows.parquet"
_QUARANTINE = "quarantine.parquet"


@dataclass(frozen=True)
class Ingestion:
    """One accepted version of one source.

    Attributes:
        feed: the feed's name.
        ingestion_id: `<sequence, 6 digits>-<first 12 hex digits of the content's hash>`.
        sequence: counts the feed's ingestions from 1; of one source, the highest is current.
        source: the source's label, as in `SourceFile`.
        content_sha256: hash of the file's bytes, or of the rows of a database, in hex.
        fingerprint: hash of all that decides the rows: content, binding, contract, time zone; for a database
            that is read by a cursor, of all but the content.
        source_bytes: the file's size; for a database, of the Parquet file its rows were read into.
        ingested_at: when, in UTC.
        rows_read: rows of the source (after the profile's query), unreadable lines included.
        rows_loaded, rows_quarantined, rows_duplicate: what became of them; they add up to `rows_read`.
        quarantined_by_reason: reason to rows, in alphabetical order.
        future_from: the earliest day of a row that was quarantined as `future_date`, in ISO 8601: when it has
            come, the source is taken in again.
        stream: for a database that is read by a cursor, what its reads have in common: their sources are
            `<stream>#<sequence>`.
        continues: whether the ingestion adds to those of its stream before it; else it takes their place.
        cursor: the highest value of the cursor column, from which the next read goes on.
        window_sha256: hash of the rows that the next read brings if nothing has changed.
        rows_sha256, quarantine_sha256: hashes of the two Parquet files, in hex; None in records that were
            written before there were any.
    """

    feed: str
    ingestion_id: str
    sequence: int
    source: str
    content_sha256: str
    fingerprint: str
    source_bytes: int
    ingested_at: datetime
    rows_read: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    future_from: str | None = None
    stream: str | None = None
    continues: bool = False
    cursor: str | None = None
    window_sha256: str | None = None
    rows_sha256: str | None = None
    quarantine_sha256: str | None = None

    def to_json(self) -> str:
        """The ingestion as a JSON object."""
        return json.dumps({**asdict(self), "ingested_at": self.ingested_at.isoformat()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The ingestion that `to_json` wrote; raises ValueError, KeyError or TypeError for any other text."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{**values, "ingested_at": datetime.fromisoformat(values["ingested_at"]).astimezone(UTC)})


class Lake:
    """The ingestions under one folder. One process at a time may write.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Lake(Path(folder)).ingestions()
        []
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.feeds_dir = root / "feeds"

    def ingestions(self, feed: str | None = None) -> list[Ingestion]:
        """All ingestions, superseded ones too, by feed and sequence; of one feed if it is given.

        Raises:
            FeedError: a folder of the lake has no readable record; the lake was changed from outside.
        """
        records = [
            folder / _RECORD
            for folder in self.feeds_dir.glob(f"{feed or '*'}/*")
            if folder.is_dir() and not folder.name.startswith(_TEMPORARY)
        ]
        found = []
        for record in records:
            try:
                found.append(Ingestion.from_json(record.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise FeedError(
                    f"{record}: is not the record of an ingestion ({error}). Restore its folder from a "
                    "backup; "
                    "without one remove the folder: the next run takes the source in again, if it is still "
                    "there"
                ) from error
        return sorted(found, key=lambda ingestion: (ingestion.feed, ingestion.sequence))

    def current(self, feed: str | None = None) -> list[Ingestion]:
        """The newest ingestion of each source, by feed and sequence; of a stream, the newest that read it
        whole and all that continue it."""
        newest: dict[tuple[str, str], list[Ingestion]] = {}
        for ingestion in self.ingestions(feed):
            key = (ingestion.feed, ingestion.stream or ingestion.source)
            newest[key] = [*(newest.get(key, []) if ingestion.continues else []), ingestion]
        return sorted(
            (ingestion for each in newest.values() for ingestion in each),
            key=lambda ingestion: (ingestion.feed, ingestion.sequence),
        )

    def folder(self, ingestion: Ingestion) -> Path:
        """The ingestion's folder."""
        return self.feeds_dir / ingestion.feed / ingestion.ingestion_id

    def rows_file(self, ingestion: Ingestion) -> Path:
        """The Parquet file of the loaded rows."""
        return self.folder(ingestion) / _ROWS

    def quarantine_file(self, ingestion: Ingestion) -> Path:
        """The Parquet file of the quarantined rows."""
        return self.folder(ingestion) / _QUARANTINE

    def next_sequence(self, feed: str) -> int:
        """The sequence of the feed's next ingestion, from 1."""
        taken = [folder.name.split("-")[0] for folder in (self.feeds_dir / feed).glob("[0-9]*-*")]
        return max((int(number) for number in taken if number.isdigit()), default=0) + 1

    @contextmanager
    def staging_folder(self, feed: str, ingestion_id: str) -> Iterator[Path]:
        """A temporary folder to write an ingestion to; removed at the end unless `commit` has taken it.

        Yields:
            An empty folder beside its later place.
        """
        folder = self.feeds_dir / feed / f"{_TEMPORARY}{ingestion_id}"
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            if folder.exists():
                shutil.rmtree(folder)
            with suppress(OSError):  # the feed's folder, where nothing was ever taken in
                folder.parent.rmdir()

    def commit(self, folder: Path, ingestion: Ingestion) -> Ingestion:
        """Makes a staged folder the ingestion, durably: all of it is on the disk before its name is.

        Args:
            folder: what `staging_folder` gave, with `rows.parquet` and `quarantine.parquet` in it.
            ingestion: its record, written beside them.

        Returns:
            The record with the hashes of both files.
        """
        ingestion = replace(
            ingestion,
            rows_sha256=_sha256(folder / _ROWS),
            quarantine_sha256=_sha256(folder / _QUARANTINE),
        )
        (folder / _RECORD).write_text(ingestion.to_json(), encoding="utf-8")
        _sync([*sorted(folder.iterdir()), folder])
        folder.rename(self.folder(ingestion))
        _sync([folder.parent])
        return ingestion

    def amend(self, ingestion: Ingestion) -> None:
        """Replaces the record of an ingestion, whose rows were rewritten or whose source was.

        Args:
            ingestion: its record as it is now, but for the hashes of its files; feed and id are those of one
                that is there.
        """
        ingestion = replace(
            ingestion,
            rows_sha256=_sha256(self.rows_file(ingestion)),
            quarantine_sha256=_sha256(self.quarantine_file(ingestion)),
        )
        record = self.folder(ingestion) / _RECORD
        temporary = record.with_suffix(".new")
        temporary.write_text(ingestion.to_json(), encoding="utf-8")
        _sync([temporary])
        temporary.replace(record)

    def remove_leftovers(self) -> list[Path]:
        """Removes what killed runs have left half-written, and returns those folders.

        Only the process that owns the lake may call this: another one's folder would look the same.
        """
        leftovers = sorted(self.feeds_dir.glob(f"*/{_TEMPORARY}*"))
        for folder in leftovers:
            shutil.rmtree(folder)
        return leftovers


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
