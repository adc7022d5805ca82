"""Where the time of a command goes."""

import builtins
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines import account as accounts
from pipelines.account import COMPUTING, DAGSTER, DBT, FILES, IMPORTS, ORDER, SQL, Account, spending, watched


class Clock:
    """Stands still, but for what a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return 7.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    stopped = Clock()
    monkeypatch.setattr(accounts, "time", stopped)
    yield stopped


@pytest.fixture
def con(clock: Clock) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which `take(n)` takes n seconds."""

    def take(seconds: int) -> int:
        clock.now += seconds
        return seconds

    with duckdb.connect() as connection:
        connection.create_function("take", take, ["bigint"], "bigint", side_effects=True)
        yield connection


def test_each_second_counts_once_and_all_of_them_are_counted(
    clock: Clock, con: duckdb.DuckDBPyConnection
) -> None:
    with watched() as account:
        clock.now += 1
        with spending(DBT):
            clock.now += 2
            with spending(FILES):
                clock.now += 4
                con.execute("select take(8)").fetchall()
            clock.now += 16
        clock.now += 32
    assert account.seconds == dict.fromkeys(ORDER, 0.0) | {
        IMPORTS: 7,
        DAGSTER: 33,
        DBT: 18,
        FILES: 4,
        SQL: 8,
    }
    assert account.outside() == 58
    assert str(account).startswith("Dagster 33.0 s, dbt 18.0 s, SQL 8.0 s, imports 7.0 s, files 4.0 s, ")


def test_of_two_things_at_once_the_first_of_the_order_counts(clock: Clock) -> None:
    account = Account()
    account.change(COMPUTING, 1)
    account.change(SQL, 1)
    clock.now += 1
    account.change(COMPUTING, -1)
    clock.now += 2
    account.change(SQL, -1)
    assert (account.seconds[SQL], account.seconds[COMPUTING]) == (3, 0)


def test_sql_of_another_thread_is_sql(con: duckdb.DuckDBPyConnection) -> None:
    with watched() as account:
        thread = threading.Thread(target=lambda: con.execute("select take(5)").fetchall())
        thread.start()
        thread.join()
    assert (account.seconds[SQL], account.seconds[DAGSTER]) == (5, 0)


def test_an_import_within_an_import_is_booked_once(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = "from pipelines.account import time\ntime.now += 5\n"
    (tmp_path / "inner_of_account.py").write_text(passes, encoding="utf-8")
    (tmp_path / "outer_of_account.py").write_text(f"import inner_of_account\n{passes}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with watched() as account:
        import outer_of_account  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    for name in ("outer_of_account", "inner_of_account"):
        del sys.modules[name]
    assert (account.seconds[IMPORTS], account.seconds[DAGSTER]) == (17, 0)


def test_nothing_is_left_behind_and_nothing_is_booked_without_an_account(clock: Clock) -> None:
    execute, importing = duckdb.DuckDBPyConnection.execute, builtins.__import__
    with pytest.raises(ZeroDivisionError), watched() as account:
        assert duckdb.DuckDBPyConnection.execute is not execute
        assert builtins.__import__ is not importing
        1 / 0  # noqa: B018 - a command that fails
    assert duckdb.DuckDBPyConnection.execute is execute
    assert builtins.__import__ is importing
    with spending(SQL):
        clock.now += 3
    assert account.seconds[SQL] == 0
