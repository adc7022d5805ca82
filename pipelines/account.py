"""Where the time of a command goes: SQL, files, imports, dbt, Great Expectations, computing, Dagster.

At each moment one thing counts, the first of `ORDER` that is being done in any thread: while DuckDB works for
dbt, it is SQL. What nobody claims is Dagster's. Nothing is measured unless a command asks for it (`watched`).
"""

from __future__ import annotations

import builtins
import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

SQL = "SQL"
FILES = "files"
IMPORTS = "imports"
EXPECTATIONS = "Great Expectations"
DBT = "dbt"
COMPUTING = "computing"
REPORT = "report"
DAGSTER = "Dagster"

ORDER = (SQL, IMPORTS, FILES, EXPECTATIONS, COMPUTING, REPORT, DBT, DAGSTER)
"""Which of several things that are done at once counts. Dagster, the last, is always at work."""

# What of a connection waits for DuckDB. Results are computed as they are fetched.
_WAITING = (
    "execute",
    "executemany",
    "sql",
    "query",
    "fetchone",
    "fetchmany",
    "fetchall",
    "commit",
    "checkpoint",
)


class Account:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(ORDER, 0.0)
        self._active = dict.fromkeys(ORDER, 0)
        self._active[DAGSTER] = 1
        self._since = time.perf_counter()
        self._lock = threading.Lock()

    def change(self, what: str, by: int) -> None:
        """Something begins (1) or ends (-1); what was done until now is booked."""
        with self._lock:
            now = time.perf_counter()
            current = next(each for each in ORDER if self._active[each])
            self.seconds[current] += now - self._since
            self._since = now
            self._active[what] += by

    def outside(self) -> float:
        """Seconds that were spent on neither SQL nor files."""
        return sum(self.seconds.values()) - self.seconds[SQL] - self.seconds[FILES]

    def __str__(self) -> str:
        """All of it in one line, the largest first."""
        spent = sorted(self.seconds.items(), key=lambda item: -item[1])
        return ", ".join(f"{what} {seconds:.1f} s" for what, seconds in spent)


_account: Account | None = None


@contextmanager
def spending(what: str) -> Iterator[None]:
    """Book the time of a block on `what`, one of `ORDER`; without an account it does nothing."""
    account = _account
    if account is None:
        yield
        return
    account.change(what, 1)
    try:
        yield
    finally:
        account.change(what, -1)


@contextmanager
def watched() -> Iterator[Account]:
    """An account of all that the process does in the block, and of its start before it.

    DuckDB's connections and the import statement are wrapped as long as it lasts: to mark each place where
    SQL runs or a library is imported would miss those in dbt and Great Expectations.
    """
    global _account  # noqa: PLW0603 - the process has one account, as it has one import statement
    account = Account()
    # Until here a command does nothing but import.
    account.seconds[IMPORTS] += time.process_time()
    methods = {name: getattr(duckdb.DuckDBPyConnection, name) for name in _WAITING}
    importing = builtins.__import__
    for name, method in methods.items():
        setattr(duckdb.DuckDBPyConnection, name, _booked(account, SQL, method))
    builtins.__import__ = _booked_once(account, IMPORTS, importing)
    _account = account
    try:
        yield account
    finally:
        _account = None
        builtins.__import__ = importing
        for name, method in methods.items():
            setattr(duckdb.DuckDBPyConnection, name, method)
        account.change(DAGSTER, 0)


def _booked(account: Account, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def booked(*arguments: Any, **named: Any) -> Any:
        account.change(what, 1)
        try:
            return call(*arguments, **named)
        finally:
            account.change(what, -1)

    return booked


def _booked_once(account: Account, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Likewise for what calls itself: only the outermost call of a thread is booked."""
    inside = threading.local()

    @functools.wraps(call)
    def booked(*arguments: Any, **named: Any) -> Any:
        if getattr(inside, "yes", False):
            return call(*arguments, **named)
        inside.yes = True
        account.change(what, 1)
        try:
            return call(*arguments, **named)
        finally:
            account.change(what, -1)
            inside.yes = False

    return booked
