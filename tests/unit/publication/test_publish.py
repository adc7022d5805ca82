"""The published file: replaced in one step, only if it is right, and never under a reader's feet."""

import multiprocessing
import os
import stat
from datetime import date, timedelta

import duckdb
import pytest

from pipelines.publication import publish as publish_module
from pipelines.publication.publish import (
    ContractMismatch,
    PublicationError,
    PublishedColumn,
    PublishedTable,
    publish,
)

D1, D2, D3 = (date(2024, 3, 1) + timedelta(days=n) for n in range(3))

RFM = PublishedTable(
    schema="marts",
    name="customer_rfm",
    comment="One row per customer and date; it's the classes.",
    columns=(
        PublishedColumn("as_of_date", "DATE", "The date"),
        PublishedColumn("customer_id", "TEXT", "The customer's id"),
        PublishedColumn("monetary", "DECIMAL(18,2)", "Net revenue"),
        PublishedColumn("channels", "VARCHAR[]", "Where"),
    ),
    key=("customer_id",),
    date_column="as_of_date",
)
PRODUCT = PublishedTable(
    schema="core",
    name="product",
    comment="Products",
    columns=(
        PublishedColumn("product_id", "TEXT", "Product"),
        PublishedColumn("active", "BOOLEAN", "Sold now"),
    ),
    key=("product_id",),
)
TABLES = (RFM, PRODUCT)


@pytest.fixture
def warehouse(tmp_path):
    with duckdb.connect(str(tmp_path / "winback.duckdb"), config={"threads": "2"}) as connection:
        connection.execute("create schema marts")
        connection.execute("create schema core")
        connection.execute(
            "create table marts.customer_rfm "
            "(as_of_date date, customer_id text, secret text, monetary decimal(18,2), channels text[])"
        )
        connection.execute("create table core.product as select 'p1' as product_id, true as active")
        for day in (D1, D2):
            fill(connection, day)
        yield connection


@pytest.fixture
def target(tmp_path):
    return tmp_path / "published" / "winback_analytics.duckdb"


def fill(connection, day, amount="10.50", customers=3):
    """Build one date anew, in an order that is not the order of its keys."""
    connection.execute("delete from marts.customer_rfm where as_of_date = ?", [day])
    connection.execute(
        "insert into marts.customer_rfm select ?, 'c' || i, 'secret', ?::decimal(18,2), ['shop'] "
        "from range(?) as r(i) order by i desc",
        [day, amount, customers],
    )


def read(target, sql):
    with duckdb.connect(str(target), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def amounts(target):
    return dict(read(target, "select as_of_date, sum(monetary)::varchar from marts.customer_rfm group by 1"))


def folder(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_the_copy_has_the_contracts_columns_and_comments_and_no_other(warehouse, target):
    report = publish(warehouse, target, TABLES, dates=[D1, D2])

    assert report.full
    assert report.rows == 7
    assert read(
        target,
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where schema_name = 'marts' order by column_index",
    ) == [
        ("customer_rfm", "as_of_date", "DATE", "The date"),
        ("customer_rfm", "customer_id", "VARCHAR", "The customer's id"),
        ("customer_rfm", "monetary", "DECIMAL(18,2)", "Net revenue"),
        ("customer_rfm", "channels", "VARCHAR[]", "Where"),
    ]
    assert read(target, "select table_name, comment from duckdb_tables() order by 1") == [
        ("customer_rfm", "One row per customer and date; it's the classes."),
        ("product", "Products"),
    ]


def test_rows_are_stored_in_the_order_of_their_keys(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])

    assert read(target, "select as_of_date, customer_id from marts.customer_rfm order by rowid") == [
        (day, customer) for day in (D1, D2) for customer in ("c0", "c1", "c2")
    ]


def test_everybody_may_read_it_and_nothing_is_left_beside_it(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])

    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert folder(target) == [target.name]


def test_the_storage_format_is_the_old_one_in_every_copy(warehouse, target):
    for _ in range(2):
        publish(warehouse, target, TABLES, dates=[D1])
        tags = read(target, "select tags from duckdb_databases() where path is not null")[0][0]
        assert tags["storage_version"].startswith(publish_module.STORAGE_VERSION)


def test_only_the_given_dates_and_the_changed_tables_are_replaced(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    for day in (D1, D2, D3):
        fill(warehouse, day, amount="20.00")

    report = publish(warehouse, target, TABLES, dates=[D2, D3])

    assert not report.full
    assert [(table.table, table.mode) for table in report.tables] == [
        ("marts.customer_rfm", "replaced_dates"),
        ("core.product", "unchanged"),
    ]
    assert amounts(target) == {D1: "31.50", D2: "60.00", D3: "60.00"}

    warehouse.execute("update core.product set active = false")
    assert publish(warehouse, target, TABLES, dates=[]).tables[1].mode == "rewritten"
    assert read(target, "select active from core.product") == [(False,)]


def test_publishing_again_changes_nothing_that_can_be_read(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    before = read(target, "select * from marts.customer_rfm order by rowid")

    publish(warehouse, target, TABLES, dates=[D2])

    assert read(target, "select * from marts.customer_rfm order by rowid") == before


def test_dates_that_the_warehouse_no_longer_has_disappear(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    warehouse.execute("delete from marts.customer_rfm where as_of_date = ?", [D1])
    fill(warehouse, D3)

    publish(warehouse, target, TABLES, dates=[D3])

    assert set(amounts(target)) == {D2, D3}


def test_a_full_publication_keeps_back_dates_that_are_not_allowed(warehouse, target):
    fill(warehouse, D3)

    report = publish(warehouse, target, TABLES, dates=[D1], full=True, allowed_dates=[D2])

    assert report.full
    assert set(amounts(target)) == {D1, D2}


def test_a_changed_contract_rebuilds_that_table_and_drops_what_is_no_longer_in_it(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    fill(warehouse, D3, amount="99.00")
    narrower = PublishedTable(RFM.schema, RFM.name, "Less", RFM.columns[:3], RFM.key, RFM.date_column)

    report = publish(warehouse, target, [narrower], dates=[], allowed_dates=[D1, D2])

    assert not report.full
    assert report.tables[0].mode == "rewritten"
    assert amounts(target) == {D1: "31.50", D2: "31.50"}
    assert read(target, "select table_name, column_count, comment from duckdb_tables()") == [
        ("customer_rfm", 3, "Less")
    ]


def test_a_damaged_published_file_is_made_anew(warehouse, target):
    target.parent.mkdir()
    target.write_bytes(b"no database" * 1000)

    assert publish(warehouse, target, TABLES, dates=[D1]).full
    assert set(amounts(target)) == {D1, D2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("drop table core.product", r"table core\.product is missing in the warehouse"),
        ("alter table core.product drop active", r"core\.product\.active \(BOOLEAN\) is missing"),
        (
            "alter table core.product alter active type integer",
            r"core\.product\.active is INTEGER; the contract says BOOLEAN",
        ),
        (
            "insert into marts.customer_rfm values (null, 'c9', '', 1, [])",
            r"marts\.customer_rfm\.as_of_date is null in 1 rows",
        ),
    ],
)
def test_a_warehouse_that_breaks_the_contract_publishes_nothing(warehouse, target, change, message):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    before = target.read_bytes()
    warehouse.execute(change)

    with pytest.raises(ContractMismatch, match=message):
        publish(warehouse, target, TABLES, dates=[D1, D2])

    assert target.read_bytes() == before


def test_a_copy_that_differs_is_not_published(warehouse, target, monkeypatch):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    before = target.read_bytes()
    fill(warehouse, D2, amount="77.00")
    insert = publish_module._Publisher._insert

    def lose_a_row(self, table, where):
        insert(self, table, f"{where} and customer_id <> 'c1'")

    monkeypatch.setattr(publish_module._Publisher, "_insert", lose_a_row)
    with pytest.raises(PublicationError, match=r"marts\.customer_rfm differs.* 2 rows .* instead of 3"):
        publish(warehouse, target, TABLES, dates=[D2])

    assert target.read_bytes() == before
    assert folder(target) == [target.name]
    assert warehouse.execute("select count(*) from duckdb_databases() where not internal").fetchone() == (1,)


def test_a_failure_of_the_file_system_leaves_the_published_file(warehouse, target, monkeypatch):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    before = target.read_bytes()

    def no_space(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(publish_module, "_sync", no_space)
    with pytest.raises(PublicationError, match="No space left"):
        publish(warehouse, target, TABLES, dates=[D2])

    assert target.read_bytes() == before
    assert folder(target) == [target.name]


def test_what_a_killed_publication_left_is_removed(warehouse, target):
    target.parent.mkdir()
    for name in (f".{target.name}.tmp-1", f".{target.name}.tmp-1.wal"):
        (target.parent / name).write_bytes(b"left")

    publish(warehouse, target, TABLES, dates=[D1])

    assert folder(target) == [target.name]


def test_a_log_of_the_old_file_does_not_meet_the_new_one(warehouse, target):
    """An analyst who opened the file for writing and was killed leaves a log; it must not be replayed."""
    publish(warehouse, target, TABLES, dates=[D1, D2])
    child = os.fork()
    if child == 0:
        connection = duckdb.connect(str(target))
        connection.execute("insert into core.product values ('mine', true)")
        os._exit(0)
    os.waitpid(child, 0)
    assert (target.parent / f"{target.name}.wal").exists()

    publish(warehouse, target, TABLES, dates=[D1])

    assert folder(target) == [target.name]
    assert read(target, "select product_id from core.product") == [("p1",)]


def test_a_contract_whose_key_is_no_column_is_refused():
    with pytest.raises(ValueError, match=r"core\.product: sku is no column of it; columns: product_id"):
        PublishedTable("core", "product", "", PRODUCT.columns[:1], ("sku",))


def test_a_type_that_duckdb_does_not_know_is_named(warehouse, target):
    wrong = PublishedTable("core", "product", "", (PublishedColumn("product_id", "TEKST", ""),), ())

    with pytest.raises(ContractMismatch, match=r"core\.product\.product_id: 'TEKST' is no DuckDB type"):
        publish(warehouse, target, [wrong], dates=[])


QUERY = "select sum(monetary)::varchar from marts.customer_rfm where as_of_date = date '2024-03-01'"


def _analyst(path, keeps_it_open, asked, stop, answers):
    """Ask again and again, on one connection or on a new one each time; report every answer and error."""
    kept = duckdb.connect(path, read_only=True) if keeps_it_open else None
    seen, errors = set(), []
    while not stop.is_set():
        try:
            connection = kept or duckdb.connect(path, read_only=True)
            seen.add(connection.execute(QUERY).fetchone()[0])
            if connection is not kept:
                connection.close()
        except duckdb.Error as error:
            errors.append(str(error))
        asked.set()
    answers.put((keeps_it_open, seen, errors))


def test_readers_are_not_disturbed_by_replacements(warehouse, target):
    publish(warehouse, target, TABLES, dates=[D1, D2])
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    asked = {True: context.Event(), False: context.Event()}
    readers = [
        context.Process(target=_analyst, args=(str(target), keeps, event, stop, answers))
        for keeps, event in asked.items()
    ]
    for reader in readers:
        reader.start()

    def everybody_asks():
        for event in asked.values():
            event.clear()
            assert event.wait(30), "a reader is blocked"

    everybody_asks()
    for amount in ("20.00", "30.00", "40.00"):
        fill(warehouse, D1, amount=amount)
        publish(warehouse, target, TABLES, dates=[D1])
        everybody_asks()
    everybody_asks()
    stop.set()
    results = {keeps: (seen, errors) for keeps, seen, errors in (answers.get(timeout=30) for _ in readers)}
    for reader in readers:
        reader.join()

    assert results[True] == ({"31.50"}, []), "the open file stays as it was opened"
    seen, errors = results[False]
    assert errors == []
    assert seen <= {"31.50", "60.00", "90.00", "120.00"}
    assert "120.00" in seen
