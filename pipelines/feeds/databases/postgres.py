"""PostgreSQL by ADBC: rows come as Arrow batches through COPY, in a stream."""

import re
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from pipelines.feeds.databases.address import Address
from pipelines.feeds.databases.problem import Kind, Problem
from pipelines.feeds.source_settings import PostgresSource

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMES = ("postgresql", "postgres")
# Bytes of a batch, of which the driver holds one.
_BATCH_BYTES = 8 * 1024 * 1024
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric"), "number"),
    **dict.fromkeys(("date", "timestamp"), "time"),
    "timestamptz": "instant",
}


class PostgresReader:
    """A connection in one read-only transaction with one snapshot, over a table or query.

    Every value is read as the server's own text of it: exact numerics, ISO 8601 dates, instants in UTC, bytes
    as `\\x` and hex digits.
    """

    def __init__(self, source: PostgresSource, address: Address) -> None:
        self._source = source
        self._address = address

    def __enter__(self) -> Self:
        # Takes its time to import, and only a profile with such a source needs it.
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415

        options = {"connect_timeout": str(self._source.connect_timeout), "application_name": "winback"}
        missing = {key: value for key, value in options.items() if key not in self._address.options}
        url = self._address.url
        if missing:
            url += ("&" if "?" in url else "?") + urlencode(missing)
        self._connection = dbapi.connect(url)
        try:
            self._run("set transaction isolation level repeatable read, read only")
            self._run(f"set local statement_timeout = {self._source.statement_timeout * 1000}")
            for setting in ("timezone = 'UTC'", "datestyle = 'ISO, YMD'", "intervalstyle = 'iso_8601'"):
                self._run(f"set local {setting}")
            self._run("set local bytea_output = 'hex'")
            self._run("set local extra_float_digits = 1")
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def quoted(self, name: str) -> str:
        """The name as an identifier."""
        return '"' + name.replace('"', '""') + '"'

    def columns(self) -> dict[str, Kind]:
        """The source's columns, and what kind of values each has."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"select * from {self._origin} limit 0")
            schema = cursor.fetch_record_batch().schema
        names = [_type_name(field) for field in schema]
        return {field.name: _KINDS.get(name, "other") for field, name in zip(schema, names, strict=True)}

    def now(self) -> datetime:
        """The snapshot's time, in UTC without saying so."""
        found: datetime = self._one("select (now() at time zone 'UTC')::timestamp")
        return found

    def count(self, condition: str) -> int:
        """How many rows meet a condition."""
        return int(self._one(f"select count(*) from {self._origin} where {condition}"))

    def bound(self, kind: Kind, value: str) -> str:
        """A cursor's value as SQL."""
        return {"number": value, "time": f"timestamp '{value}'", "instant": f"timestamptz '{value}+00'"}[kind]

    def batches(
        self, columns: list[str], condition: str | None, order: str | None
    ) -> "Iterator[pa.RecordBatch]":
        """The rows as Arrow batches of text."""
        selected = ", ".join(f"{self.quoted(name)}::text as {self.quoted(name)}" for name in columns)
        query = f"select {selected} from {self._origin}"
        if condition:
            query += f" where {condition}"
        if order:
            query += f" order by {self.quoted(order)} nulls first"
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(query)
            yield from cursor.fetch_record_batch()

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

    def _one(self, query: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        assert row is not None
        return row[0]


def _type_name(field: "pa.Field[Any]") -> str:
    name: bytes = (field.metadata or {}).get(b"POSTGRESQL:type", b"")
    return name.decode()


_REFUSALS = (
    'role "',
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted",
)


_STATE = re.compile(r"SQLSTATE:? ?([0-9A-Z]{5})")


def _state_of_message(text: str) -> str:
    if "statement timeout" in text:
        return "57014"
    # An error of the statement, such as a division by zero in a row, is no broken connection.
    return "XX000" if "ERROR:" in text and "connection" not in text else ""


_MEANING = {
    "42P01": "the table does not exist",
    "42703": "a column does not exist",
    "42501": "the user may not read this; grant it `select`",
}


def problem_of(error: Exception, source: PostgresSource) -> Problem | None:
    """What an error means; None if it is none of the driver's."""
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415

    text = " ".join(str(error).split())
    if isinstance(error, dbapi.Error):
        state = error.sqlstate or ""
    elif isinstance(error, OSError) and "libpq" in text:
        # Within the stream of rows the driver's error comes as one of Arrow's, its state in the text alone.
        found = _STATE.search(text)
        state = found[1] if found else _state_of_message(text)
    else:
        return None
    if not state and "Failed to connect" in text:
        return _connection_problem(text)
    read = "query" if source.query else "table"
    if state in _MEANING:
        return Problem("url" if state == "42501" else read, _MEANING[state], text)
    if state == "57014":
        return Problem(
            "statement_timeout",
            f"the read took longer than {source.statement_timeout} s; give it more, read less "
            "with `cursor:`, or help the query with an index",
            text,
        )
    lost = state.startswith(("08", "57P", "53")) or (not state and ("libpq" in text or "connection" in text))
    if lost:
        return Problem("url", "the connection broke", text, is_transient=True)
    return Problem(read, "the database refuses the read", text)


def _connection_problem(text: str) -> Problem:
    if any(refusal in text for refusal in _REFUSALS):
        return Problem("url", "the server refuses the user or its password; correct the variable", text)
    if 'database "' in text and "does not exist" in text:
        return Problem("url", "the server has no such database; correct the variable", text)
    return Problem(
        "url",
        "the database cannot be reached; see that it runs and that host and port are right",
        text,
        is_transient=True,
    )
