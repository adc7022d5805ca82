"""What an export is: the rows of one feed as its source system would write them, before they become files.

An export's SQL selects the system's own columns and three more: `_file` (the file's name without suffix),
`_at` and `_key` (the order of rows in a file). Its rows stand in the table `out_<feed>` with `_place` beside,
0 for rows of the world and a number from 1 for planted ones (`pipelines.demo.dirt`).
"""

from dataclasses import dataclass
from typing import Literal

import duckdb

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS

ExportFormat = Literal["csv", "tsv", "jsonl", "parquet", "xlsx"]
_HALVES = (182, 366, 547)


@dataclass(frozen=True)
class Export:
    """How one feed is written.

    Attributes:
        feed: the feed, and the folder under landing.
        select: the SQL.
        format, large_format: of its files, and from `COMPRESSED_FROM_CUSTOMERS` customers up.
        gz: always, large (from that size up), or never.
        once: the same for every batch of customers, and so written with the first one only.
    """

    feed: str
    select: str
    format: ExportFormat
    gz: Literal["always", "large", "never"] = "never"
    large_format: ExportFormat | None = None
    delimiter: str = ","
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    byte_order_mark: bool = False
    once: bool = False

    def format_at(self, customers: int) -> ExportFormat:
        """The format of its files in a shop of that size."""
        is_large = customers >= rates.COMPRESSED_FROM_CUSTOMERS
        return self.large_format if is_large and self.large_format else self.format

    def suffix_at(self, customers: int) -> str:
        """The suffix of its files in a shop of that size."""
        is_large = customers >= rates.COMPRESSED_FROM_CUSTOMERS
        packed = self.gz == "always" or (self.gz == "large" and is_large)
        kind = self.format_at(customers)
        return f".{kind}.gz" if packed and kind != "parquet" else f".{kind}"


def create_export_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `half(seconds)`, the half-year as files are named by, and `stamp(seconds)`, local time as
    text."""
    first, second, third = (day * DAY_SECONDS for day in _HALVES)
    con.execute(f"""
    create macro half(seconds) as case
        when seconds < {first} then '2024h1' when seconds < {second} then '2024h2'
        when seconds < {third} then '2025h1' else '2025h2' end;
    create macro year_of(seconds) as case
        when seconds < 0 then 'before_2024' when seconds < {second} then '2024' else '2025' end;
    create macro stamp(seconds) as cast(moment(seconds) as varchar);
    """)


def create_rows(con: duckdb.DuckDBPyConnection, export: Export) -> None:
    """Creates the table `out_<feed>`."""
    con.execute(f"create or replace table out_{export.feed} as select *, 0 as _place from ({export.select})")
