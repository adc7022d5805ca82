"""PostgreSQL and MariaDB as sources, against real servers: the same rows as from a file, read on by a cursor.

The servers are those on loopback: PostgreSQL with the user postgres, MariaDB with root without a password,
database `test` in both. Each run has a schema and a database of its own.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest
from adbc_driver_postgresql import dbapi

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.config import config_error
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.databases import reading
from pipelines.feeds.errors import ConfigError, FeedError, SourceNotFoundError, SourceUnreadableError
from pipelines.feeds.extract import Extraction, extract_feed
from pipelines.feeds.lake import Lake
from pipelines.feeds.raw import refresh_raw

CONTRACT = FeedContract.model_validate(
    {
        "feed": "sales",
        "description": "One row is a sale, for the tests.",
        "key": ["sale_id"],
        "event_time": "sold_at",
        "version": "updated_at",
        "columns": [
            {"name": "sale_id", "type": "text", "required": True, "description": "Number of the sale."},
            {"name": "sold_at", "type": "timestamp", "description": "When it was."},
            {"name": "updated_at", "type": "timestamp", "description": "When it was changed."},
            {"name": "day", "type": "date", "description": "A day of the sale."},
            {"name": "units", "type": "integer", "description": "Units sold."},
            {"name": "amount", "type": "decimal", "scale": 2, "description": "Money paid."},
            {"name": "paid", "type": "boolean", "description": "Whether it is paid."},
            {"name": "note", "type": "text", "description": "What was said."},
        ],
    }
)
COLUMNS = {name: name for name in CONTRACT.column_names}
CSV = (
    "sale_id,sold_at,updated_at,day,units,amount,paid,note\n"
    "1,2024-03-01 10:00:00,2024-03-01T09:00:00Z,2024-03-01,3,12345678901234.57,1,plain\n"
    '2,2024-07-01 10:00:00.123456,2024-07-01T08:00:00.5Z,2024-07-01,-2,-0.05,0,"a, b ""c"" 王"\n'
    "3,,2024-07-02T08:00:00Z,,,,,\n"
    "4,2024-12-31 23:59:59,2024-12-31T22:59:59Z,2024-12-31,0,0.10,1,=1+1\n"
)
TYPES = {
    "postgres": "sale_id bigint, sold_at timestamp, updated_at timestamptz, day date, units smallint, "
    "amount numeric(20, 2), paid boolean, note varchar(200)",
    "mysql": "sale_id bigint, sold_at datetime(6), updated_at timestamp(6) null, day date, units tinyint, "
    "amount decimal(20, 2), paid tinyint(1), note varchar(200) character set utf8mb4",
}
KINDS = ("postgres", "mysql")


@dataclass
class Server:
    """A schema of PostgreSQL or a database of MariaDB, filled and read by the tests."""

    kind: str
    name: str
    url: str

    def run(self, *statements: str) -> None:
        if self.kind == "postgres":
            with dbapi.connect(self.url) as connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                connection.commit()
            return
        connection = pymysql.connect(host="127.0.0.1", user="root", autocommit=True)
        with connection, connection.cursor() as cursor:
            cursor.execute("set time_zone = '+00:00'")
            for statement in statements:
                cursor.execute(statement)

    def create(self, table: str, columns: str, *rows: str) -> str:
        """Make a table anew; returns its name as a profile gives it."""
        full = f"{self.name}.{table}"
        self.run(f"drop table if exists {full}", f"create table {full} ({columns})")
        self.insert(table, *rows)
        return full

    def insert(self, table: str, *rows: str) -> None:
        if rows:
            self.run(f"insert into {self.name}.{table} values {', '.join(f'({row})' for row in rows)}")


@dataclass
class Shop:
    """Takes the feed in from a server, by keyword arguments of the source."""

    folder: Path
    server: Server
    con: duckdb.DuckDBPyConnection
    contract: FeedContract = CONTRACT
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake(self.folder / "lake")

    def extract(self, columns: dict[str, str] = COLUMNS, **source: Any) -> Extraction:
        source = {"type": self.server.kind, "url": "${SALES_URL}", "time_zone": "Europe/Berlin"} | source
        source = {key: value for key, value in source.items() if value is not None}
        return extract_feed(
            self.con,
            self.contract,
            FeedBinding.model_validate({"source": source, "columns": columns}),
            self.lake,
            profile_file=Path("data/profiles/shop.yaml"),
            base_dir=self.folder,
            time_zone="Asia/Shanghai",
            scratch_dir=self.folder / "scratch",
            settle_seconds=0,
        )

    def rows(self, columns: str = ", ".join(CONTRACT.column_names)) -> list[tuple[Any, ...]]:
        """The newest row of each key, as staging takes it (macro `newest_by_key`)."""
        refresh_raw(self.con, self.lake, {"sales": self.contract})
        return self.con.sql(
            f"""
            select {columns} from raw.sales
            anti join superseded.sales as older using (sale_id, _source)
            order by try_cast(sale_id as integer)
            """
        ).fetchall()


@pytest.fixture(scope="module")
def servers(require_absent) -> Iterator[dict[str, Server]]:
    for name, port in (("PostgreSQL", 5432), ("MariaDB", 3306)):
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
        except OSError as error:
            require_absent(f"no {name} on 127.0.0.1:{port}: {error}")
    name = f"winback_{uuid.uuid4().hex[:10]}"
    found = {
        "postgres": Server("postgres", name, "postgresql://postgres@127.0.0.1:5432/test"),
        "mysql": Server("mysql", name, f"mysql://root@127.0.0.1:3306/{name}"),
    }
    found["postgres"].run(f"create schema {name}")
    found["mysql"].run(f"create database {name}")
    yield found
    found["postgres"].run(f"drop schema {name} cascade")
    found["mysql"].run(f"drop database {name}")


@pytest.fixture(params=KINDS)
def shop(
    request: pytest.FixtureRequest,
    servers: dict[str, Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    server = servers[request.param]
    monkeypatch.setenv("SALES_URL", server.url)
    monkeypatch.setattr(reading, "_BACK_OFF_SECONDS", 0.01)
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set TimeZone = 'UTC'")
        yield Shop(tmp_path, server, con)


def _full_rows(kind: str) -> list[str]:
    yes, no, at = (
        ("true", "false", "timestamptz '{}+00'") if kind == "postgres" else ("1", "0", "timestamp '{}'")
    )
    return [
        f"1, '2024-03-01 10:00:00', {at.format('2024-03-01 09:00:00')}, '2024-03-01', 3, "
        f"12345678901234.57, {yes}, "
        "'plain'",
        f"2, '2024-07-01 10:00:00.123456', {at.format('2024-07-01 08:00:00.5')}, '2024-07-01', -2, "
        f"-0.05, {no}, "
        "'a, b \"c\" 王'",
        f"3, null, {at.format('2024-07-02 08:00:00')}, null, null, null, null, null",
        f"4, '2024-12-31 23:59:59', {at.format('2024-12-31 22:59:59')}, '2024-12-31', 0, 0.10, {yes}, '=1+1'",
    ]


def test_a_table_gives_the_rows_that_a_file_gives(shop: Shop, tmp_path: Path) -> None:
    table = shop.server.create("same", TYPES[shop.server.kind], *_full_rows(shop.server.kind))
    (ingestion,) = shop.extract(table=table, chunk_rows=3).ingestions
    assert (ingestion.source, ingestion.rows_loaded) == (f"{shop.server.kind}:{table}", 4)
    other = Shop(tmp_path / "file", shop.server, shop.con)
    other.folder.mkdir()
    (other.folder / "sales.csv").write_text(CSV, encoding="utf-8")
    other.extract(type="file", url=None, path="sales.csv")
    from_file = other.rows()
    assert shop.rows() == from_file
    assert from_file[0][5] == Decimal("12345678901234.57")
    assert from_file[0][1] == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert from_file[1][1] == datetime(2024, 7, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert from_file[1][2] == datetime(2024, 7, 1, 8, 0, 0, 500000, tzinfo=UTC)
    assert from_file[1][3:] == (date(2024, 7, 1), -2, Decimal("-0.05"), False, 'a, b "c" 王')


def test_a_whole_table_takes_the_place_of_its_earlier_version(shop: Shop) -> None:
    table = shop.server.create("whole", "sale_id int, amount int", "1, 10", "2, 20")
    columns = {"sale_id": "sale_id", "amount": "amount"}
    assert len(shop.extract(columns, table=table).ingestions) == 1
    assert shop.extract(columns, table=table).ingestions == ()
    # The same rows in another order are the same content.
    shop.server.create("whole", "sale_id int, amount int", "2, 20", "1, 10")
    assert shop.extract(columns, table=table).ingestions == ()
    shop.server.run(f"delete from {table} where sale_id = 1", f"update {table} set amount = 21")
    (second,) = shop.extract(columns, table=table).ingestions
    assert shop.rows("sale_id, amount::integer") == [("2", 21)]
    assert [each.ingestion_id for each in shop.lake.current()] == [second.ingestion_id]


def test_a_query_is_read_in_the_database_s_own_sql(shop: Shop) -> None:
    table = shop.server.create("queried", "sale_id int, amount int", "1, 10", "1, 5", "2, 20")
    query = f"select sale_id, sum(amount) as amount from {table} group by sale_id -- one per sale\n;"
    shop.extract({"sale_id": "sale_id", "amount": "amount"}, query=query)
    assert shop.rows("sale_id, amount::integer") == [("1", 15), ("2", 20)]


@pytest.mark.parametrize("cursor", ["updated_at", "sale_id"])
def test_a_cursor_brings_what_is_new_and_what_has_changed(shop: Shop, cursor: str) -> None:
    types = {"postgres": "timestamptz", "mysql": "timestamp(6) null"}[shop.server.kind]
    table = shop.server.create(
        "moving",
        f"sale_id int, updated_at {types}, amount int",
        "1, '2024-01-01 00:00:00', 10",
        "2, '2024-01-02 00:00:00', 20",
    )
    source = {"table": table, "cursor": cursor, "look_back": "1d" if cursor == "updated_at" else 1}
    columns = {name: name for name in ("sale_id", "updated_at", "amount")}
    (first,) = shop.extract(columns, **source).ingestions
    assert first.source == f"{shop.server.kind}:{table}#000001"
    assert shop.extract(columns, **source).ingestions == ()
    # New, changed, and committed late: within the look-back, before the highest cursor.
    late = "0, '2024-01-01 12:00:00', 5" if cursor == "updated_at" else "1, '2024-01-01 12:00:00', 5"
    shop.server.insert("moving", "3, '2024-01-03 00:00:00', 30", late)
    shop.server.run(f"update {table} set amount = 21, updated_at = '2024-01-03 01:00:00' where sale_id = 2")
    (second,) = shop.extract(columns, **source).ingestions
    assert (second.continues, second.stream) == (True, f"{shop.server.kind}:{table}")
    assert second.cursor == ("2024-01-03 01:00:00" if cursor == "updated_at" else "3")
    assert shop.extract(columns, **source).ingestions == ()
    expected = (
        [("1", 10), ("2", 21), ("3", 30)] if cursor == "updated_at" else [("1", 5), ("2", 21), ("3", 30)]
    )
    if cursor == "updated_at":
        expected.insert(0, ("0", 5))
    assert shop.rows("sale_id, amount::integer") == expected
    # The lake alone tells all: a new process, or a rebuild, goes on from there.
    shop.lake = Lake(shop.folder / "lake")
    assert shop.extract(columns, **source).ingestions == ()
    assert shop.rows("sale_id, amount::integer") == expected
    # Another mapping reads all again, in the place of what was read before.
    (whole,) = shop.extract({**columns, "amount": "amount || '0'"}, **source).ingestions
    assert not whole.continues
    assert [each.sequence for each in shop.lake.current()] == [whole.sequence]
    assert shop.rows("amount::integer") == [(amount * 10,) for _, amount in expected]


def test_a_later_read_wins_where_no_version_tells(shop: Shop) -> None:
    table = shop.server.create("versions", "sale_id int, changed int, amount int", "7, 1, 10")
    columns = {"sale_id": "sale_id", "amount": "amount"}
    for changed in range(2, 14):
        shop.extract(columns, table=table, cursor="changed")
        shop.server.run(f"update {table} set changed = {changed}, amount = {changed * 10}")
    shop.extract(columns, table=table, cursor="changed")
    assert len(shop.lake.current()) == 13
    assert shop.rows("amount::integer") == [(130,)]


def test_rows_without_a_cursor_are_read_once_and_reported(shop: Shop) -> None:
    table = shop.server.create("nulls", "sale_id int, changed int", "1, null", "2, 5")
    source = {"table": table, "cursor": "changed"}
    first = shop.extract({"sale_id": "sale_id"}, **source)
    assert [each.rows_loaded for each in first.ingestions] == [2]
    assert "1 rows of" in first.notes[0] and "have no changed: they were read now" in first.notes[0]
    shop.server.insert("nulls", "3, null")
    again = shop.extract({"sale_id": "sale_id"}, **source)
    assert again.ingestions == ()
    assert "2 rows of" in again.notes[0] and "they are not read again" in again.notes[0]


def test_a_cursor_far_in_the_future_does_not_end_all_reading(shop: Shop) -> None:
    kind = {"postgres": "timestamp", "mysql": "datetime"}[shop.server.kind]
    table = shop.server.create("far", f"sale_id int, changed {kind}", "1, '2024-01-01'", "2, '9999-12-31'")
    source = {"table": table, "cursor": "changed"}
    (first,) = shop.extract({"sale_id": "sale_id"}, **source).ingestions
    assert first.cursor == "2024-01-01 00:00:00"
    shop.server.insert("far", "3, '2024-01-02'")
    assert len(shop.extract({"sale_id": "sale_id"}, **source).ingestions) == 1
    assert shop.rows("sale_id") == [("1",), ("2",), ("3",)]


def test_types_that_a_file_does_not_have_arrive_as_text(shop: Shop) -> None:
    if shop.server.kind == "postgres":
        columns = (
            "sale_id int, a uuid, b jsonb, c bytea, d mood, e int[], f timestamptz, g numeric, h interval"
        )
        shop.server.run(f"create type {shop.server.name}.mood as enum ('happy')")
        columns = columns.replace("mood", f"{shop.server.name}.mood")
        values = (
            "1, '0a1b2c3d-0000-4000-8000-000000000001', '{\"k\": 1}', '\\x00ff', 'happy', '{1,2}', "
            "'infinity', "
            "'NaN', '1 day'"
        )
        expected = [
            "0a1b2c3d-0000-4000-8000-000000000001",
            '{"k": 1}',
            "\\x00ff",
            "happy",
            "{1,2}",
            "infinity",
        ]
        expected += ["NaN", "P1D"]
    else:
        columns = (
            "sale_id int, a json, b blob, c enum('happy'), d bit(9), e datetime, f year, g time, h double"
        )
        values = (
            "1, '{\"k\": 1}', x'00ff', 'happy', b'100000001', '0000-00-00 00:00:00', 2024, '-01:02:03', 0.1"
        )
        expected = ['{"k": 1}', "\\x00ff", "happy", "257", "0000-00-00 00:00:00", "2024", "-01:02:03", "0.1"]
    table = shop.server.create("types", columns)
    if shop.server.kind == "mysql":
        shop.server.run("set sql_mode = ''", f"insert into {table} values ({values})")
    else:
        shop.server.insert("types", values)
    shop.extract({"sale_id": "sale_id", "note": "concat_ws('|', a, b, c, d, e, f, g, h)"}, table=table)
    assert shop.rows("note") == [("|".join(expected),)]
    # What no calendar has is a wrong type, and its text is kept.
    wrong = "f" if shop.server.kind == "postgres" else "e"
    (ingestion,) = shop.extract({"sale_id": "sale_id", "sold_at": wrong}, table=table).ingestions
    assert ingestion.quarantined_by_reason == {"wrong_type": 1}


def test_a_table_without_rows_is_an_empty_ingestion(shop: Shop) -> None:
    table = shop.server.create("empty", "sale_id int, changed int")
    for source in ({}, {"cursor": "changed"}):
        (ingestion,) = shop.extract({"sale_id": "sale_id"}, table=table, **source).ingestions
        assert ingestion.rows_read == 0
        assert shop.extract({"sale_id": "sale_id"}, table=table, **source).ingestions == ()


def test_many_chunks_are_numbered_through(shop: Shop) -> None:
    table = shop.server.create("chunks", "sale_id int, note varchar(50)")
    series = {
        "postgres": "generate_series(1, 25000) as each (seq)",
        "mysql": f"{shop.server.name}.seq_1_to_25000",
    }
    shop.server.run(f"insert into {table} select seq, concat('note ', seq) from {series[shop.server.kind]}")
    (ingestion,) = shop.extract(
        {"sale_id": "sale_id", "note": "note"}, table=table, chunk_rows=999
    ).ingestions
    assert ingestion.rows_loaded == 25000
    shop.rows()
    found = shop.con.sql("select min(_line), max(_line), count(distinct note) from raw.sales").fetchone()
    assert found == (1, 25000, 25000)


def test_one_read_sees_one_moment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    table = shop.server.create("moment", "sale_id int, amount int", "1, 10", "2, 20")

    def write(reader: Any, *arguments: Any) -> int:
        shop.server.run(f"update {table} set amount = 99")
        return original(reader, *arguments)

    original = reading._write
    monkeypatch.setattr(reading, "_write", write)
    shop.extract({"sale_id": "sale_id", "amount": "amount"}, table=table)
    assert shop.rows("amount::integer") == [(10,), (20,)]


@pytest.mark.parametrize(
    ("source", "variable", "error", "message"),
    [
        ({"table": "t"}, None, SourceNotFoundError, r"\.url: the environment variable SALES_URL is not set"),
        ({"table": "t"}, "host", SourceNotFoundError, r"\.url: .* cannot be reached.*after 2 attempts"),
        ({"table": "t"}, "password", SourceNotFoundError, r"\.url: .* the server refuses the user"),
        ({"table": "t"}, "database", SourceNotFoundError, r"\.url: .* has no such database"),
        ({"table": "t"}, "kind", ConfigError, r"\.url: the URL's kind is 'sqlite'; accepted: "),
        ({"table": "t"}, "port", ConfigError, r"\.url: the URL cannot be read"),
        ({"table": "nowhere"}, "", SourceNotFoundError, r"\.table: .*nowhere at .* the table does not exist"),
        (
            {"query": "select nothing from SCHEMA.wrong"},
            "",
            SourceNotFoundError,
            r"\.query: .* column does not",
        ),
        ({"query": "delete from SCHEMA.wrong"}, "", SourceNotFoundError, r"\.query: .* refuses the read"),
        (
            {"table": "wrong", "cursor": "changed"},
            "",
            ConfigError,
            r"\.cursor: .* 'changed'; its columns: sale_id",
        ),
        (
            {"table": "wrong", "cursor": "note"},
            "",
            ConfigError,
            r"\.cursor: .*'note' .* neither a number nor",
        ),
        (
            {"table": "wrong", "cursor": "sale_id", "look_back": "3d"},
            "",
            ConfigError,
            r"\.look_back: '3d' does not fit the cursor 'sale_id'; accepted: a number",
        ),
        (
            {"query": "select SLEEP as sale_id", "statement_timeout": 1},
            "",
            SourceUnreadableError,
            r"\.statement_timeout: .* longer than 1 s",
        ),
    ],
)
def test_an_error_names_key_and_remedy_and_never_the_password(  # noqa: PLR0917 - parameters of the cases
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    source: dict[str, Any],
    variable: str | None,
    error: type[FeedError],
    message: str,
) -> None:
    shop.server.create("wrong", "sale_id int, note varchar(9)")
    sleep = {"postgres": "cast(pg_sleep(5) as text)", "mysql": "sleep(5)"}[shop.server.kind]
    source = {
        key: value.replace("SCHEMA", shop.server.name).replace("SLEEP", sleep) if key == "query" else value
        for key, value in source.items()
    }
    if source.get("table") in ("wrong", "nowhere"):
        source["table"] = f"{shop.server.name}.{source['table']}"
    scheme = "postgresql" if shop.server.kind == "postgres" else "mysql"
    port = 5432 if shop.server.kind == "postgres" else 3306
    urls = {
        "host": f"{scheme}://me:s3cr3t!x@127.0.0.1:1/test",
        "password": f"{scheme}://nobody_{uuid.uuid4().hex[:6]}:s3cr3t!x@127.0.0.1:{port}/test",
        "database": shop.server.url.rpartition("/")[0] + "/no_such_database",
        "kind": "sqlite://me:s3cr3t!x@host/test",
        "port": f"{scheme}://me:s3cr3t!x@127.0.0.1:s3cr3t/test",
    }
    if variable is None:
        monkeypatch.delenv("SALES_URL")
    elif variable:
        monkeypatch.setenv("SALES_URL", urls[variable])
    with pytest.raises(error, match=message) as raised:
        shop.extract({"sale_id": "sale_id"}, **{"retries": 1, "connect_timeout": 2, **source})
    text = str(raised.value)
    assert text.startswith("data/profiles/shop.yaml: feeds.sales.source.")
    assert "s3cr3t" not in text
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert shop.lake.ingestions() == []
    assert list((shop.folder / "scratch").iterdir()) == []


def test_a_statement_that_fails_on_a_row_is_not_tried_again(
    servers: dict[str, Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the middle of the stream PostgreSQL's error comes from Arrow, which knows no SQL states."""
    monkeypatch.setenv("SALES_URL", servers["postgres"].url)
    query = "select 1 / (5000 - seq) as sale_id from generate_series(1, 9000) as each (seq)"
    with duckdb.connect() as con, caplog.at_level(logging.WARNING):
        shop = Shop(tmp_path, servers["postgres"], con)
        with pytest.raises(SourceNotFoundError, match=r"\.query: .* refuses the read: .*division by zero"):
            shop.extract({"sale_id": "sale_id"}, query=query)
    assert caplog.text == ""


def test_a_connection_is_tried_again_and_a_refusal_is_not(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that cuts the first connection, and then is there."""
    table = shop.server.create("again", "sale_id int", "1")
    port = 5432 if shop.server.kind == "postgres" else 3306
    taken = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            taken.append(connection)
            connection.close()
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(("127.0.0.1", port))
            for source, target in ((connection, upstream), (upstream, connection)):
                threading.Thread(target=_pipe, args=(source, target), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        monkeypatch.setenv("SALES_URL", shop.server.url.replace(f":{port}", f":{listener.getsockname()[1]}"))
        with caplog.at_level(logging.WARNING):
            assert len(shop.extract({"sale_id": "sale_id"}, table=table).ingestions) == 1
        assert len(taken) == 2
        assert "trying again in" in caplog.text


def _pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        # Both ways end together; a session left open would keep the tables from being dropped.
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"url": "postgresql://me:s3cr3t@host/shop"}, "credentials never stand in a profile"),
        ({"url": "postgresql://me:${SECRET}@host/shop"}, "credentials never stand in a profile"),
        ({"url": "postgresql://host/shop?password=s3cr3t&x=${X}"}, "credentials never stand in a profile"),
        ({"url": "postgresql://host/shop"}, "credentials never stand in a profile"),
        ({"query": "select 1"}, "one of table and query must be given"),
        ({"table": None}, "one of table and query must be given"),
        ({"look_back": "3d"}, "look_back belongs to a cursor"),
        ({"cursor": "a", "look_back": "3 weeks"}, "accepted: a duration such as 90s"),
        ({"encoding": "utf-8"}, "unknown key 'encoding'; accepted keys: type, url, table, query"),
    ],
)
def test_a_wrong_source_is_refused_without_its_secrets(source: dict[str, Any], message: str) -> None:
    given = {"type": "postgres", "url": "${SALES_URL}", "table": "t"} | source
    with pytest.raises(ValueError, match=message) as raised:
        FeedBinding.model_validate({"source": given, "columns": {"sale_id": "a"}})
    assert "s3cr3t" not in str(config_error(Path("shop.yaml"), raised.value))  # type: ignore[arg-type]


def test_user_and_password_may_be_variables_of_their_own() -> None:
    url = "postgresql://${SHOP_USER}:${SHOP_PASSWORD}@db.example/shop"
    source = {"type": "postgres", "url": url, "table": "t"}
    assert FeedBinding.model_validate({"source": source, "columns": {"a": "b"}}).source.url == url
    assert "SHOP_USER" not in os.environ
