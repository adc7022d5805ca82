"""Dagster's event log of a data home, in the same SQLite files, with one connection per file.

Dagster 1.13 makes an engine, opens the file and waits for the disk for each of a run's thousands of
statements, and as each engine has a cache of its own, SQLAlchemy composes each statement anew: a sixth of a
small run. Here the engine of a file stays. `_connect` is no public name, so that
`tests/unit/resources/test_event_log.py` pins it, and `pyproject.toml` holds Dagster to one series. Whoever
opens the home without this class (the web server, the daemon) reads and writes the same files in Dagster's
own way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool


class EventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite; its connections stay open until `dispose`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> EventLog:
        """As Dagster makes it from its settings; the parent would make a parent."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # The lock also keeps threads apart, so that they can share a connection.
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = _engine(self.conn_string_for_shard(shard))
            engine = self._engines[shard]
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def dispose(self) -> None:
        """Close the files."""
        super().dispose()
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _engine(url: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=StaticPool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _do_not_wait_for_the_disk)
    return engine


def _do_not_wait_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    # The files are write-ahead logs: when the power fails the last events may be missing, and nothing is
    # damaged. What a killed process has written stays.
    connection.execute("pragma synchronous = normal")
