"""Two demo shops, made once: a small one for its files, a larger one for shares and effects."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from demo_reading import raw_database, take_in

from pipelines.demo import DemoShop, write_demo_shop

Query = Callable[[str], list[tuple[object, ...]]]


def write_into(folder: Path, **arguments: int) -> DemoShop:
    """A shop in `folder`, with landing and truth side by side."""
    return write_demo_shop(folder / "landing", folder / "demo_truth", **arguments)


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return write_into(tmp_path_factory.mktemp("small"), customers=300, threads=2)


@pytest.fixture(scope="session")
def large_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return write_into(tmp_path_factory.mktemp("large"), customers=3_000, threads=2)


def truth_of(shop: DemoShop) -> duckdb.DuckDBPyConnection:
    """A connection with a view for each truth table."""
    con = duckdb.connect(config={"threads": 2})
    for folder in sorted(path for path in shop.truth.iterdir() if path.is_dir()):
        con.execute(f"create view {folder.name} as select * from read_parquet('{folder}/*.parquet')")
    return con


@pytest.fixture(scope="session")
def truth(large_shop: DemoShop) -> Iterator[duckdb.DuckDBPyConnection]:
    with truth_of(large_shop) as con:
        yield con


@pytest.fixture(scope="session")
def sales(
    large_shop: DemoShop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The larger shop's sales and campaigns as extraction has taken them in, with the truth beside."""
    lake = tmp_path_factory.mktemp("lake")
    for feed in ("ecommerce_orders", "pos_sales", "campaign_members"):
        take_in(large_shop, lake, feed)
    with raw_database(lake) as con:
        for folder in sorted(path for path in large_shop.truth.iterdir() if path.is_dir()):
            con.execute(f"create view {folder.name} as select * from read_parquet('{folder}/*.parquet')")
        yield con
