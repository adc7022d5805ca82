"""A shop of one feed for the tests: a contract, a folder of source files, a lake and a connection."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.extract import Extraction, extract_feed
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.raw import refresh_raw

SALES = FeedContract.model_validate(
    {
        "feed": "sales",
        "description": "One row is a sale, for the tests.",
        "key": ["sale_id"],
        "event_time": "sold_at",
        "version": "updated_at",
        "columns": [
            {"name": "sale_id", "type": "text", "required": True, "description": "Number of the sale."},
            {
                "name": "sold_at",
                "type": "timestamp",
                "minimum": date(2000, 1, 1),
                "description": "When it was.",
            },
            {"name": "updated_at", "type": "timestamp", "description": "When it was changed."},
            {"name": "day", "type": "date", "description": "A day of the sale."},
            {"name": "units", "type": "integer", "minimum": 0, "maximum": 100, "description": "Units sold."},
            {"name": "amount", "type": "decimal", "scale": 2, "required": True, "description": "Money paid."},
            {"name": "price", "type": "decimal", "scale": 4, "default": 0, "description": "Price of one."},
            {
                "name": "kind",
                "type": "text",
                "allowed": ["a", "b"],
                "default": "a",
                "description": "Kind of sale.",
            },
            {"name": "paid", "type": "boolean", "default": True, "description": "Whether it is paid."},
        ],
    }
)
MAPPING = {"sale_id": "id", "amount": "amount"}


@dataclass
class Shop:
    """Takes one feed in from files in `folder`, by keyword arguments of the binding."""

    folder: Path
    con: duckdb.DuckDBPyConnection
    contract: FeedContract = SALES
    time_zone: str = "Europe/London"
    latest_event: date | None = None
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake(self.folder / "lake")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def extract(self, path: str | list[str] = "sales.csv", **binding: Any) -> list[Ingestion]:
        return list(self.extraction(path, **binding).ingestions)

    def extraction(
        self, path: str | list[str] = "sales.csv", *, settle_seconds: float = 0, **binding: Any
    ) -> Extraction:
        source = {"type": "file", "path": path, **binding.pop("source", {})}
        model = FeedBinding.model_validate({"source": source, "columns": MAPPING, **binding})
        return extract_feed(
            self.con,
            self.contract,
            model,
            self.lake,
            profile_file=Path("data/profiles/test.yaml"),
            base_dir=self.folder,
            time_zone=self.time_zone,
            latest_event=self.latest_event,
            scratch_dir=self.folder / "scratch",
            settle_seconds=settle_seconds,
        )

    def extract_csv(self, content: str | bytes, **binding: Any) -> Ingestion:
        self.write("sales.csv", content)
        (ingestion,) = self.extract(**binding)
        return ingestion

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        refresh_raw(self.con, self.lake, {self.contract.feed: self.contract})
        return self.con.sql(
            f"select {columns} from raw.{self.contract.feed} order by _source, _line"
        ).fetchall()

    def quarantine(self, columns: str = "_line, reason, column_name") -> list[tuple[Any, ...]]:
        refresh_raw(self.con, self.lake, {self.contract.feed: self.contract})
        return self.con.sql(
            f"select {columns} from quarantine.{self.contract.feed} order by _source, _line"
        ).fetchall()
