"""Which as-of dates there are, which of them are kept, and the movements that outlive their snapshots.

Snapshots of a date (`marts`, `activation`, `kpi`) are kept for a while and at month-ends. Movements between
segments are kept for ever, so they are in the lake: their snapshots are gone when somebody rebuilds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MOVEMENT_COLUMNS = {
    "customer_id": "varchar",
    "scheme": "varchar",
    "from_segment": "varchar",
    "to_segment": "varchar",
    "moved_on": "date",
}
"""Columns of `marts.segment_movement` and their DuckDB types."""


def is_kept(as_of_date: date, newest: date, history_days: int) -> bool:
    """Is the snapshot of a date kept, given the newest date there is?

    >>> is_kept(date(2017, 11, 30), date(2017, 12, 31), 10)
    True
    >>> is_kept(date(2017, 11, 29), date(2017, 12, 31), 10)
    False
    """
    is_month_end = (as_of_date + timedelta(days=1)).day == 1
    return is_month_end or as_of_date > newest - timedelta(days=history_days)


class History:
    """Dates that passed their gates, with their movements: one Parquet file each, under the lake."""

    def __init__(self, lake_dir: Path) -> None:
        self.folder = lake_dir / "segment_movement"

    def dates(self) -> list[date]:
        """Dates that passed all their gates at least once, oldest first."""
        return sorted(
            date.fromisoformat(path.stem.removeprefix("moved_on="))
            for path in self.folder.glob("moved_on=*.parquet")
        )

    def files(self, dates: Iterable[date]) -> list[Path]:
        """Files of these dates."""
        return [self._file(day) for day in dates]

    def record(self, con: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> None:
        """Write the movements of dates that have just passed their gates, each whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for day in dates:
            target = self._file(day)
            temporary = target.with_suffix(".tmp")
            con.execute(
                f"""
                copy (
                    select {", ".join(MOVEMENT_COLUMNS)} from marts.segment_movement
                    where moved_on = $day order by scheme, customer_id
                ) to '{str(temporary).replace("'", "''")}' (format parquet)
                """,
                {"day": day},
            )
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(target)

    def lost(self, con: duckdb.DuckDBPyConnection, recomputed: Iterable[date]) -> list[date]:
        """Dates whose movements are in the lake and not in the warehouse, but for those a run recomputes."""
        present: set[date] = set(recomputed)
        if table_exists(con, "marts", "segment_movement"):
            present |= {
                row[0]
                for row in con.execute("select distinct moved_on from marts.segment_movement").fetchall()
            }
        return [day for day in self.dates() if day not in present]

    def _file(self, day: date) -> Path:
        return self.folder / f"moved_on={day.isoformat()}.parquet"


def prune(
    con: duckdb.DuckDBPyConnection,
    tables: Iterable[tuple[str, str, str]],
    history_days: int,
    exempt: Iterable[date],
) -> dict[str, list[date]]:
    """Delete snapshots that are no longer kept.

    Args:
        con: open on the warehouse.
        tables: schema, name and date column of each table of snapshots.
        history_days: how many days are kept before the newest.
        exempt: dates of the present run; who asks for an old date gets it.

    Returns:
        The dates deleted from each table that lost some.
    """
    keep = set(exempt)
    pruned: dict[str, list[date]] = {}
    for schema, name, column in tables:
        dates = [row[0] for row in con.execute(f"select distinct {column} from {schema}.{name}").fetchall()]
        if not dates:
            continue
        newest = max(dates)
        old = sorted(day for day in dates if day not in keep and not is_kept(day, newest, history_days))
        if old:
            con.execute(f"delete from {schema}.{name} where {column} in (select unnest(?))", [old])
            pruned[f"{schema}.{name}"] = old
    return pruned


def table_exists(con: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Is there such a table in the warehouse?"""
    found = con.execute(
        "select count(*) from duckdb_tables() where schema_name = ? and table_name = ?", [schema, name]
    ).fetchone()
    return bool(found and found[0])
