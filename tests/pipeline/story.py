"""One data home with a past, told once and looked at by several test files.

Three dates in order for real, over a weekend so that two weekly fits take part, and the last one once more;
then two dates of the past: one beyond retention, and a month-end. The shop's files go on after its last date,
so whatever looks ahead shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from small_shop import END, SmallShop, write_small_shop

if TYPE_CHECKING:
    from data_home import Home

SATURDAY, SUNDAY, MONDAY = date(2024, 6, 8), date(2024, 6, 9), date(2024, 6, 10)
"""Sent one after the other; Monday is the shop's last date."""

MID = date(2024, 4, 17)
"""Simulated afterwards; the next run lets it go."""

MONTH_END = date(2024, 5, 31)
"""Simulated after that, and kept."""

HISTORY_DAYS = 5

DATE_COLUMNS = {
    "marts.customer_rfm": "as_of_date",
    "marts.customer_dormancy": "as_of_date",
    "marts.dormancy_reason": "as_of_date",
    "marts.recommendation": "as_of_date",
    "marts.segment_movement": "moved_on",
    "activation.recall_decision": "as_of_date",
    "kpi.dormancy_overview": "as_of_date",
    "kpi.reason_overview": "as_of_date",
}
"""The published tables that hold a date's results, and the column with that date."""

NEWEST_ONLY = ["marts.dormancy_reason", "marts.recommendation"]
"""Those of them that are kept for the newest date and month-ends."""

SNAPSHOTS = [table for table in DATE_COLUMNS if table not in {"marts.segment_movement", *NEWEST_ONLY}]
"""Those of them that retention applies to; movements are kept for ever."""


SENT = "core.touch"
"""Holds what we have sent ourselves too: it follows from the runs before, not from the shop's files alone."""

OUTCOMES = (
    SENT,
    "kpi.recall_outcome",
    "kpi.incrementality",
    "kpi.redormancy",
    "kpi.channel_preference",
    "kpi.target",
)
"""What tells of our sends follows from the runs that sent."""


@dataclass(frozen=True)
class Moment:
    """What a home holds when a run has ended; files by their path within the home's folder of them."""

    tables: dict[str, list[tuple[Any, ...]]]
    columns: dict[str, list[str]]
    exports: dict[str, bytes]
    written_at_ns: dict[str, int]
    lake: dict[str, bytes]

    @classmethod
    def of(cls, home: Home) -> Moment:
        """The home as it is now."""
        exported = [file for file in home.settings.audiences_dir.rglob("*") if file.is_file()]
        with home.published() as con:
            columns: dict[str, list[str]] = {}
            for schema, table, column in con.execute(
                "select schema_name, table_name, column_name from duckdb_columns() "
                "where not internal order by schema_name, table_name, column_index"
            ).fetchall():
                columns.setdefault(f"{schema}.{table}", []).append(column)
        return cls(
            tables=home.tables(),
            columns=columns,
            exports=home.exports(),
            written_at_ns={str(file): file.stat().st_mtime_ns for file in exported},
            lake={
                str(file.relative_to(home.settings.lake_dir)): file.read_bytes()
                for file in home.settings.lake_dir.rglob("*")
                if file.is_file()
            },
        )

    def records(self, table: str, day: date | None = None) -> list[dict[str, Any]]:
        """Rows of a table with their column names; of one date, where one is given."""
        rows = [dict(zip(self.columns[table], row, strict=True)) for row in self.tables[table]]
        return rows if day is None else [row for row in rows if row[DATE_COLUMNS[table]] == day]

    def decisions(self, day: date) -> dict[str, dict[str, Any]]:
        """Decisions of a date by customer."""
        return {row["customer_id"]: row for row in self.records("activation.recall_decision", day)}

    def dates(self, table: str) -> set[date]:
        """The dates a table has rows of."""
        return {row[DATE_COLUMNS[table]] for row in self.records(table)}

    def emissions(self) -> dict[str, bytes]:
        """What was sent, as the lake keeps it."""
        return {name: content for name, content in self.lake.items() if name.startswith("emissions/")}


@dataclass(frozen=True)
class Story:
    """The home as it is at the end, and its moments by name."""

    home: Home
    moments: dict[str, Moment]

    def __getitem__(self, name: str) -> Moment:
        return self.moments[name]


def write_story_shop(folder: Path) -> SmallShop:
    """The small shop, with an earlier last date and a short memory."""
    shop = write_small_shop(folder)
    profile = shop.profile.read_text(encoding="utf-8").replace(f"end_date: {END}", f"end_date: {MONDAY}")
    shop.profile.write_text(f"{profile}history_days: {HISTORY_DAYS}\n", encoding="utf-8")
    return shop


def tell(home: Home) -> Story:
    """Run all of it in a home in which nothing has run yet."""
    moments: dict[str, Moment] = {}
    for name, day in (
        ("saturday", SATURDAY),
        ("sunday", SUNDAY),
        ("monday", None),
        ("monday again", None),
        ("mid", MID),
        ("month end", MONTH_END),
    ):
        assert home.run(*([] if day is None else ["--date", str(day)])) == 0, f"the run of {name} failed"
        moments[name] = Moment.of(home)
    return Story(home, moments)
