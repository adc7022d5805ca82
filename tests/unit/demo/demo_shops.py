"""Demo shops in folders of the tests: written, taken in by the project's own extraction."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import yaml

from pipelines.demo import DemoShop, rates, write_demo_shop
from pipelines.feeds.binding import BUILT_IN_REASONS, FeedBinding, FileSource
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
    """What extraction must find, without the reasons that this version of it does not know."""
    known = {*BUILT_IN_REASONS, "absurd_amount", "negative_quantity"}
    return {reason: rows for reason, rows in shop.feeds[feed].quarantined.items() if reason in known}


def take_in(shop: DemoShop, lake_folder: Path, feed: str) -> list[Ingestion]:
    """Extracts one feed of the shop; a GB18030 file is re-encoded where extraction knows no encodings."""
    home = shop.landing.parent
    binding = profile_feeds()[feed]
    if "encoding" in binding["source"] and "encoding" not in FileSource.model_fields:
        del binding["source"]["encoding"]
        copy = home / "as_utf8" / "landing" / feed
        copy.mkdir(parents=True, exist_ok=True)
        for file in sorted((shop.landing / feed).iterdir()):
            packed = file.suffix == ".gz"
            content = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
            content = content.decode("gb18030").encode()
            (copy / file.name).write_bytes(gzip.compress(content) if packed else content)
        home = home / "as_utf8"
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set TimeZone = 'UTC'")
        return extract_feed(
            con,
            load_contracts()[feed],
            FeedBinding.model_validate(binding),
            Lake(lake_folder),
            profile_file=PROFILE_FILE,
            base_dir=home,
            time_zone=rates.TIME_ZONE,
        )


def raw_database(lake_folder: Path) -> duckdb.DuckDBPyConnection:
    """A connection with the views `raw.<feed>` over what was taken in."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"set TimeZone = '{rates.TIME_ZONE}'")
    refresh_raw(con, Lake(lake_folder), load_contracts())
    return con
