"""Takes a demo shop in with the project's own extraction, feed by feed."""

from pathlib import Path
from typing import Any

import duckdb
import yaml

from pipelines.demo import DemoShop
from pipelines.feeds.binding import BUILT_IN_REASONS, FeedBinding, FileSource
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.raw import refresh_raw

PROFILE_FILE = Path(__file__).resolve().parents[3] / "data" / "profiles" / "demo.yaml"
TIME_ZONE = "Asia/Shanghai"


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
            text = file.read_bytes().decode("gb18030")
            (copy / file.name).write_bytes(text.encode())
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
            time_zone=TIME_ZONE,
        )


def raw_database(lake_folder: Path) -> duckdb.DuckDBPyConnection:
    """A connection with the views `raw.<feed>` over what was taken in."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"set TimeZone = '{TIME_ZONE}'")
    refresh_raw(con, Lake(lake_folder), load_contracts())
    return con
