"""MySQL and MariaDB by PyMySQL, with a cursor on the server's side: rows come one by one, in a stream."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipelines.feeds.databases.address import Address
from pipelines.feeds.databases.problem import Kind, Problem
from pipelines.feeds.source_settings import MySqlSource

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMES = ("mysql", "mariadb", "mysql+pymysql")
# A slice of rows before the chunk's memory is looked at again.
_SLICE_ROWS = 1000
_BATCH_BYTES = 32 * 1024 * 1024
_GRACE_SECONDS = 30

_BIT, _TIMESTAMP = 16, 7
_NUMBERS = (0, 1, 2, 3, 8, 9, 246)
_TIMES = (10, 12, 14)


class MySqlReader:
    """A connection in one read-only transaction with one snapshot, over a table or query.

    Every value is read as the server's own text of it: exact decimals, `0000-00-00` as it stands, a TIMESTAMP
    in UTC with its offset, a DATETIME without one, bytes as `\\x` and hex digits, a BIT as its number.
    """

    def __init__(self, source: MySqlSource, address: Address) -> None:
        self._source = source
        self._address = address

    def __enter__(self) -> Self:
        import pymysql  # noqa: PLC0415

        address, options = self._address, self._address.options
        self._connection = pymysql.connect(
            host=address.host or "localhost",
            port=address.port or 3306,
            user=address.user,
            password=address.password or "",
            database=address.database or None,
            charset="utf8mb4",
            ssl=ssl.create_default_context(cafile=options["ssl_ca"]) if "ssl_ca" in options else None,
            connect_timeout=self._source.connect_timeout,
            read_timeout=self._source.statement_timeout + _GRACE_SECONDS,
            conv={0: str},  # text as the server sends it: an empty mapping would mean the default
            autocommit=True,
        )
        try:
            seconds = self._source.statement_timeout
            is_maria = "mariadb" in self._one("select version()").lower()
            self._run(
                f"set session max_statement_time = {seconds}"
                if is_maria
                else f"set session max_execution_time = {seconds * 1000}"
            )
            self._run("set session time_zone = '+00:00'")
            # The server gives up a client that writes a chunk for longer than this.
            self._run(f"set session net_write_timeout = {seconds}")
            self._run("set session transaction isolation level repeatable read")
            self._run("start transaction with consistent snapshot, read only")
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not close(): with rows still to come it would wait for all of them.
        closing: Any = self._connection
        closing._force_close()

    def quoted(self, name: str) -> str:
        """The name as an identifier."""
        return "`" + name.replace("`", "``") + "`"

    def columns(self) -> dict[str, Kind]:
        """The source's columns, and what kind of values each has."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"select * from {self._origin} limit 0")
            return {column[0]: _kind(int(column[1])) for column in cursor.description}

    def now(self) -> datetime:
        """The snapshot's time, in UTC without saying so."""
        return datetime.fromisoformat(self._one("select utc_timestamp(6)"))

    def count(self, condition: str) -> int:
        """How many rows meet a condition."""
        return int(self._one(f"select count(*) from {self._origin} where {condition}"))

    def bound(self, kind: Kind, value: str) -> str:
        """A cursor's value as SQL."""
        return value if kind == "number" else f"timestamp'{value}'"

    def batches(
        self, columns: list[str], condition: str | None, order: str | None
    ) -> "Iterator[pa.RecordBatch]":
        """The rows as Arrow batches of text."""
        import pyarrow as pa  # noqa: PLC0415
        from pymysql.cursors import SSCursor  # noqa: PLC0415

        query = f"select {', '.join(map(self.quoted, columns))} from {self._origin}"
        if condition:
            query += f" where {condition}"
        if order:
            query += f" order by {self.quoted(order)}"  # nulls come first
        with self._connection.cursor(SSCursor) as cursor:
            cursor.execute(query)
            texts = [_text_of(int(column[1])) for column in cursor.description]
            rows = iter(cursor.fetchone, None)
            while chunk := list(self._chunk(rows)):
                arrays = [
                    pa.array([None if value is None else text(value) for value in column], pa.string())
                    for text, column in zip(texts, zip(*chunk, strict=True), strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, columns)

    def _chunk(self, rows: Iterator[Any]) -> Iterator[Sequence[Any]]:
        count = size = 0
        while count < self._source.chunk_rows and size < _BATCH_BYTES:
            part = list(islice(rows, min(_SLICE_ROWS, self._source.chunk_rows - count)))
            if not part:
                return
            count += len(part)
            size += sum(len(value) for row in part for value in row if value is not None)
            yield from part

    @property
    def _origin(self) -> str:
        if self._source.table is not None:
            return (
                ".".join(self.quoted(part) for part in self._source.table.split(".")) + " as winback_source"
            )
        return f"(\n{(self._source.query or '').strip().rstrip(';')}\n) as winback_source"

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def _one(self, query: str) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        assert row is not None
        return str(row[0])


def _kind(code: int) -> Kind:
    if code in _NUMBERS:
        return "number" if code not in (4, 5) else "other"
    if code == _TIMESTAMP:
        return "instant"
    return "time" if code in _TIMES else "other"


def _text_of(code: int) -> Callable[[Any], str]:
    if code == _BIT:
        return lambda value: str(int.from_bytes(value, "big"))
    if code == _TIMESTAMP:
        return lambda value: f"{value}+00:00"
    return lambda value: "\\x" + value.hex() if isinstance(value, bytes) else str(value)


_REFUSED = "the server refuses the user or its password; correct the variable"
_NO_DATABASE = "the server has no such database; correct the variable"
_NO_GRANT = "the user may not read this; grant it `select`"
_UNREACHABLE = "the database cannot be reached; see that it runs and that host and port are right"
_OF_URL = (_REFUSED, _NO_DATABASE, _NO_GRANT, _UNREACHABLE)
# Codes of server and client.
_MEANING = {
    **dict.fromkeys((1044, 1045, 1698, 1251, 2061), _REFUSED),
    **dict.fromkeys((1142, 1143), _NO_GRANT),
    **dict.fromkeys((2002, 2003), _UNREACHABLE),
    1049: _NO_DATABASE,
    1146: "the table does not exist",
    1054: "a column does not exist",
}
_BROKEN = (1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 2006, 2013, 2014, 2055)
_TIMED_OUT = (1969, 3024)


def problem_of(error: Exception, source: MySqlSource) -> Problem | None:
    """What an error means; None if it is none of the driver's."""
    import pymysql  # noqa: PLC0415

    if not isinstance(error, pymysql.MySQLError):
        return None
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = " ".join(str(error).split())
    read = "query" if source.query else "table"
    if code in _TIMED_OUT or (code == 2013 and "timed out" in text):
        return Problem(
            "statement_timeout",
            f"the read took longer than {source.statement_timeout} s; give it more, read less "
            "with `cursor:`, or help the query with an index",
            text,
        )
    if code in _MEANING:
        message = _MEANING[code]
        return Problem("url" if message in _OF_URL else read, message, text, code in (2002, 2003))
    if code in _BROKEN or isinstance(error, pymysql.InterfaceError):
        return Problem("url", "the connection broke", text, is_transient=True)
    return Problem(read, "the database refuses the read", text)
