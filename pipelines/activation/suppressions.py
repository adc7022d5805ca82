"""Suppressed addresses: who must not be written to any more stays known by the hash of the address alone.

`core.int_suppressed_address` derives the hashes from today's events and adds those that are kept here, so
that they outlive the events, the accounts and the customers they came from. Nothing removes one: a consent
that is given later does not open the address again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.parquet import parquet_source, write_parquet

if TYPE_CHECKING:
    import duckdb

SUPPRESSION_COLUMNS = {
    "address_key": "varchar",
    "channel": "varchar",
    "kind": "varchar",
    "since": "timestamp",
}
"""Columns of a suppression.

`address_key` is the SHA-256 of kind, colon and address in normal form, as hex; `channel` is one of those of
`policy.reach_channel`; `kind` is unsubscribed, complained or bounced; `since` is local time.
"""


class SuppressionStore:
    """Numbered Parquet files under `<lake>/suppressions/`, one per run that learned of new ones."""

    def __init__(self, lake_dir: Path) -> None:
        self.folder = lake_dir / "suppressions"

    def files(self) -> list[Path]:
        """Files of all that was kept so far, oldest first."""
        return sorted(self.folder.glob("*.parquet"))

    def append(self, con: duckdb.DuckDBPyConnection) -> int:
        """Keep what `core.int_suppressed_address` has and no file does; without effect when that is nothing.

        Args:
            con: open on a warehouse whose core stage has passed its gate: what is kept once stays for ever.

        Returns:
            How many suppressions are new.
        """
        files = self.files()
        kept = parquet_source(con, files, SUPPRESSION_COLUMNS)
        new = f"""
            select {", ".join(SUPPRESSION_COLUMNS)} from core.int_suppressed_address
            anti join {kept} as kept using (address_key, channel, kind)
            order by all
        """
        counted = con.execute(f"select count(*) from ({new})").fetchone()
        if counted is None or counted[0] == 0:
            return 0
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_parquet(con, new, self._next(files))
        return int(counted[0])

    def _next(self, files: Sequence[Path]) -> Path:
        newest = int(files[-1].stem) if files else 0
        return self.folder / f"{newest + 1:06d}.parquet"
