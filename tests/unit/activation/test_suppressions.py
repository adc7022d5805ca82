"""What must not be written to any more is kept once, and read back by the models."""

import hashlib
import stat

import duckdb
import pytest

from pipelines import control
from pipelines.activation.suppressions import SUPPRESSION_COLUMNS, SuppressionStore

KNOWN = "core.int_suppressed_address"


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in SUPPRESSION_COLUMNS.items())
        connection.execute(f"create schema core; create table {KNOWN} ({columns})")
        yield connection


@pytest.fixture
def store(tmp_path):
    return SuppressionStore(tmp_path / "lake")


def learn(con, address, kind="unsubscribed", since="2024-06-01 10:00:00", channel="email"):
    key = hashlib.sha256(f"email:{address}".encode()).hexdigest()
    con.execute(f"insert into {KNOWN} values (?, ?, ?, ?)", [key, channel, kind, since])
    return key


def kept(con, store):
    control.write_parquet_view(con, "suppression", store.files(), SUPPRESSION_COLUMNS)
    return con.execute("select address_key, channel, kind from control.suppression order by all").fetchall()


def test_a_suppression_outlives_what_it_came_from(con, store):
    key = learn(con, "a@example.com")
    assert store.append(con) == 1
    con.execute(f"delete from {KNOWN}")

    assert kept(con, store) == [(key, "email", "unsubscribed")]
    assert store.append(con) == 0
    assert kept(con, store) == [(key, "email", "unsubscribed")]


def test_only_what_is_new_is_added(con, store):
    first = learn(con, "a@example.com")
    store.append(con)
    second = learn(con, "b@example.com", "bounced")
    learn(con, "a@example.com", "complained")
    learn(con, "a@example.com", channel="sms")

    assert store.append(con) == 3
    assert store.append(con) == 0
    assert [file.name for file in store.files()] == ["000001.parquet", "000002.parquet"]
    assert kept(con, store) == sorted(
        [
            (first, "email", "unsubscribed"),
            (first, "email", "complained"),
            (first, "sms", "unsubscribed"),
            (second, "email", "bounced"),
        ]
    )


def test_nothing_new_writes_no_file(con, store):
    assert store.append(con) == 0
    assert not store.folder.exists()
    assert kept(con, store) == []


def test_the_file_has_the_same_bytes_in_whatever_order_things_were_learnt(con, store, tmp_path):
    for address in ("a", "b", "c"):
        learn(con, f"{address}@example.com")
    store.append(con)
    con.execute(f"create table turned as from {KNOWN} order by address_key desc")
    con.execute(f"create or replace table {KNOWN} as from turned")
    other = SuppressionStore(tmp_path / "other")
    other.append(con)

    assert store.files()[0].read_bytes() == other.files()[0].read_bytes()


def test_the_files_hold_no_address_and_are_for_their_owner_only(con, store):
    learn(con, "somebody@example.com")
    store.append(con)

    (file,) = store.files()
    assert b"somebody" not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_died_while_writing_counts_as_nothing(con, store):
    store.folder.mkdir(parents=True)
    (store.folder / "000001.tmp").write_bytes(b"PAR1")
    learn(con, "a@example.com")

    assert store.append(con) == 1
    assert [file.name for file in store.folder.iterdir()] == ["000001.parquet"]
