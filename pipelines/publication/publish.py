"""Replace the published database by a newer one, in one step and only if it is right.

The copy is made beside the published file: the current file is copied, this run's dates and the changed
unpartitioned tables are replaced in it, it is read back and compared, and then it takes the old file's place
(`os.replace`). A reader keeps the file it has opened; whoever opens it next gets the new one. Whatever fails
on the way leaves the published file as it was, byte by byte.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import duckdb

STORAGE_VERSION = "v1.0.0"
"""DuckDB's oldest stable storage format: every client since then reads it; it has all types we publish."""

_COPY = "winback_copy"

Mode = Literal["replaced_dates", "rewritten", "unchanged"]
Connection: TypeAlias = duckdb.DuckDBPyConnection
T = TypeVar("T")


class ContractMismatch(RuntimeError):
    """A warehouse table is not what its published contract says; the message names table and column."""


class PublicationError(RuntimeError):
    """The new copy was not right, or could not be made; the published file is as it was."""


@dataclass(frozen=True)
class PublishedColumn:
    """A column of a published table; `type` in DuckDB's words, such as `DECIMAL(18,2)`."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class PublishedTable:
    """What analysts get of one warehouse table: the named columns and no other.

    Args:
        schema: schema, the same in the warehouse and in the copy.
        name: table, likewise.
        comment: the table's comment.
        columns: the columns, in this order.
        key: columns whose values tell rows apart; rows are stored in their order.
        date_column: the as-of date of a table that is replaced date by date; None for a table that is
            replaced as a whole.
    """

    schema: str
    name: str
    comment: str
    columns: tuple[PublishedColumn, ...]
    key: tuple[str, ...]
    date_column: str | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        used = [*self.key, *([self.date_column] if self.date_column else [])]
        if unknown := [name for name in used if name not in names]:
            raise ValueError(
                f"published table {self.full_name}: {', '.join(unknown)} is no column of it; "
                f"columns: {', '.join(names)}"
            )

    @property
    def full_name(self) -> str:
        """`schema.name`, for messages."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class TableReport:
    """What was done to one table; `rows` is its size in the new copy."""

    table: str
    mode: Mode
    rows: int


@dataclass(frozen=True)
class PublishReport:
    """What was published; `full` when nothing of an earlier copy was used."""

    target: Path
    full: bool
    dates: tuple[date, ...]
    tables: tuple[TableReport, ...]
    size_bytes: int
    seconds: float

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


def publish(
    connection: Connection,
    target: Path,
    tables: Sequence[PublishedTable],
    *,
    dates: Collection[date],
    full: bool = False,
    allowed_dates: Collection[date] | None = None,
) -> PublishReport:
    """Bring the published file up to date with the warehouse.

    Dates that the warehouse no longer has (retention) disappear from the copy too. Dates that are neither in
    `dates` nor gone keep the rows they have in the copy.

    Args:
        connection: an open connection to the warehouse, outside a transaction. It is only read.
        target: the published file. One publisher at a time is the caller's care (the run's lock).
        tables: the contract: exactly these tables are in the copy, with these columns and comments.
        dates: dates whose rows are replaced in tables with a date column.
        full: start from an empty file. The same is done when there is no readable file yet.
        allowed_dates: dates that may be published wherever a dated table is written anew as a whole (a full
            publication, a new table, changed columns), because their gates have passed; None allows all.
            `dates` are always allowed.

    Raises:
        ContractMismatch: a table or column is missing in the warehouse or has another type, or a dated table
            has rows without a date.
        PublicationError: the copy differs from the warehouse, or the file system refused.
    """
    start = time.monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{target.name}.tmp-*"):
        stale.unlink()
    source = _scalar(connection, "select current_database()", str)
    _check_contract(connection, source, tables)
    temporary = target.with_name(f".{target.name}.tmp-{os.getpid()}")
    chosen = tuple(sorted(set(dates)))
    try:
        full = full or not _copy_current(connection, target, temporary)
        with _attached(connection, temporary, f"(storage_version '{STORAGE_VERSION}')"):
            publisher = _Publisher(connection, source, chosen, allowed_dates)
            with _transaction(connection):
                publisher.drop_others(tables)
                modes = [publisher.bring_up_to_date(table) for table in tables]
                publisher.comment(tables)
            connection.execute(f"checkpoint {_COPY}")
        with _attached(connection, temporary, "(read_only)"):
            reports = tuple(
                TableReport(table.full_name, mode, publisher.verify(table, mode))
                for table, mode in zip(tables, modes, strict=True)
            )
        size_bytes = temporary.stat().st_size
        _take_place(temporary, target)
    except (OSError, duckdb.Error) as error:
        raise PublicationError(f"publishing {target} failed: {error}") from error
    finally:
        for left in (temporary, _wal(temporary)):
            left.unlink(missing_ok=True)
    return PublishReport(target, full, chosen, reports, size_bytes, time.monotonic() - start)


class _Publisher:
    """The statements that bring the attached copy in line with the warehouse."""

    def __init__(
        self,
        connection: Connection,
        source: str,
        dates: tuple[date, ...],
        allowed_dates: Collection[date] | None,
    ) -> None:
        self._connection = connection
        self._source = source
        self._dates = dates
        self._allowed = None if allowed_dates is None else {*dates, *allowed_dates}
        self._of_source: dict[tuple[str, str], tuple[int, int]] = {}

    def drop_others(self, tables: Sequence[PublishedTable]) -> None:
        """Drop what an older contract published and this one does not."""
        wanted = {(table.schema, table.name) for table in tables}
        present = self._connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = ?", [_COPY]
        ).fetchall()
        for schema, name in present:
            if (schema, name) not in wanted:
                self._connection.execute(f"drop table {_quoted(_COPY, schema, name)}")

    def bring_up_to_date(self, table: PublishedTable) -> Mode:
        """Replace what has changed of one table, and its comments."""
        self._connection.execute(f"create schema if not exists {_quoted(_COPY, table.schema)}")
        mode: Mode = "rewritten"
        if not self._has_same_columns(table):
            self._rewrite(table)
        elif table.date_column is not None:
            self._replace_dates(table)
            mode = "replaced_dates"
        elif self._wanted(table) == self._checksum(table, _COPY):
            mode = "unchanged"
        else:
            self._rewrite(table)
        return mode

    def comment(self, tables: Sequence[PublishedTable]) -> None:
        """Give the copy its comments: those of yesterday's copy that have changed, and all of new tables."""
        found: dict[tuple[str, str, str], str | None] = {
            (schema, table, column): comment
            for schema, table, column, comment in self._connection.execute(
                "select schema_name, table_name, '', comment from duckdb_tables() "
                "where database_name = $copy "
                "union all select schema_name, table_name, column_name, comment from duckdb_columns() "
                "where database_name = $copy",
                {"copy": _COPY},
            ).fetchall()
        }
        for table in tables:
            copy, place = _name(_COPY, table), (table.schema, table.name)
            if found[(*place, "")] != table.comment:
                self._connection.execute(f"comment on table {copy} is {_literal(table.comment)}")
            for column in table.columns:
                if found[(*place, column.name)] != column.comment:
                    self._connection.execute(
                        f"comment on column {copy}.{_quoted(column.name)} is {_literal(column.comment)}"
                    )

    def verify(self, table: PublishedTable, mode: Mode) -> int:
        """Compare the copy with the warehouse, and count its rows.

        Raises:
            PublicationError: they differ.
        """
        if not self._has_same_columns(table):
            raise PublicationError(f"the copy of {table.full_name} has other columns than its contract")
        where = self._in_dates(table, self._dates) if mode == "replaced_dates" else self._allowed_rows(table)
        wanted, found = self._wanted(table, where), self._checksum(table, _COPY, where)
        if wanted != found:
            raise PublicationError(
                f"the copy of {table.full_name} differs from the warehouse: "
                f"{found[0]} rows with checksum {found[1]} instead of {wanted[0]} with {wanted[1]}"
            )
        return _scalar(self._connection, f"select count(*) from {_name(_COPY, table)}", int)

    def _has_same_columns(self, table: PublishedTable) -> bool:
        wanted = [(c.name, _canonical_type(table, c)) for c in table.columns]
        return _columns(self._connection, _COPY, table) == wanted

    def _rewrite(self, table: PublishedTable) -> None:
        copy = _name(_COPY, table)
        definition = ", ".join(f"{_quoted(column.name)} {column.type}" for column in table.columns)
        self._connection.execute(f"create or replace table {copy} ({definition})")
        self._insert(table, self._allowed_rows(table))

    def _replace_dates(self, table: PublishedTable) -> None:
        column = _quoted(table.date_column or "")
        copy = _name(_COPY, table)
        self._connection.execute(
            f"delete from {copy} where {self._in_dates(table, self._dates)} "
            f"or {column} not in (select distinct {column} from {_name(self._source, table)})"
        )
        self._insert(table, self._in_dates(table, self._dates))

    def _insert(self, table: PublishedTable, where: str) -> None:
        columns = ", ".join(_quoted(column.name) for column in table.columns)
        order = ", ".join(
            _quoted(name) for name in dict.fromkeys(filter(None, (table.date_column, *table.key)))
        )
        self._connection.execute(
            f"insert into {_name(_COPY, table)} ({columns}) "
            f"select {columns} from {_name(self._source, table)} where {where}"
            + (f" order by {order}" if order else "")
        )

    def _wanted(self, table: PublishedTable, where: str = "true") -> tuple[int, int]:
        """The checksum in the warehouse, to which nobody writes while this run has its lock."""
        key = (table.full_name, where)
        if key not in self._of_source:
            self._of_source[key] = self._checksum(table, self._source, where)
        return self._of_source[key]

    def _checksum(self, table: PublishedTable, database: str, where: str = "true") -> tuple[int, int]:
        """Rows, and a sum over their hashes that does not depend on their order."""
        columns = ", ".join(_quoted(column.name) for column in table.columns)
        row = self._connection.execute(
            f"select count(*), coalesce(sum(hash({columns})::hugeint), 0) "
            f"from {_name(database, table)} where {where}"
        ).fetchone()
        assert row is not None  # an aggregate without groups has one row
        return int(row[0]), int(row[1])

    def _allowed_rows(self, table: PublishedTable) -> str:
        if table.date_column is None or self._allowed is None:
            return "true"
        return self._in_dates(table, self._allowed)

    @staticmethod
    def _in_dates(table: PublishedTable, dates: Iterable[date]) -> str:
        listed = ", ".join(f"date '{day.isoformat()}'" for day in sorted(dates))
        return f"{_quoted(table.date_column or '')} in ({listed})" if listed else "false"


def _check_contract(connection: Connection, source: str, tables: Sequence[PublishedTable]) -> None:
    faults = [fault for table in tables for fault in _faults(connection, source, table)]
    if faults:
        raise ContractMismatch("the warehouse breaks the published contract:\n  " + "\n  ".join(faults))


def _faults(connection: Connection, source: str, table: PublishedTable) -> Iterator[str]:
    found = dict(_columns(connection, source, table))
    if not found:
        yield f"table {table.full_name} is missing in the warehouse"
        return
    for column in table.columns:
        wanted = _canonical_type(table, column)
        if column.name not in found:
            yield f"{table.full_name}.{column.name} ({wanted}) is missing; columns: {', '.join(found)}"
        elif found[column.name] != wanted:
            yield f"{table.full_name}.{column.name} is {found[column.name]}; the contract says {wanted}"
        elif column.name == table.date_column:
            undated = _scalar(
                connection,
                f"select count(*) from {_name(source, table)} where {_quoted(column.name)} is null",
                int,
            )
            if undated:
                yield f"{table.full_name}.{column.name} is null in {undated} rows"


def _columns(connection: Connection, database: str, table: PublishedTable) -> list[tuple[str, str]]:
    """Names and types; empty when there is no such table."""
    try:
        rows = connection.execute(f"describe {_name(database, table)}").fetchall()
    except duckdb.CatalogException:
        return []
    return [(str(name), str(kind)) for name, kind, *_ in rows]


def _canonical_type(table: PublishedTable, column: PublishedColumn) -> str:
    try:
        return _duckdb_name(column.type)
    except duckdb.Error as error:
        raise ContractMismatch(
            f"{table.full_name}.{column.name}: {column.type!r} is no DuckDB type: {error}"
        ) from error


@lru_cache
def _duckdb_name(kind: str) -> str:
    """DuckDB's own name of a type; a handful of types serve hundreds of columns."""
    with duckdb.connect() as connection:
        return _scalar(connection, f"select typeof(cast(null as {kind}))", str)


def _copy_current(connection: Connection, target: Path, temporary: Path) -> bool:
    """Copy the published file to the temporary one; False when there is none that can be carried on."""
    if not target.exists():
        return False
    shutil.copyfile(target, temporary)
    try:
        with _attached(connection, temporary, "(read_only)"):
            tags = _scalar(
                connection, f"select tags from duckdb_databases() where database_name = '{_COPY}'", dict
            )
    except duckdb.Error:  # damaged, or written by a newer DuckDB: it is made anew
        tags = {}
    if str(tags.get("storage_version", "")).rstrip("+") == STORAGE_VERSION:
        return True
    temporary.unlink()
    return False


@contextmanager
def _attached(connection: Connection, path: Path, options: str) -> Iterator[None]:
    connection.execute(f"attach {_literal(str(path))} as {_COPY} {options}")
    try:
        yield
    finally:
        connection.execute(f"detach {_COPY}")


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """All or nothing; and each statement that stood alone would wait for the disk."""
    connection.execute("begin transaction")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _take_place(temporary: Path, target: Path) -> None:
    if _wal(temporary).exists():
        raise PublicationError(f"{temporary} was not written out: it still has a log beside it")
    temporary.chmod(0o644)
    _sync(temporary)
    temporary.replace(target)
    # A log that somebody's writing session left belongs to the old file and would spoil the new one.
    _wal(target).unlink(missing_ok=True)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _name(database: str, table: PublishedTable) -> str:
    return _quoted(database, table.schema, table.name)


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _scalar(connection: Connection, sql: str, kind: type[T]) -> T:
    row = connection.execute(sql).fetchone()
    if row is None or not isinstance(row[0], kind):
        raise PublicationError(f"unexpected answer {row!r} to: {sql}")
    return row[0]
