"""A Great Expectations datasource for an open DuckDB connection.

Great Expectations 1.24 has no DuckDB datasource, and its SQL engine takes a connection from the pool for
each query and gives it back before the result is read, which drops DuckDB's pending result ("list index out
of range"). The engine here keeps one connection as long as it lives. That connection is a cursor of the one
that is passed in, so that nothing opens a database file: a second opener fails with "different
configuration". A cursor is a connection of its own to the same database: it does not see temporary tables or
uncommitted rows of the connection it comes from.

Importing this module imports Great Expectations, which takes seconds: import it inside functions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Literal

from duckdb_engine import ConnectionWrapper
from sqlalchemy.pool import StaticPool

# Great Expectations imports PySpark where it is installed, which takes seconds, and with it Spark Connect:
# where its packages are missing PySpark ends a process without a main file. Nothing here runs on Spark.
_hidden = sys.modules.get("pyspark")
sys.modules["pyspark"] = None  # type: ignore[assignment]  # the import system's way to say "not there"
try:
    import great_expectations as gx
    from great_expectations.data_context import AbstractDataContext
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.registry import get_expectation_impl
finally:
    del sys.modules["pyspark"]
    if _hidden is not None:
        sys.modules["pyspark"] = _hidden

__all__ = [
    "DuckDBDatasource",
    "DuckDBExecutionEngine",
    "get_expectation_impl",
    "gx_context",
    "warehouse_datasource",
]

if TYPE_CHECKING:
    import duckdb
    import sqlalchemy

_datasource_numbers = count(1)


class _AutocommitConnection(ConnectionWrapper):
    """A connection on which each statement stands alone.

    SQLAlchemy opens a transaction before its first statement. In DuckDB a statement that fails at run time
    aborts it, and every later expectation would fail with "current transaction is aborted".
    """

    def begin(self) -> None:
        """Open no transaction."""

    def commit(self) -> None:
        """Nothing is pending."""

    def rollback(self) -> None:
        """Nothing is pending."""


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """The SQL engine with one connection from its first query to `release`."""

    @contextmanager
    def get_connection(self) -> Iterator[sqlalchemy.Connection]:
        """Yield the one connection and leave it open, whatever follows still reads from it."""
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection

    def release(self) -> None:
        """Give up the connection, and with it the cursor on the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.engine.dispose()


class DuckDBDatasource(SQLDatasource):
    """A fluent datasource whose engine is `DuckDBExecutionEngine`; made by `warehouse_datasource`."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]  # fluent datasources narrow it this way

    @property
    def execution_engine_type(self) -> type[SqlAlchemyExecutionEngine]:
        """The engine that runs the expectations."""
        return DuckDBExecutionEngine

    def _save_context_project_config(self) -> None:
        """Keep nothing: the context has no files, and would write all it knows as YAML for each batch."""


@cache
def gx_context() -> AbstractDataContext:
    """The process's one ephemeral context: no files, no progress bars, no analytics."""
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


@contextmanager
def warehouse_datasource(con: duckdb.DuckDBPyConnection) -> Iterator[DuckDBDatasource]:
    """A datasource on an open connection; afterwards nothing of it holds the database.

    The session's time zone goes along, so that `cast(ts as date)` gives the same local date.
    """
    cursor = con.cursor()
    try:
        time_zone = con.execute("select current_setting('TimeZone')").fetchone()
        cursor.execute(f"set TimeZone = '{time_zone[0]}'")
        sources = gx_context().data_sources
        name = f"warehouse_{next(_datasource_numbers)}"
        datasource = sources.add_duckdb(
            name=name,
            connection_string="duckdb://",
            kwargs={"creator": lambda: _AutocommitConnection(cursor), "poolclass": StaticPool},
        )
        try:
            yield datasource
        finally:
            datasource.get_execution_engine().release()
            datasource.get_engine().dispose()
            sources.delete(name)
    finally:
        cursor.close()
