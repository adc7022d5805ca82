"""Which dates are kept, and the movements that outlive their snapshots."""

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.history import MOVEMENT_COLUMNS, History, is_kept, prune, table_exists

JUNE = [date(2024, 6, day) for day in range(1, 31)]
DATES = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        columns = ", ".join(f"{name} {kind}" for name, kind in MOVEMENT_COLUMNS.items())
        connection.execute(f"create table marts.segment_movement ({columns})")
        connection.execute("create table marts.customer_rfm (as_of_date date, customer_id varchar)")
        yield connection


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "lake")


def move(con, day, customer="c1", scheme="segment_8"):
    con.execute(
        "insert into marts.segment_movement values (?, ?, 'general', 'lost', ?)", [customer, scheme, day]
    )


def snapshot(con, *days):
    con.executemany("insert into marts.customer_rfm values (?, 'c1')", [[day] for day in days])


def dates_of(con, table="marts.customer_rfm", column="as_of_date"):
    return [row[0] for row in con.execute(f"select {column} from {table} order by 1").fetchall()]


@given(newest=DATES, history_days=st.integers(1, 400), age=st.integers(0, 800))
def test_the_last_days_and_month_ends_are_kept(newest, history_days, age):
    day = newest - timedelta(days=age)
    is_month_end = (day + timedelta(days=1)).month != day.month

    assert is_kept(day, newest, history_days) == (age < history_days or is_month_end)


def test_old_snapshots_are_let_go_and_month_ends_stay(con):
    snapshot(con, date(2024, 4, 30), date(2024, 5, 15), date(2024, 5, 31), *JUNE)

    pruned = prune(con, [("marts", "customer_rfm", "as_of_date")], 10, exempt=[])

    assert dates_of(con) == [date(2024, 4, 30), date(2024, 5, 31), *JUNE[20:]]
    assert pruned == {"marts.customer_rfm": [date(2024, 5, 15), *JUNE[:20]]}


def test_who_asks_for_an_old_date_gets_it(con):
    snapshot(con, date(2024, 5, 14), date(2024, 5, 15), JUNE[-1])

    prune(con, [("marts", "customer_rfm", "as_of_date")], 10, exempt=[date(2024, 5, 15)])

    assert dates_of(con) == [date(2024, 5, 15), JUNE[-1]]


def test_of_one_day_the_newest_date_and_month_ends_are_kept(con):
    """Evidence is large: the run prunes its table with one day of history, all but its newest date exempt."""
    snapshot(con, date(2024, 4, 30), date(2024, 5, 30), date(2024, 5, 31), *JUNE[:5])

    prune(con, [("marts", "customer_rfm", "as_of_date")], 1, exempt=[JUNE[4]])

    assert dates_of(con) == [date(2024, 4, 30), date(2024, 5, 31), JUNE[4]]


def test_pruning_an_empty_table_does_nothing(con):
    assert prune(con, [("marts", "customer_rfm", "as_of_date")], 10, exempt=[]) == {}


def test_recorded_movements_are_those_of_their_date(con, history):
    move(con, JUNE[0], "c2")
    move(con, JUNE[0], "c1")
    move(con, JUNE[1], "c3")

    history.record(con, JUNE[:3])

    assert history.dates() == JUNE[:3], "a date without movements was computed too"
    (first, second, third) = history.files(JUNE[:3])
    described = {row[0]: row[1].lower() for row in con.execute(f"describe from '{first}'").fetchall()}
    assert described == MOVEMENT_COLUMNS
    assert con.execute(f"select customer_id from '{first}'").fetchall() == [("c1",), ("c2",)]
    assert con.execute(f"select customer_id from '{second}'").fetchall() == [("c3",)]
    assert con.execute(f"select count(*) from '{third}'").fetchone() == (0,)


def test_recording_a_date_again_replaces_it(con, history):
    move(con, JUNE[0])
    history.record(con, JUNE[:1])
    con.execute("delete from marts.segment_movement")
    history.record(con, JUNE[:1])

    assert con.execute(f"select count(*) from '{history.files(JUNE[:1])[0]}'").fetchone() == (0,)


def test_a_record_that_fails_leaves_the_one_before(con, history, monkeypatch):
    move(con, JUNE[0])
    history.record(con, JUNE[:1])
    (file,) = history.files(JUNE[:1])
    before = file.read_bytes()
    move(con, JUNE[0], "c2")

    def full_disk(_):
        raise OSError("no space left")

    monkeypatch.setattr("pipelines.history.os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        history.record(con, JUNE[:2])

    assert file.read_bytes() == before
    assert history.dates() == JUNE[:1], "what was half written counts as nothing"


def test_lost_are_dates_of_the_lake_that_the_warehouse_lacks(con, history):
    for day in JUNE[:4]:
        move(con, day)
    history.record(con, JUNE[:4])
    con.execute("delete from marts.segment_movement where moved_on <> ?", [JUNE[0]])

    assert history.lost(con, recomputed=[JUNE[3]]) == JUNE[1:3]


def test_in_a_new_warehouse_all_dates_are_lost(con, history):
    move(con, JUNE[0])
    history.record(con, JUNE[:1])
    with duckdb.connect() as fresh:
        assert not table_exists(fresh, "marts", "segment_movement")
        assert history.lost(fresh, recomputed=[]) == JUNE[:1]


def test_a_lake_in_which_nothing_was_computed_has_no_dates(history):
    assert history.dates() == []
