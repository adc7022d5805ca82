"""References without a parent: a line of an unknown order, a sale of an unknown product or member.

Such rows are kept, since the parent may come later or from a system that the shop has not bound. They are
counted, so that a mapping that makes two systems' keys differ is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.sql import identifier


@dataclass(frozen=True)
class Orphans:
    """Rows of a feed whose reference leads nowhere.

    Attributes:
        feed, column: where the reference stands.
        parent: `feed.column` in which its value should be found.
        rows: rows without their parent, rows of `raw` counted as they are; none is a count too.
        of_rows: rows that have a reference.
    """

    feed: str
    column: str
    parent: str
    rows: int
    of_rows: int

    def __str__(self) -> str:
        counts = f"{self.rows:,} of {self.of_rows:,} rows"
        return f"{self.feed}: {counts} have a {self.column} unknown to {self.parent}"


ORPHAN_COLUMNS = {
    "feed": ("varchar", "Feed of the referring rows"),
    "column_name": ("varchar", "Column with the reference"),
    "parent": ("varchar", "Feed and column in which its values should be found"),
    "rows": ("bigint", "Rows whose value is not there; they are kept"),
    "of_rows": ("bigint", "Rows that have a value"),
}
"""DuckDB type and comment of each column of `quality.orphans`."""


def count_orphans(con: duckdb.DuckDBPyConnection, contracts: Mapping[str, FeedContract]) -> list[Orphans]:
    """Counts the rows of `raw` whose references lead nowhere, one query for each reference.

    A reference to a feed without rows is left out: the shop has not bound it, so nothing is known.

    Args:
        con: a connection to the warehouse, after `refresh_raw`.
        contracts: all feed contracts by name.

    Returns:
        In the order of the contracts and their references; references with no orphan too.
    """
    filled = {feed: _has_rows(con, feed) for feed in contracts}
    return [
        _count(con, feed, column, parent)
        for feed, contract in contracts.items()
        for column, parent in contract.references.items()
        if filled[feed] and filled.get(parent.split(".")[0])
    ]


def store_orphans(con: duckdb.DuckDBPyConnection, orphans: list[Orphans]) -> None:
    """Makes `quality.orphans` anew from what `count_orphans` gave."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in ORPHAN_COLUMNS.items())
    con.execute(f"create or replace table quality.orphans ({columns})")
    rows = [(each.feed, each.column, each.parent, each.rows, each.of_rows) for each in orphans]
    if rows:
        con.executemany("insert into quality.orphans values (?, ?, ?, ?, ?)", rows)


def _has_rows(con: duckdb.DuckDBPyConnection, feed: str) -> bool:
    return con.execute(f"select 1 from raw.{identifier(feed)} limit 1").fetchone() is not None


def _count(con: duckdb.DuckDBPyConnection, feed: str, column: str, parent: str) -> Orphans:
    parent_feed, _, parent_column = parent.partition(".")
    row = con.execute(
        f"""
        with referring as (
            select {identifier(column)} as value, count(*) as rows
            from raw.{identifier(feed)} where {identifier(column)} is not null group by all
        ),
        known as (select distinct {identifier(parent_column)} as value from raw.{identifier(parent_feed)})
        select
            coalesce(sum(referring.rows) filter (where known.value is null), 0),
            coalesce(sum(referring.rows), 0)
        from referring left join known using (value)
        """
    ).fetchone()
    assert row is not None
    return Orphans(feed, column, parent, int(row[0]), int(row[1]))
