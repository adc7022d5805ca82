"""The private warehouse: the only module that opens it, and the lock that gives it to one run at a time.

DuckDB takes one writing process, and a run is more than one statement: between its gate and its dbt models
nobody else may replace a table. So a run holds an exclusive lock (`RunLock`) from its first to its last step.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from dagster import ConfigurableResource, InitResourceContext
from pydantic import Field, PrivateAttr

from pipelines.resources.process import is_alive, process_identity

if TYPE_CHECKING:
    from pipelines.settings import Settings

PROCESS_TAG = "winback/process"
"""Run tag with the identity of the run's process; `instance.mark_dead_runs` reads it."""

_POLL_SECONDS = 0.2
_REMIND_SECONDS = 30.0


class WarehouseBusy(RuntimeError):
    """Another run kept the warehouse for longer than the time-out; the message names it."""


class WarehouseUnreadable(RuntimeError):
    """The warehouse's file cannot be opened; the message says what to do."""


class WarehouseNotLocked(RuntimeError):
    """The warehouse was to be opened without holding its lock."""


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as the holder itself wrote it into the lock file."""

    run_id: str
    process: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id} (pid {self.process.split(':')[1]}) since {self.since}"


@dataclass
class _Held:
    """A lock this process holds: its descriptor, and (thread, run) of everyone who is inside."""

    descriptor: int
    entries: list[tuple[int, str]]


# Per process, not per object: flock belongs to an open file, so a second opening would wait for the first.
_held: dict[Path, _Held] = {}
_registry = threading.Lock()


def _forget_in_child() -> None:
    """After a fork the child lets go of its copy of the descriptors: the lock is its parent's alone."""
    global _registry  # noqa: PLW0603 - the lock may have been copied in its locked state
    _registry = threading.Lock()
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


class RunLock:
    """Exclusive lock on a file, for one run at a time, that the kernel frees when its process ends.

    Re-entrant for the holding thread and for the holding run; another run waits, in another process or in
    another thread of this one.

    Args:
        path: the lock file; it is created and never removed.
        timeout_seconds: how long to wait for another holder.
    """

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self.path = path.absolute()
        self.timeout_seconds = timeout_seconds

    def acquire(self, run_id: str, log: Callable[[str], object] | None = None) -> None:
        """Take the lock for `run_id`, or wait for it, saying so at once and then every 30 s.

        Args:
            run_id: whom to name to others that wait.
            log: gets the messages; by default they go to stderr.

        Raises:
            WarehouseBusy: another run still held it after the time-out.
        """
        start = time.monotonic()
        next_message = start
        while not self._try(run_id):
            now = time.monotonic()
            if now - start >= self.timeout_seconds:
                raise WarehouseBusy(
                    f"the warehouse is still held by {self._holder_name()} after {self.timeout_seconds:g} s "
                    f"of waiting ({self.path}). Wait for that run or stop it; "
                    "WINBACK_LOCK_TIMEOUT_SECONDS sets how long to wait."
                )
            if now >= next_message:
                message = f"waiting for the warehouse: held by {self._holder_name()}"
                (log or self._say)(message)
                next_message = now + _REMIND_SECONDS
            time.sleep(min(_POLL_SECONDS, self.timeout_seconds))

    def release(self, run_id: str) -> None:
        """Give back one `acquire` of `run_id`; the last one frees the lock.

        Raises:
            WarehouseNotLocked: this process does not hold the lock for that run.
        """
        with _registry:
            held = _held.get(self.path)
            entry = next((e for e in held.entries if e[1] == run_id), None) if held else None
            if held is None or entry is None:
                raise WarehouseNotLocked(f"run {run_id} does not hold {self.path}")
            held.entries.remove(entry)
            if not held.entries:
                os.ftruncate(held.descriptor, 0)
                os.close(held.descriptor)
                del _held[self.path]

    def is_held(self) -> bool:
        """Does this process hold the lock?"""
        with _registry:
            return self.path in _held

    def holder(self) -> Holder | None:
        """The living holder, whichever process it is; None when there is none or it is not readable."""
        try:
            holder = Holder(**json.loads(self.path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return holder if is_alive(holder.process) else None

    def _try(self, run_id: str) -> bool:
        me = (threading.get_ident(), run_id)
        with _registry:
            if held := _held.get(self.path):
                if not any(thread == me[0] or run == run_id for thread, run in held.entries):
                    return False
                held.entries.append(me)
                return True
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._write_holder(descriptor, run_id)
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            _held[self.path] = _Held(descriptor, [me])
            return True

    @staticmethod
    def _write_holder(descriptor: int, run_id: str) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        content = json.dumps({"run_id": run_id, "process": process_identity(), "since": since})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content.encode(), 0)

    @staticmethod
    def _say(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    def _holder_name(self) -> str:
        holder = self.holder()
        return "a process that gave no name" if holder is None else str(holder)


class Warehouse(ConfigurableResource):  # type: ignore[type-arg]
    """The warehouse for the length of a run: locked when the run's resources start, freed when they end.

    Example:
        >>> warehouse = Warehouse.from_settings(load_settings())
        >>> with warehouse.locked(run_id="rebuild", log=print), warehouse.connect() as connection:
        ...     connection.execute("select count(*) from core.customer").fetchone()
    """

    file: str = Field(description="path of the DuckDB file")
    temp_directory: str = Field(description="folder into which DuckDB spills what does not fit in memory")
    memory_limit: str = Field(default="4GB", description="DuckDB's memory limit")
    threads: int = Field(default=2, description="DuckDB's threads")
    time_zone: str = Field(description="the shop's zone: a cast of an instant to a date gives its local date")
    lock_timeout_seconds: float = Field(default=7200.0, description="how long to wait for another run")

    _run_id: str | None = PrivateAttr(default=None)

    @classmethod
    def from_settings(cls, settings: Settings) -> Warehouse:
        """The warehouse of a data home."""
        return cls(
            file=str(settings.warehouse_file),
            temp_directory=str(settings.scratch_dir / "duckdb"),
            memory_limit=settings.memory_limit,
            threads=settings.threads,
            time_zone=settings.profile.time_zone,
            lock_timeout_seconds=settings.lock_timeout_seconds,
        )

    @property
    def lock(self) -> RunLock:
        """The lock that its user must hold."""
        return RunLock(Path(self.file).parent / "warehouse.lock", self.lock_timeout_seconds)

    @property
    def config(self) -> dict[str, str | bool | int | float | list[str]]:
        """The one configuration of every connection, dbt's too (`dbt_project/profiles.yml` repeats it).

        DuckDB refuses a second connection to an open file with another configuration. The order of insertion
        is preserved: without that even `create table … as … order by` gives another order of rows each time
        (measured with 4M rows on two threads).
        """
        return {
            "memory_limit": self.memory_limit,
            "threads": str(self.threads),
            "temp_directory": self.temp_directory,
            "preserve_insertion_order": "true",
            # A typing error in a function's name must not make DuckDB look for an extension in the net.
            "autoinstall_known_extensions": "false",
        }

    def environment(self) -> dict[str, str]:
        """Environment variables that `dbt_project/profiles.yml` reads."""
        return {
            "WINBACK_DBT_WAREHOUSE_FILE": self.file,
            "WINBACK_DBT_MEMORY_LIMIT": self.memory_limit,
            "WINBACK_DBT_THREADS": str(self.threads),
            "WINBACK_DBT_TEMP_DIRECTORY": self.temp_directory,
            "WINBACK_DBT_TIME_ZONE": self.time_zone,
        }

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Note the run's process in its tags, so that a dead run can be told, and take the lock."""
        run_id = context.run_id or f"pid-{os.getpid()}"
        if context.instance is not None and context.dagster_run is not None:
            context.instance.add_run_tags(run_id, {PROCESS_TAG: process_identity()})
        self._prepare()
        self.lock.acquire(run_id, context.log.info if context.log else None)
        self._run_id = run_id

    def teardown_after_execution(self, context: InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Free the lock."""
        if self._run_id is not None:
            self.lock.release(self._run_id)
            self._run_id = None

    @contextmanager
    def locked(self, run_id: str, log: Callable[[str], object] | None = None) -> Iterator[Warehouse]:
        """Hold the lock outside a Dagster run.

        Args:
            run_id: the name that a waiting run is told.
            log: gets the messages while this one waits.

        Raises:
            WarehouseBusy: another run kept the warehouse for longer than the time-out.
        """
        self._prepare()
        lock = self.lock
        lock.acquire(run_id, log)
        try:
            yield self
        finally:
            lock.release(run_id)

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the one configuration; it is closed at the end.

        Raises:
            WarehouseNotLocked: this process does not hold the lock.
            WarehouseUnreadable: the file is no DuckDB database, or damaged, or another program has it open.
        """
        if not self.lock.is_held():
            raise WarehouseNotLocked(
                f"{self.file} is opened by runs that hold its lock: require the resource `warehouse`, "
                "or use `with warehouse.locked(run_id=…)`"
            )
        connection: Any = self._opened()
        try:
            Path(self.file).chmod(0o600)
            # GLOBAL, because cursors do not inherit what is set on their connection alone.
            connection.execute("set global TimeZone = ?", [self.time_zone])
            yield connection
        finally:
            connection.close()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(self.file, config=self.config)
        except duckdb.Error as error:
            # Its text is in the message; as the cause it would be all that people see.
            if "Could not set lock" in str(error):
                raise WarehouseUnreadable(
                    f"another program has the warehouse open: {error}\nClose it and run again. Analysts read "
                    "the "
                    "published copy, never the warehouse"
                ) from None
            raise WarehouseUnreadable(
                f"the warehouse {self.file} cannot be opened: {error}\nIf it is damaged, `winback rebuild` "
                "makes it "
                "anew from the lake; nothing is lost (docs/runbook.md, Damaged warehouse)"
            ) from None

    def _prepare(self) -> None:
        folder = Path(self.file).parent
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # somebody else's folder: opening the file will say more
            folder.chmod(0o700)
        Path(self.temp_directory).mkdir(parents=True, exist_ok=True)
