"""Two demo shops, made once: a small one for its files, a larger one for shares and effects."""

from collections.abc import Iterator

import duckdb
import pytest
from demo_shops import create_truth_views, raw_database, take_in, truth_of, write_into

from pipelines.demo import DemoShop


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return write_into(tmp_path_factory.mktemp("small"), customers=300, threads=2)


@pytest.fixture(scope="session")
def large_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return write_into(tmp_path_factory.mktemp("large"), customers=3_000, threads=2)


@pytest.fixture(scope="session")
def truth(large_shop: DemoShop) -> Iterator[duckdb.DuckDBPyConnection]:
    with truth_of(large_shop) as con:
        yield con


@pytest.fixture(scope="session")
def sales(
    large_shop: DemoShop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The larger shop's sales, campaigns and tickets as extraction took them in, and the truth."""
    lake = tmp_path_factory.mktemp("lake")
    for feed in ("ecommerce_orders", "pos_sales", "campaign_members", "campaign_events", "service_tickets"):
        take_in(large_shop, lake, feed)
    with raw_database(lake) as con:
        create_truth_views(con, large_shop)
        yield con
