"""Taking rows out of the lake: those of erased people, also out of the files they came in, and those that are
old.

An ingestion keeps its identity and its sum: what is taken out counts as quarantined with the reason `erased`
or `expired`, and nothing of it is kept. Every step can be done again: a job that died in between is finished
by the next one.
"""

import gzip
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipelines.feeds.accounts import number
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.conversion import local_date
from pipelines.feeds.extract import fingerprint_of, resolve_also
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.mapping import ERASED, EXPIRED, STAGE, Job, map_rows, stage_rows
from pipelines.feeds.readers import SourceTable, read_source
from pipelines.feeds.source_settings import FileSource
from pipelines.feeds.sources import SourceFile, resolve_files
from pipelines.feeds.sql import identifier, identifiers, literal, path_literal
from pipelines.feeds.tombstones import Tombstones, words_of


@dataclass(frozen=True)
class Cleaned:
    """A file of the data home from which rows were taken, or a source that still holds them.

    Attributes:
        label: the source, as the lake knows it.
        path: the file.
        rows: how many rows of erased people it held, copies included.
        left: why they are still there; None when they are gone.
    """

    label: str
    path: Path
    rows: int
    left: str | None = None


def erase_rows(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    contracts: Mapping[str, FeedContract],
    tombstones: Tombstones,
) -> dict[str, int]:
    """Takes the rows of erased people out of all ingestions, superseded ones too.

    Args:
        con: any connection; its time zone is the shop's.
        lake: the lake; the caller owns it.
        contracts: all feed contracts by name.
        tombstones: whose rows.

    Returns:
        Rows taken out, by feed; feeds that lost none are left out.
    """
    if not tombstones.load(con):
        return {}
    erased: dict[str, int] = {}
    for ingestion in lake.ingestions():
        if contract := contracts.get(ingestion.feed):
            rows = tombstones.rows_of_erased(contract, _rows(lake, ingestion, contract), "file_row_number")
            aside = tombstones.texts_of_erased(
                f"(from {_numbered(lake.quarantine_file(ingestion))} where original is not null)",
                "file_row_number",
                words_of("original"),
            )
            if lost := _take_out(con, lake, ingestion, rows=rows, aside=aside, reason=ERASED):
                erased[ingestion.feed] = erased.get(ingestion.feed, 0) + lost
    return erased


def expire_rows(
    con: duckdb.DuckDBPyConnection, lake: Lake, contract: FeedContract, *, before: date, time_zone: str
) -> int:
    """Lets go of a feed's rows about events before a day, and of what was set aside before it.

    Args:
        con: any connection.
        lake: the lake; the caller owns it.
        contract: of a feed with an event time.
        before: the first day that is kept, in the shop's zone.
        time_zone: the shop's.

    Returns:
        Rows taken out.
    """
    taken = 0
    for ingestion in lake.ingestions(contract.feed):
        rows = (
            f"select file_row_number as row_id from {_rows(lake, ingestion, contract)} "
            f"where {local_date(contract, time_zone)} < date {literal(before.isoformat())}"
        )
        is_old = ingestion.ingested_at.date() < before
        aside = (
            f"select file_row_number as row_id from {_numbered(lake.quarantine_file(ingestion))} "
            f"where original is not null and {'true' if is_old else 'false'}"
        )
        taken += _take_out(con, lake, ingestion, rows=rows, aside=aside, reason=EXPIRED)
    return taken


def _rows(lake: Lake, ingestion: Ingestion, contract: FeedContract) -> str:
    """The loaded rows with their number; a column that the contract has got since is null."""
    nulls = ", ".join(
        f"cast(null as {column.sql_type}) as {identifier(column.name)}" for column in contract.columns
    )
    return (
        f"(select * from (select {nulls}, cast(null as bigint) as file_row_number where false) "
        f"union all by name select * from {_numbered(lake.rows_file(ingestion))})"
    )


def _take_out(
    con: duckdb.DuckDBPyConnection, lake: Lake, ingestion: Ingestion, *, rows: str, aside: str, reason: str
) -> int:
    """Takes rows out of an ingestion; they count as quarantined, without their content.

    Args:
        con: any connection.
        lake: the lake.
        ingestion: the ingestion.
        rows, aside: queries of the numbers (`row_id`) of loaded and of quarantined rows.
        reason: under which they count.
    """
    loaded, quarantine = lake.rows_file(ingestion), lake.quarantine_file(ingestion)
    con.execute(f"create or replace temp table winback_feed_out as {rows}")
    con.execute(f"create or replace temp table winback_feed_out_aside as {aside}")
    lost = number(con, "select count(*) from winback_feed_out")
    lost_aside = number(con, "select count(*) from winback_feed_out_aside")
    kept = number(con, f"select count(*) from {_table(loaded)}") - lost
    if not lost and not lost_aside and kept == ingestion.rows_loaded:
        return 0
    still_aside = (
        f"from {_numbered(quarantine)} where reason <> {literal(reason)} "
        "and file_row_number not in (select row_id from winback_feed_out_aside)"
    )
    other = number(con, f"select count(*) {still_aside}")
    # From what was read, which does not change: the sum is right also after a job that died half-way.
    out = ingestion.rows_read - ingestion.rows_duplicate - kept - other
    origin = f"{literal(ingestion.ingestion_id)}, {literal(ingestion.source)}"
    _replace(
        con,
        f"""
        select * exclude (file_row_number) {still_aside}
        union all
        select {origin}, null, {literal(reason)}, null, null from range({out})
        """,
        quarantine,
    )
    if lost:
        still = "file_row_number not in (select row_id from winback_feed_out) order by file_row_number"
        _replace(con, f"select * exclude (file_row_number) from {_numbered(loaded)} where {still}", loaded)
    reasons = con.execute(
        f"select reason, count(*) from {_table(quarantine)} group by reason order by reason"
    ).fetchall()
    lake.amend(
        replace(
            ingestion,
            rows_loaded=kept,
            rows_quarantined=other + out,
            quarantined_by_reason={str(each): int(count) for each, count in reasons},
        )
    )
    return lost + lost_aside


def _numbered(file: Path) -> str:
    return f"read_parquet({path_literal(file)}, file_row_number = true, hive_partitioning = false)"


def _table(file: Path) -> str:
    return f"read_parquet({path_literal(file)}, hive_partitioning = false)"


def _replace(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    temporary = target.with_suffix(".new")
    con.execute(f"copy ({query}) to {literal(temporary.as_posix())} (format parquet, compression zstd)")
    _put(temporary, target)


def _put(temporary: Path, target: Path) -> None:
    """Take the target's place, durably, with its mode and times: nothing has arrived."""
    shutil.copystat(target, temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)


def erase_from_files(job: Job, lake: Lake, home: Path) -> Iterator[Cleaned]:
    """Takes the rows of erased people out of the feed's files below the data home.

    A file is written anew in its own format without them, and stays known to the lake: it is not taken in
    again. A file outside the home is its owner's and is only named; so is one that a query of the profile
    takes apart, since its rows can't be told from what comes out.

    Args:
        job: the feed's, with tombstones.
        lake: the lake; the caller owns it.
        home: the data home.

    Yields:
        Each file that holds, or held, such rows.
    """
    source = job.binding.source
    if not isinstance(source, FileSource) or job.tombstones is None or not job.tombstones.load(job.con):
        return
    files, _ = resolve_files(
        source,
        profile_file=job.profile_file,
        key=job.path("source"),
        base_dir=job.base_dir,
        settle_seconds=job.settle_seconds,
    )
    known = {each.source: each for each in lake.current(job.contract.feed)}
    for file in files:
        taken = known.get(file.label)
        if (
            taken
            and ERASED not in taken.quarantined_by_reason
            and taken.content_sha256 == file.content_sha256
        ):
            continue  # what came of it has lost nothing
        with _stage_dropped(job):
            cleaned = _clean(job, source, file, home)
            if cleaned is None:
                continue
            yield cleaned
            if cleaned.left is None and file.label in known:
                _keep_known(job, lake, known[file.label], file)


def _clean(job: Job, source: FileSource, file: SourceFile, home: Path) -> Cleaned | None:
    table = read_source(
        job.con, source, file, table=f"{STAGE}_source", where=job.key("source"), scratch_dir=job.scratch_dir
    )
    if not table.columns:
        return None
    job.con.execute(f"create or replace temp table {STAGE}_whole as {table.relation}")
    whole = SourceTable(f"select * from {STAGE}_whole", table.columns, table.unreadable)
    stage_rows(job, f"the file {file.path}", whole, resolve_also(job))
    rules = map_rows(job)
    of_erased = f"select _row from {STAGE}_mapped where _rule = {len(rules) - 1}"
    staged = f"select * from {STAGE}_rows where rowid in ({of_erased})"
    lines = ""
    assert job.tombstones is not None
    if table.unreadable is not None:
        lines = job.tombstones.texts_of_erased(table.unreadable, "rowid", words_of("raw"))
    found = number(job.con, f"select count(*) from ({staged})")
    found += number(job.con, f"select count(*) from ({lines})") if lines else 0
    if not found:
        return None
    if not file.path.resolve().is_relative_to(home.resolve()):
        return Cleaned(file.label, file.path, found, "it lies outside the data home: its owner must clean it")
    if job.binding.query is not None:
        return Cleaned(
            file.label, file.path, found, "a query of the profile takes it apart: its owner must clean it"
        )
    names = identifiers(table.columns)
    equal = " and ".join(
        f"whole.{identifier(name)} is not distinct from gone.{identifier(name)}" for name in table.columns
    )
    kept = (
        f"select {names} from {STAGE}_whole as whole anti join ({staged}) as gone on {equal} order by _line"
    )
    _write_anew(job, file, kept, unreadable=table.unreadable, erased_lines=lines)
    return Cleaned(file.label, file.path, found)


def _write_anew(job: Job, file: SourceFile, kept: str, *, unreadable: str | None, erased_lines: str) -> None:
    """Write the file's kept rows, and the lines that could not be read, in its own format in its place."""
    source = job.binding.source
    assert isinstance(source, FileSource)
    file_format = source.format_of(file.path)
    with TemporaryDirectory(prefix="feed-", dir=job.scratch_dir) as folder:
        plain = Path(folder, "plain")
        out = literal(plain.as_posix())
        if file_format == "parquet":
            job.con.execute(f"copy ({kept}) to {out} (format parquet, compression zstd)")
        elif file_format == "xlsx":
            _write_workbook(job, source, kept, plain)
        elif file_format == "jsonl":
            job.con.execute(f"copy ({kept}) to {out} (format json)")
        else:
            delimiter = source.delimiter or ("\t" if file_format == "tsv" else ",")
            job.con.execute(
                f"copy ({kept}) to {out} (format csv, header, delimiter {literal(delimiter)}, "
                f"quote {literal(source.quote)}, escape {literal(source.quote)})"
            )
        if file_format in ("csv", "tsv", "jsonl"):
            _append_lines(job, plain, unreadable, erased_lines)
            plain = _encoded(plain, source.encoding, packed=file.path.suffix.lower() == ".gz")
        # Beside its place, for the replacing must not cross file systems.
        beside = file.path.with_name(f".{file.path.name}.tmp-{os.getpid()}")
        try:
            shutil.copyfile(plain, beside)
            _put(beside, file.path)
        finally:
            beside.unlink(missing_ok=True)


def _append_lines(job: Job, plain: Path, unreadable: str | None, erased_lines: str) -> None:
    """What could not be read stays, at the end, where it is as unreadable as before."""
    if unreadable is None:
        return
    lines = job.con.execute(
        f"select raw from {unreadable} where rowid not in ({erased_lines}) order by _line"
    ).fetchall()
    with plain.open("a", encoding="utf-8") as out:
        for (line,) in lines:
            out.write(line.rstrip("\r\n") + "\n")


def _encoded(plain: Path, encoding: str, *, packed: bool) -> Path:
    target = plain.with_name("encoded")
    with (
        plain.open(encoding="utf-8", newline="") as text,
        gzip.open(target, "wb") if packed else target.open("wb") as out,
        # As one text: of UTF-16 each piece by itself would begin with a byte order mark.
        TextIOWrapper(out, encoding=encoding, errors="backslashreplace", newline="") as encoded,
    ):
        shutil.copyfileobj(text, encoded)
    return target


def _write_workbook(job: Job, source: FileSource, kept: str, target: Path) -> None:
    import xlsxwriter  # noqa: PLC0415 - only workbooks need it

    rows = job.con.execute(kept)
    with xlsxwriter.Workbook(
        str(target), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        names: list[str | None] = (
            [source.sheet] if isinstance(source.sheet, str) else [*(source.sheet or (None,))]
        )
        # All rows go into the first; the others stay, since the profile names them.
        sheets = [book.add_worksheet(name) for name in names]
        for each in sheets:
            each.write_row(0, 0, [column[0] for column in rows.description or ()])
        sheet = sheets[0]
        position = 0
        while batch := rows.fetchmany(10_000):
            for row in batch:
                position += 1
                for column, value in enumerate(row):
                    if value is not None:
                        sheet.write_string(position, column, str(value))


def _keep_known(job: Job, lake: Lake, ingestion: Ingestion, file: SourceFile) -> None:
    """The file as it is now counts as what was taken in: else the next run would take it in again."""
    [now], _ = resolve_files(
        FileSource(type="file", path=str(file.path)),
        profile_file=job.profile_file,
        key=job.path("source"),
        base_dir=job.base_dir,
        settle_seconds=0,
    )
    lake.amend(
        replace(
            ingestion,
            fingerprint=fingerprint_of(job, now.content_sha256),
            source_bytes=now.source_bytes,
        )
    )


@contextmanager
def _stage_dropped(job: Job) -> Iterator[None]:
    try:
        yield
    finally:
        tables = job.con.execute(
            "select table_name from duckdb_tables() where temporary and starts_with(table_name, ?) "
            "and table_name not like '%tombstone'",
            [STAGE],
        ).fetchall()
        for (table,) in tables:
            job.con.execute(f"drop table temp.{identifier(table)}")
