"""Reading a table or query into a Parquet file: in chunks, on from where the last read ended."""

import hashlib
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from pipelines.feeds.databases import mysql, postgres
from pipelines.feeds.databases.address import Address
from pipelines.feeds.databases.problem import Kind, Problem
from pipelines.feeds.errors import (
    ConfigError,
    FeedError,
    SourceNotFoundError,
    SourceUnreachableError,
    SourceUnreadableError,
)
from pipelines.feeds.source_settings import DatabaseSource, MySqlSource, PostgresSource
from pipelines.feeds.sources import with_variables
from pipelines.feeds.sql import identifier, path_literal

if TYPE_CHECKING:
    import pyarrow as pa

Reader = postgres.PostgresReader | mysql.MySqlReader

_log = logging.getLogger(__name__)
_BACK_OFF_SECONDS = 1.0
# A timestamp without zone may be ahead of UTC; one still later is a mistake that would end all reading.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Snapshot:
    """What one read brought.

    Attributes:
        path: the Parquet file: the source's columns as text, and `_line`, the row's number as it came.
        content_sha256: hash of the rows, whatever their order.
        cursor: the highest value of the cursor column, a mistake in the future left out; None without one.
        window_sha256: hash of the rows that the next read would bring if nothing changed.
        rows: how many.
        null_cursors: rows of the source without a value in the cursor column.
    """

    path: Path
    content_sha256: str
    cursor: str | None
    window_sha256: str | None
    rows: int
    null_cursors: int


def read_database(
    con: duckdb.DuckDBPyConnection, source: DatabaseSource, *, where: str, target: Path, after: str | None
) -> Snapshot:
    """Reads a database source into a Parquet file, at the memory of one chunk.

    Args:
        con: a DuckDB connection, for hashes.
        source: the configured source.
        where: profile file and the source's key, for messages.
        target: the file to write.
        after: the cursor of the snapshot before; None to read all.

    Raises:
        ConfigError: a wrong URL, a cursor column that is not there or no number or time.
        SourceNotFoundError: an unset variable; a server, user, database, table or column that is not there.
        SourceUnreadableError: a read that took too long or broke.
    """
    hint = f"\n{source.hint.strip()}" if source.hint else ""
    url = with_variables(source.url, f"{where}.url", "the URL of the database", hint)
    address = _address(source, url, where)
    for attempt in range(source.retries + 1):
        try:
            return _read_once(con, source, address, where=where, target=target, after=after)
        except Exception as error:
            problem = _problem_of(error, source)
            if problem is None:
                raise
            if problem.is_transient and attempt < source.retries:
                seconds = _BACK_OFF_SECONDS * 2**attempt
                _log.warning("%s: %s; trying again in %g s", where, address.shown, seconds)
                time.sleep(seconds)
                continue
            kind: type[FeedError] = SourceUnreachableError if problem.is_transient else SourceNotFoundError
            if problem.key == "statement_timeout":
                kind = SourceUnreadableError
            tried = f" after {attempt + 1} attempts" if problem.is_transient else ""
            # Without the driver's own error, which nobody has cleaned of passwords.
            raise kind(
                f"{where}.{problem.key}: {label_of(source)} at {address.shown}: {problem.message}{tried}: "
                f"{address.redacted(problem.text)}{hint}"
            ) from None
    raise AssertionError("the last attempt returns or raises")


def label_of(source: DatabaseSource) -> str:
    """The name under which the lake knows the source: its kind, and its table if it is one.

    Example:
        >>> from pipelines.feeds.source_settings import PostgresSource
        >>> label_of(PostgresSource(type="postgres", url="${SHOP_DB_URL}", table="sales.orders"))
        'postgres:sales.orders'
    """
    kind = "postgres" if isinstance(source, PostgresSource) else "mysql"
    return f"{kind}:{source.table or 'query'}"


def _address(source: DatabaseSource, url: str, where: str) -> Address:
    schemes = postgres.SCHEMES if isinstance(source, PostgresSource) else mysql.SCHEMES
    return Address.parse(url, schemes, f"{where}.url")


def _reader(source: DatabaseSource, address: Address) -> Reader:
    if isinstance(source, PostgresSource):
        return postgres.PostgresReader(source, address)
    assert isinstance(source, MySqlSource)
    return mysql.MySqlReader(source, address)


def _problem_of(error: Exception, source: DatabaseSource) -> Problem | None:
    if isinstance(source, PostgresSource):
        return postgres.problem_of(error, source)
    assert isinstance(source, MySqlSource)
    return mysql.problem_of(error, source)


def _read_once(
    con: duckdb.DuckDBPyConnection,
    source: DatabaseSource,
    address: Address,
    *,
    where: str,
    target: Path,
    after: str | None,
) -> Snapshot:
    with _reader(source, address) as reader:
        columns = reader.columns()
        kind = _cursor_kind(source, columns, where)
        condition, null_cursors, now = None, 0, reader.now()
        if source.cursor is not None:
            null_cursors = reader.count(f"{reader.quoted(source.cursor)} is null")
            if after is not None:
                bound = reader.bound(kind, _bound(source, kind, after))
                condition = f"{reader.quoted(source.cursor)} >= {bound}"
        rows = _write(reader, list(columns), condition, source, target)
    scan = f"read_parquet({path_literal(target)})"
    content = _hash_of(con, f"select * exclude (_line) from {scan}")
    if source.cursor is None:
        return Snapshot(target, content, None, None, rows, 0)
    cursor = _highest(con, scan, source.cursor, kind, now) or after
    window = None
    if cursor is not None:
        value = f"{_typed(source.cursor, kind)} >= {_typed_literal(_bound(source, kind, cursor), kind)}"
        window = _hash_of(con, f"select * exclude (_line) from {scan} where {value}")
    return Snapshot(target, content, cursor, window, rows, null_cursors)


def _cursor_kind(source: DatabaseSource, columns: dict[str, Kind], where: str) -> Kind:
    if source.cursor is None:
        return "other"
    if source.cursor not in columns:
        raise ConfigError(
            f"{where}.cursor: {label_of(source)} has no column {source.cursor!r}; its columns: "
            f"{', '.join(columns)}"
        )
    kind = columns[source.cursor]
    if kind == "other":
        raise ConfigError(
            f"{where}.cursor: the column {source.cursor!r} of {label_of(source)} is neither a number nor a "
            "date or timestamp; name one that grows with every change, or leave the cursor out"
        )
    if source.look_back is not None and (kind == "number") != isinstance(source.look_back, int):
        accepted = "a number" if kind == "number" else "a duration such as 90s, 15m, 12h or 3d"
        raise ConfigError(
            f"{where}.look_back: {source.look_back!r} does not fit the cursor {source.cursor!r}; "
            f"accepted: {accepted}"
        )
    return kind


def _bound(source: DatabaseSource, kind: Kind, cursor: str) -> str:
    """Where a read begins that comes after one that ended at `cursor`."""
    if kind == "number":
        return str(Decimal(cursor) - (source.look_back if isinstance(source.look_back, int) else 0))
    duration = source.look_back_duration or timedelta()
    return (datetime.fromisoformat(cursor) - duration).isoformat(sep=" ")


def _write(
    reader: Reader, columns: list[str], condition: str | None, source: DatabaseSource, target: Path
) -> int:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema([*((name, pa.string()) for name in columns), ("_line", pa.int64())])
    rows = 0
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for batch in reader.batches(columns, condition, source.cursor):
            for start in range(0, batch.num_rows, source.chunk_rows):
                chunk = batch.slice(start, source.chunk_rows)
                writer.write_batch(_numbered(chunk, rows, schema))
                rows += chunk.num_rows
    return rows


def _numbered(batch: "pa.RecordBatch", before: int, schema: "pa.Schema") -> "pa.RecordBatch":
    import pyarrow as pa  # noqa: PLC0415

    lines = pa.array(range(before + 1, before + 1 + batch.num_rows), pa.int64())
    return pa.RecordBatch.from_arrays([*batch.columns, lines], schema=schema)


def _hash_of(con: duckdb.DuckDBPyConnection, query: str) -> str:
    """A hash of rows that does not depend on their order, which a database does not promise."""
    row = con.execute(
        f"""
        select count(*), sum(md5_number_upper(line)), sum(md5_number_lower(line))
        from (select cast(to_json(each) as varchar) as line from ({query}) as each)
        """
    ).fetchone()
    return hashlib.sha256(repr(row).encode()).hexdigest()


def _typed(column: str, kind: Kind) -> str:
    # An instant is read in UTC, with its offset of zero.
    return f"try_cast({identifier(column)} as {'decimal(38, 10)' if kind == 'number' else 'timestamp'})"


def _typed_literal(value: str, kind: Kind) -> str:
    return f"cast('{value}' as {'decimal(38, 10)' if kind == 'number' else 'timestamp'})"


def _highest(con: duckdb.DuckDBPyConnection, scan: str, column: str, kind: Kind, now: datetime) -> str | None:
    value = _typed(column, kind)
    limit = "" if kind == "number" else f"where {value} <= timestamp '{(now + _AHEAD).isoformat(sep=' ')}'"
    row = con.execute(f"select max({value}) from {scan} {limit}").fetchone()
    if row is None or row[0] is None:
        return None
    if kind != "number":
        return str(row[0].isoformat(sep=" "))
    number = Decimal(row[0])
    return str(int(number)) if number == int(number) else str(number)
