"""Dagster's event log in SQLite, with a connection that is kept.

Dagster makes a new SQLAlchemy engine for each event that it stores or reads, some ten milliseconds each time;
a daily run has hundreds of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import StringSource
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

_BUSY_TIMEOUT_SECONDS = 60
_KEPT_ENGINES = 8


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """As its parent, in the same files; `_connect` alone is another.

    Half-internal to Dagster, which is pinned: tests/integration/test_event_log.py watches it.
    """

    def __init__(self, home: str, inst_data: ConfigurableClassData | None = None) -> None:
        """The log of a `DAGSTER_HOME`, which lies where Dagster itself would put it."""
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(str(Path(home, "history", "runs")), inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """The configuration in dagster.yaml."""
        return {"home": StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledSqliteEventLogStorage:
        """As Dagster makes it."""
        return cls(config_value["home"], inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # The parent's lock: one thread at a time, so that one connection per file is enough.
        with self._db_lock:
            engine = self._engine(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        engine = sqlalchemy.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,
            connect_args={"timeout": _BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        # Enough in WAL mode: a crash of the machine may lose the last lines of the log, no run does.
        sqlalchemy.event.listen(engine, "connect", lambda raw, _: raw.execute("pragma synchronous = normal"))
        self._initdb(engine)
        self._engines[shard] = engine
        if len(self._engines) > _KEPT_ENGINES:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def wipe(self) -> None:
        """Removes all events; the files go, so the connections do first."""
        self.dispose()
        super().wipe()

    def dispose(self) -> None:
        """Closes the files."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()
