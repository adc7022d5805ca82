"""The files: the same bytes for the same seed, the forms they promise, and every planted row found."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml
from demo_shops import PROFILE_FILE, expected_quarantine, profile_feeds, raw_database, take_in, write_into

from pipelines.demo import DemoShop, rates
from pipelines.demo.exports import Export
from pipelines.demo.shop import EXPORTS
from pipelines.feeds.binding import BUILT_IN_REASONS
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.lake import Ingestion

FEEDS = sorted(load_contracts())


@pytest.fixture(scope="module")
def ingestions(small_shop: DemoShop) -> dict[str, list[Ingestion]]:
    """What extraction made of each feed."""
    return {feed: take_in(small_shop, small_shop.landing.parent / "lake", feed) for feed in FEEDS}


@pytest.fixture(scope="module")
def raw(small_shop: DemoShop, ingestions: dict[str, list[Ingestion]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The feeds' rows as they were loaded."""
    with raw_database(small_shop.landing.parent / "lake") as con:
        yield con


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_bytes_do_not_depend_on_threads_or_on_what_was_there(small_shop: DemoShop, tmp_path: Path) -> None:
    write_into(tmp_path, customers=100, threads=2, seed=5)
    again = write_into(tmp_path, customers=300, threads=1)
    assert digests(again.landing) == digests(small_shop.landing)
    assert digests(again.truth) == digests(small_shop.truth)


def test_another_seed_gives_another_shop_of_the_same_kind(small_shop: DemoShop, tmp_path: Path) -> None:
    other = write_into(tmp_path, customers=300, seed=1)
    mine, theirs = digests(small_shop.landing), digests(other.landing)
    assert set(mine) == set(theirs)
    assert not [name for name in mine if mine[name] == theirs[name]]


def test_the_profile_binds_every_feed_to_the_folder_that_is_written(small_shop: DemoShop) -> None:
    feeds = profile_feeds()
    assert sorted(feeds) == FEEDS == sorted(small_shop.feeds) == sorted(export.feed for export in EXPORTS)
    for feed, binding in feeds.items():
        assert binding["source"]["path"] == f"landing/{feed}/*"
    profile = yaml.safe_load(PROFILE_FILE.read_text(encoding="utf-8"))
    assert (profile["time_zone"], profile["currency"]) == (rates.TIME_ZONE, rates.CURRENCY)
    assert profile["calendar"]["end_date"] == rates.LAST_DAY


@pytest.mark.parametrize("feed", FEEDS)
def test_extraction_finds_exactly_what_was_planted(
    small_shop: DemoShop, ingestions: dict[str, list[Ingestion]], feed: str
) -> None:
    counts = small_shop.feeds[feed]
    of_feed = ingestions[feed]
    found: dict[str, int] = {}
    for ingestion in of_feed:
        for reason, rows in ingestion.quarantined_by_reason.items():
            found[reason] = found.get(reason, 0) + rows
    expected = expected_quarantine(small_shop, feed)
    # Rows of reasons that this version of extraction does not know are loaded.
    unknown = sum(counts.quarantined.values()) - sum(expected.values())
    assert found == expected
    assert len(of_feed) == counts.files
    assert sum(ingestion.rows_read for ingestion in of_feed) == counts.rows_read
    assert sum(ingestion.rows_duplicate for ingestion in of_feed) == counts.rows_duplicate
    assert sum(ingestion.rows_loaded for ingestion in of_feed) == counts.rows_loaded + unknown
    assert counts.rows_read == counts.rows_loaded + counts.rows_duplicate + sum(counts.quarantined.values())


@pytest.mark.parametrize("feed", [feed for feed in FEEDS if load_contracts()[feed].event_time])
def test_only_planted_rows_lie_in_the_future(
    small_shop: DemoShop, raw: duckdb.DuckDBPyConnection, feed: str
) -> None:
    row = raw.execute(
        f"select count(*) from raw.{feed} "
        f"where {load_contracts()[feed].event_time} >= '2026-01-01 00:00:00+08'"
    ).fetchone()
    is_known = "future_date" in BUILT_IN_REASONS
    assert row == (0 if is_known else small_shop.feeds[feed].quarantined.get("future_date", 0),)


@pytest.mark.parametrize("feed", ["pos_sales", "ecommerce_order_lines"])
def test_a_repeated_file_brings_no_new_key(
    small_shop: DemoShop, raw: duckdb.DuckDBPyConnection, feed: str
) -> None:
    key = ", ".join(load_contracts()[feed].key)
    row = raw.execute(f"select count(*), count(distinct ({key})) from raw.{feed}").fetchone()
    assert row is not None
    rows, keys = row
    assert rows - keys == small_shop.feeds[feed].rows_repeated > 0


def test_changed_rows_come_again_with_a_newer_version(raw: duckdb.DuckDBPyConnection) -> None:
    for feed in ("ecommerce_customers", "ecommerce_orders", "products", "devices", "pos_members"):
        key = load_contracts()[feed].key[0]
        row = raw.execute(
            f"""
            select count(*), count(*) filter (where versions = updates)
            from (
                select count(*) as versions, count(distinct updated_at) as updates
                from raw.{feed} group by {key} having count(*) > 1
            )
            """
        ).fetchone()
        assert row is not None
        assert row[0] == row[1] > 0, feed


def test_the_late_file_is_older_than_files_before_it(raw: duckdb.DuckDBPyConnection) -> None:
    row = raw.execute(
        """
        select
            max(sold_at) filter (where _source like '%late%'),
            max(sold_at) filter (where _source like '%sales_2025h1%'),
            count(*) filter (
                where store_id in ('S01', 'S06') and _source not like '%late%'
                and sold_at >= '2025-03-01 00:00:00+08' and sold_at < '2025-04-01 00:00:00+08'
                and receipt_id not like 'BAD-%'
            )
        from raw.pos_sales
        """
    ).fetchone()
    assert row is not None
    assert row[0] < row[1]
    assert row[2] == 0


def test_files_have_the_forms_of_their_systems(small_shop: DemoShop) -> None:
    landing = small_shop.landing
    assert (
        (landing / "ecommerce_customers/accounts_2024.csv").read_bytes().startswith(b"\xef\xbb\xbfaccount,")
    )
    receipts = (landing / "pos_sales/sales_2025h1.csv").read_bytes()
    assert receipts.decode("gb18030").startswith("小票号;行号;会员号;")
    with pytest.raises(UnicodeDecodeError):
        receipts.decode("utf-8")
    assert (landing / "products/catalogue_2024.xlsx").read_bytes().startswith(b"PK")
    assert (landing / "ecommerce_order_lines/order_lines_2024h1.parquet").read_bytes().startswith(b"PAR1")
    with gzip.open(landing / "web_events/events_2024h1.jsonl.gz", "rt", encoding="utf-8") as events:
        assert next(events).startswith('{"id":"E')
    assert all(
        len(list((landing / feed).iterdir())) == counts.files for feed, counts in small_shop.feeds.items()
    )


def test_the_packed_files_of_a_large_shop_hold_the_same_rows(
    small_shop: DemoShop,
    ingestions: dict[str, list[Ingestion]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "COMPRESSED_FROM_CUSTOMERS", 300)
    packed = write_into(tmp_path, customers=300)
    assert packed.feeds == small_shop.feeds
    for feed in ("web_events", "pos_sales", "ecommerce_customers", "devices"):
        found = take_in(packed, tmp_path / "lake", feed)
        assert [(each.rows_loaded, each.quarantined_by_reason) for each in found] == [
            (each.rows_loaded, each.quarantined_by_reason) for each in ingestions[feed]
        ]
        names = [path.name for path in (packed.landing / feed).iterdir()]
        assert all(name.endswith((".gz", ".parquet")) for name in names)


def test_large_feeds_are_packed_from_a_million_customers_up() -> None:
    def suffix(export: Export, customers: int) -> str:
        return export.suffix_at(customers)

    small = {export.feed: suffix(export, 999_999) for export in EXPORTS}
    large = {export.feed: suffix(export, 1_000_000) for export in EXPORTS}
    assert (small["pos_sales"], large["pos_sales"]) == (".csv", ".csv.gz")
    assert (small["web_events"], large["web_events"]) == (".jsonl.gz", ".parquet")
    plain = [feed for feed, name in large.items() if not name.endswith((".gz", ".parquet"))]
    assert plain == ["products", "survey_responses"]
