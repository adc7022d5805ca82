"""Demo shops in folders of the tests: written, taken in by the project's own extraction."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from pipelines.demo import DemoShop, rates, write_demo_shop
from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.raw import refresh_raw

PROFILE_FILE = Path(__file__).resolve().parents[3] / "data" / "profiles" / "demo.yaml"


def write_into(folder: Path, **arguments: int) -> DemoShop:
    """A shop in `folder`, with landing and truth side by side."""
    return write_demo_shop(folder / "landing", folder / "demo_truth", **arguments)


def create_truth_views(con: duckdb.DuckDBPyConnection, shop: DemoShop) -> None:
    """A view for each truth table."""
    for folder in sorted(path for path in shop.truth.iterdir() if path.is_dir()):
        con.execute(f"create view {folder.name} as select * from read_parquet('{folder}/*.parquet')")


def truth_of(shop: DemoShop) -> duckdb.DuckDBPyConnection:
    """A connection with a view for each truth table."""
    con = duckdb.connect(config={"threads": 2})
    create_truth_views(con, shop)
    return con


def profile_feeds() -> dict[str, dict[str, Any]]:
    """The bindings of the profile as they stand in the file."""
    return dict(yaml.safe_load(PROFILE_FILE.read_text(encoding="utf-8"))["feeds"])


def expected_quarantine(shop: DemoShop, feed: str) -> dict[str, int]:
    """What extraction must find."""
    return shop.feeds[feed].quarantined


def take_in(shop: DemoShop, lake_folder: Path, feed: str) -> list[Ingestion]:
    """Extracts one feed of the shop."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set TimeZone = 'UTC'")
        extraction = extract_feed(
            con,
            load_contracts()[feed],
            FeedBinding.model_validate(profile_feeds()[feed]),
            Lake(lake_folder),
            profile_file=PROFILE_FILE,
            base_dir=shop.landing.parent,
            time_zone=rates.TIME_ZONE,
            latest_event=date(2025, 12, 31),
            settle_seconds=0,
        )
    return list(extraction.ingestions)


def raw_database(lake_folder: Path) -> duckdb.DuckDBPyConnection:
    """A connection with the views `raw.<feed>` over what was taken in."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"set TimeZone = '{rates.TIME_ZONE}'")
    refresh_raw(con, Lake(lake_folder), load_contracts())
    return con
