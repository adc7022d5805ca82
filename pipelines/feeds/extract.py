"""Taking a feed in: from its sources to the lake, with every row accounted for.

Each file, and each read of a database, goes through the same: read (`readers`) → map and judge (`mapping`) →
write and count (`accounts`) → commit (`lake`). What is new is told by a fingerprint of all that decides the
rows; a database with a cursor is read on from where the last ingestion ended.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipelines.feeds.accounts import accounted, number, write_no_rows, write_quarantine, write_rows
from pipelines.feeds.binding import FeedBinding, check_columns
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.databases import Snapshot, read_database
from pipelines.feeds.databases.reading import label_of
from pipelines.feeds.errors import FeedError, SourceUnreadableError
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.mapping import STAGE, Job, map_rows, stage_rows
from pipelines.feeds.readers import SourceTable, read_source
from pipelines.feeds.source_settings import AnySource, DatabaseSource
from pipelines.feeds.sources import (
    DEFAULT_SETTLE_SECONDS,
    SourceFile,
    Waiting,
    is_unchanged,
    resolve_files,
)
from pipelines.feeds.sql import identifier
from pipelines.feeds.tombstones import Tombstones

# Part of every fingerprint: raised when the rules below change what a file's rows become, so that files are
# taken in again by the new rules.
RULES_VERSION = 2

# What changes no row: where a source is and how patiently it is asked.
_NOT_DECISIVE = {
    "hint",
    "path",
    "max_unpacked",
    "url",
    "look_back",
    "chunk_rows",
    "connect_timeout",
    "statement_timeout",
    "retries",
}


@dataclass(frozen=True)
class Extraction:
    """What one call of `extract_feed` did.

    Attributes:
        ingestions: the new ones, in the order of the sources; empty when nothing has changed.
        waiting: files that somebody is still writing.
        notes: what a person should know, such as database rows that a cursor cannot find.
    """

    ingestions: tuple[Ingestion, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Stream:
    """The place of an ingestion among those of a database that is read by a cursor."""

    name: str
    continues: bool
    cursor: str | None
    window_sha256: str | None


def extract_feed(
    con: duckdb.DuckDBPyConnection,
    contract: FeedContract,
    binding: FeedBinding,
    lake: Lake,
    *,
    profile_file: Path,
    base_dir: Path,
    time_zone: str,
    latest_event: date | None = None,
    scratch_dir: Path | None = None,
    settle_seconds: float = DEFAULT_SETTLE_SECONDS,
    tombstones: Tombstones | None = None,
    oldest_event: date | None = None,
) -> Extraction:
    """Takes in the feed's new and changed sources.

    A source is skipped when its content, the binding, the contract and the time zone are those of its
    current ingestion. A file that is gone keeps what it brought: an archived landing folder takes nothing
    away. A file that is still being written waits for the next call.

    Args:
        con: an open DuckDB connection; only temporary tables are made, and dropped.
        contract: the feed's contract.
        binding: where the profile takes the feed from.
        lake: where ingestions are kept.
        profile_file: the profile, for messages.
        base_dir: the folder from which the profile's relative paths start.
        time_zone: the profile's zone.
        latest_event: the last day, in that zone, on which there can be an event: rows after it are
            quarantined as `future_date`. It is no part of the fingerprint; a source with such rows is taken
            in again as soon as the day of the earliest of them has come. None for no such rule.
        scratch_dir: for what is written anew in between; by default the system's temporary folder.
        settle_seconds: see `resolve_files`.
        tombstones: of people who were erased: their rows are quarantined as `erased`, without their content.
        oldest_event: the first day that is kept: rows of events before it are quarantined as `expired`,
            without their content. No part of the fingerprint either.

    Raises:
        FeedError: a missing or unreadable source, or a mapping that does not fit. Sources before it are
            taken in.

    Example:
        A profile binds `products` to `data/landing/products.csv`; then

            extract_feed(duckdb.connect(), load_contracts()["products"], binding, Lake(home / "lake"),
                         profile_file=file, base_dir=project, time_zone="Europe/London").ingestions

        gives one `Ingestion`, and none when called again.
    """
    check_columns(contract, binding, profile_file=profile_file)
    if scratch_dir is not None:
        scratch_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="feed-", dir=scratch_dir) as folder:
        job = Job(
            con,
            contract,
            binding,
            profile_file,
            base_dir,
            time_zone,
            latest_event,
            Path(folder),
            settle_seconds,
            tombstones,
            oldest_event,
        )
        also: dict[str, list[SourceFile]] = {}
        waiting: list[Waiting] = []
        for name, source in binding.also.items():
            also[name], not_yet = _resolve(job, source, "also", name)
            waiting += not_yet
        if waiting:
            # Without what is to be joined, rows would come in that are not what they will be.
            return Extraction(waiting=tuple(waiting))
        if isinstance(binding.source, DatabaseSource):
            return _extract_database(job, lake, binding.source, also)
        return _extract_files(job, lake, also)


def _resolve(job: Job, source: AnySource, *key: str) -> tuple[list[SourceFile], list[Waiting]]:
    """The files of a source that is only joined: those of a database are read here."""
    if isinstance(source, DatabaseSource):
        target = job.scratch_dir / f"{'-'.join(key)}.parquet"
        snapshot = read_database(job.con, source, where=job.key(*key), target=target, after=None)
        return [_file_of(snapshot, label_of(source))], []
    return resolve_files(
        source,
        profile_file=job.profile_file,
        key=job.path(*key),
        base_dir=job.base_dir,
        settle_seconds=job.settle_seconds,
    )


def _file_of(snapshot: Snapshot, label: str) -> SourceFile:
    status = snapshot.path.stat()
    return SourceFile(label, snapshot.path, snapshot.content_sha256, status.st_size, status.st_mtime_ns)


def _extract_files(job: Job, lake: Lake, also: dict[str, list[SourceFile]]) -> Extraction:
    files, waiting = _resolve(job, job.binding.source, "source")
    known = {ingestion.source: ingestion for ingestion in lake.current(job.contract.feed)}
    ingestions = []
    for file in files:
        fingerprint = _fingerprint(job, also, file.content_sha256)
        if _is_known(job, known.get(file.label), fingerprint):
            continue
        taken = _take_in(job, lake, file, also, fingerprint=fingerprint)
        if taken is None:
            waiting.append(Waiting(file.label, "it was changed while it was read"))
        else:
            ingestions.append(taken)
    return Extraction(tuple(ingestions), tuple(waiting))


def _is_known(job: Job, ingestion: Ingestion | None, fingerprint: str) -> bool:
    return ingestion is not None and ingestion.fingerprint == fingerprint and not _has_come(job, ingestion)


def _has_come(job: Job, ingestion: Ingestion) -> bool:
    """Whether a day has come whose rows were quarantined as future ones."""
    if ingestion.future_from is None:
        return False
    return job.latest_event is None or date.fromisoformat(ingestion.future_from) <= job.latest_event


def _extract_database(
    job: Job, lake: Lake, source: DatabaseSource, also: dict[str, list[SourceFile]]
) -> Extraction:
    name = label_of(source)
    settings = _fingerprint(job, also, None)
    earlier = [each for each in lake.current(job.contract.feed) if (each.stream or each.source) == name]
    same = [each for each in earlier if each.fingerprint == settings and not _has_come(job, each)]
    last = earlier[-1] if earlier and len(same) == len(earlier) else None
    after = last.cursor if last is not None and source.cursor is not None else None
    snapshot = read_database(
        job.con, source, where=job.key("source"), target=job.scratch_dir / "source.parquet", after=after
    )
    notes = _notes(job, source, snapshot, after)
    if source.cursor is None:
        fingerprint = _fingerprint(job, also, snapshot.content_sha256)
        if earlier and _is_known(job, earlier[-1], fingerprint):
            return Extraction(notes=notes)
        return _with(_take_in(job, lake, _file_of(snapshot, name), also, fingerprint=fingerprint), notes)
    if last is not None and snapshot.content_sha256 == (
        last.content_sha256 if after is None else last.window_sha256
    ):
        return Extraction(notes=notes)
    if after is not None and not snapshot.rows:
        return Extraction(notes=notes)
    stream = _Stream(name, after is not None, snapshot.cursor, snapshot.window_sha256)
    label = f"{name}#{lake.next_sequence(job.contract.feed):06d}"
    return _with(
        _take_in(job, lake, _file_of(snapshot, label), also, fingerprint=settings, stream=stream), notes
    )


def _with(ingestion: Ingestion | None, notes: tuple[str, ...]) -> Extraction:
    return Extraction(() if ingestion is None else (ingestion,), notes=notes)


def _notes(job: Job, source: DatabaseSource, snapshot: Snapshot, after: str | None) -> tuple[str, ...]:
    if not snapshot.null_cursors:
        return ()
    read = (
        "they were read now, and changes to them will not be" if after is None else "they are not read again"
    )
    return (
        f"{job.contract.feed}: {snapshot.null_cursors:,} rows of {label_of(source)} have no {source.cursor}: "
        f"{read}",
    )


def resolve_also(job: Job) -> dict[str, str]:
    """The relation of each further source that the profile joins, as it is now."""
    return _read_also(
        job, {name: _resolve(job, each, "also", name)[0] for name, each in job.binding.also.items()}
    )


def fingerprint_of(job: Job, content_sha256: str) -> str:
    """The fingerprint that a file of this content has now."""
    also = {name: _resolve(job, each, "also", name)[0] for name, each in job.binding.also.items()}
    return _fingerprint(job, also, content_sha256)


def _fingerprint(job: Job, also: dict[str, list[SourceFile]], content_sha256: str | None) -> str:
    """A hash of all that decides the rows; without a content, of all the rest."""
    decisive = {
        "rules": RULES_VERSION,
        "content": content_sha256,
        "also": {name: [other.content_sha256 for other in others] for name, others in also.items()},
        # The gate's threshold changes no row.
        "binding": job.binding.model_dump(
            mode="json",
            exclude={
                "max_quarantine_share": True,
                "keep_days": True,
                "source": _NOT_DECISIVE,
                "also": {"__all__": {"max_unpacked"}},
            },
        ),
        "contract": job.contract.model_dump(mode="json", exclude={"references"}),
        "time_zone": job.time_zone,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _take_in(
    job: Job,
    lake: Lake,
    file: SourceFile,
    also: dict[str, list[SourceFile]],
    *,
    fingerprint: str,
    stream: _Stream | None = None,
) -> Ingestion | None:
    """The committed ingestion; None if the file was changed while it was read."""
    sequence = lake.next_sequence(job.contract.feed)
    ingestion = Ingestion(
        feed=job.contract.feed,
        ingestion_id=f"{sequence:06d}-{file.content_sha256[:12]}",
        sequence=sequence,
        source=file.label,
        content_sha256=file.content_sha256,
        fingerprint=fingerprint,
        source_bytes=file.source_bytes,
        ingested_at=datetime.now(UTC).replace(microsecond=0),
        stream=stream.name if stream else None,
        continues=stream.continues if stream else False,
        cursor=stream.cursor if stream else None,
        window_sha256=stream.window_sha256 if stream else None,
    )
    with (
        _temporary_tables(job.con),
        lake.staging_folder(job.contract.feed, ingestion.ingestion_id) as folder,
    ):
        try:
            ingestion = _write(job, file, also, ingestion, folder)
        except (FeedError, duckdb.Error, OSError, ValueError):
            if not is_unchanged(file):  # half a file may well be unreadable
                return None
            raise
        if not is_unchanged(file):
            return None
        return lake.commit(folder, ingestion)


def _write(
    job: Job, file: SourceFile, also: dict[str, list[SourceFile]], ingestion: Ingestion, folder: Path
) -> Ingestion:
    """Writes the ingestion's files to a folder; returns it with its counts."""
    source = _read(job, job.binding.source, file, f"{STAGE}_source", "source")
    if not source.columns:
        write_no_rows(job, folder)
        return ingestion
    duplicates = stage_rows(job, _named(job.binding.source, file), source, _read_also(job, also))
    if source.table is not None:
        # Its rows are staged by now; those of a large file would only be pushed to the disk.
        job.con.execute(f"drop table if exists {source.table}")
    rules = map_rows(job)
    write_rows(job, folder, ingestion.ingestion_id, file.label)
    write_quarantine(
        job,
        rules,
        source.unreadable,
        folder=folder,
        ingestion_id=ingestion.ingestion_id,
        label=file.label,
    )
    return accounted(
        job, ingestion, rules, folder=folder, unreadable_lines=source.unreadable, duplicates=duplicates
    )


def _named(source: AnySource, file: SourceFile) -> str:
    return file.label if isinstance(source, DatabaseSource) else f"the file {file.path}"


def _read(job: Job, source: AnySource, file: SourceFile, table: str, *key: str) -> SourceTable:
    return read_source(job.con, source, file, table=table, where=job.key(*key), scratch_dir=job.scratch_dir)


def _read_also(job: Job, also: dict[str, list[SourceFile]]) -> dict[str, str]:
    """The relation of each further source: its files one below the other."""
    relations = {}
    for name, files in also.items():
        parts = []
        for index, file in enumerate(files):
            source = job.binding.also[name]
            table = _read(job, source, file, f"{STAGE}_also_{name}_{index}", "also", name)
            line = table.unreadable and number(job.con, f"select min(_line) from {table.unreadable}")
            if line:
                raise SourceUnreadableError(
                    f"{job.key('also', name)}: row {line} of {_named(source, file)} cannot be read; a "
                    "source that is only joined has no quarantine, so it must be readable in whole"
                )
            parts.append(table.relation)
        relations[name] = " union all by name ".join(f"({part})" for part in parts)
    return relations


@contextmanager
def _temporary_tables(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Drops the stage's tables at the end, in whatever way it comes."""
    try:
        yield
    finally:
        tables = con.execute(
            "select table_name from duckdb_tables() where temporary and starts_with(table_name, ?)", [STAGE]
        ).fetchall()
        for (table,) in tables:
            con.execute(f"drop table temp.{identifier(table)}")
