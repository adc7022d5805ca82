"""Emitting a date: its decisions become history in the lake, then its audiences are written.

Freezing comes first and is one rename: from then on the date's decisions do not change any more, whatever is
run again. The files for the marketing tools follow from the frozen rows alone, so a run that died between
the two is finished by the next one, with the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.activation import exports
from pipelines.activation.exports import Export, ExportOptions
from pipelines.activation.removals import RemovalStore, counts
from pipelines.parquet import write_parquet

if TYPE_CHECKING:
    import duckdb

DECISION_COLUMNS = {
    "as_of_date": "date",
    "customer_id": "varchar",
    "customer_kind": "varchar",
    "episode_id": "varchar",
    "decision": "varchar",
    "reason_code": "varchar",
    "arm": "varchar",
    "campaign_id": "varchar",
    "touch_id": "varchar",
    "journey": "varchar",
    "step": "integer",
    "channel": "varchar",
    "offer_id": "varchar",
    "coupon_code": "varchar",
    "template_id": "varchar",
    "send_after": "timestamp",
    "send_before": "timestamp",
    "valid_until": "date",
    "priority": "integer",
    "expected_cost": "decimal(18,2)",
    "expected_margin": "decimal(18,2)",
    "contact_cost": "decimal(18,2)",
    "choice": "varchar",
    "guide_class": "varchar",
    "dormancy_reason": "varchar",
    "value_tier": "varchar",
    "address_key": "varchar",
    "policy_version": "varchar",
    "simulated": "boolean",
    "run_id": "varchar",
}
"""Columns of a frozen decision: those of `activation.recall_decision`."""

TOUCH_COLUMNS = {
    "as_of_date": "date",
    "customer_id": "varchar",
    "episode_id": "varchar",
    "decision": "varchar",
    "arm": "varchar",
    "campaign_id": "varchar",
    "touch_id": "varchar",
    "journey": "varchar",
    "step": "integer",
    "channel": "varchar",
    "offer_id": "varchar",
    "coupon_code": "varchar",
    "template_id": "varchar",
    "send_on": "date",
    "valid_until": "date",
    "address_key": "varchar",
    "expected_cost": "decimal(18,2)",
    "contact_cost": "decimal(18,2)",
    "choice": "varchar",
    "guide_class": "varchar",
    "dormancy_reason": "varchar",
    "value_tier": "varchar",
}
"""Columns of a touch: a send, or the ghost of one that the holdout kept back."""

ASSIGNMENT_COLUMNS = {
    "unit_id": "varchar",
    "customer_id": "varchar",
    "holdout_period": "varchar",
    "arm": "varchar",
    "assigned_on": "date",
    "episode_id": "varchar",
    "control_share": "double",
}
"""Columns of an arm assignment: those of `activation.assignment`."""

_DECISIONS_SQL = f"""
select {", ".join(DECISION_COLUMNS)}
from activation.recall_decision
where as_of_date = $as_of_date
order by customer_id
"""

_TOUCHES_SQL = f"""
select {", ".join(TOUCH_COLUMNS)}
from (select *, cast(send_after as date) as send_on from activation.recall_decision)
where as_of_date = $as_of_date and decision in ('send', 'holdout')
order by touch_id
"""

_ASSIGNMENTS_SQL = f"""
select {", ".join(ASSIGNMENT_COLUMNS)}
from activation.assignment
where assigned_on = $as_of_date
order by all
"""

_FROZEN = {"decisions": _DECISIONS_SQL, "touches": _TOUCHES_SQL, "assignments": _ASSIGNMENTS_SQL}


EXPORTED = "exported"
"""Marker in a frozen date's folder: its audiences were written, and may since have been taken away."""

SCRUB = "scrub"
"""Folder of the removals between two dates, below the audiences."""

_REMOVALS = "removals.parquet"


@dataclass(frozen=True)
class Sending:
    """What a run that sends says of itself.

    Attributes:
        run_id: the run.
        started_at: its start, aware.
        looked_on: local day up to which is looked for what overtook earlier messages.
    """

    run_id: str
    started_at: datetime
    looked_on: date

    @property
    def stamp(self) -> str:
        """The start as a name, in UTC.

        >>> Sending("r1", datetime(2024, 7, 1, 10, 30, tzinfo=UTC), date(2024, 7, 1)).stamp
        '20240701T103000Z'
        """
        return self.started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")

    @property
    def naive_utc(self) -> datetime:
        """The start as the lake has times: UTC without saying so."""
        return self.started_at.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Scrub:
    """What one scrub took back: its folder, when there was anything, and how much by channel and reason."""

    folder: Path | None
    removed: dict[tuple[str, str], int]


class EmissionStore:
    """Emitted dates under `<lake>/emissions/as_of=YYYY-MM-DD/`, and their audiences."""

    def __init__(self, lake_dir: Path, audiences_dir: Path) -> None:
        self.folder = lake_dir / "emissions"
        self.audiences_dir = audiences_dir
        self.removals = RemovalStore(lake_dir)

    def dates(self) -> list[date]:
        """Emitted dates, oldest first."""
        return sorted(
            date.fromisoformat(path.name.removeprefix("as_of=")) for path in self.folder.glob("as_of=*")
        )

    def unexported(self) -> list[date]:
        """Emitted dates whose run died before their audiences were written, oldest first."""
        return [day for day in self.dates() if not (self._frozen(day) / EXPORTED).exists()]

    def decision_files(self, dates: Sequence[date] | None = None) -> list[Path]:
        """Parquet files of frozen decisions, of all emitted dates or of these."""
        return [self._frozen(day) / "decisions.parquet" for day in (self.dates() if dates is None else dates)]

    def touch_files(self) -> list[Path]:
        """Parquet files of the touches of all emitted dates."""
        return [self._frozen(day) / "touches.parquet" for day in self.dates()]

    def assignment_files(self) -> list[Path]:
        """Parquet files of the arms drawn on all emitted dates; older versions wrote none."""
        files = [self._frozen(day) / "assignments.parquet" for day in self.dates()]
        return [file for file in files if file.exists()]

    def folder_of(self, as_of_date: date) -> Path:
        """Where the audiences of a date are."""
        return self.audiences_dir / f"as_of={as_of_date.isoformat()}"

    def freeze(
        self,
        con: duckdb.DuckDBPyConnection,
        as_of_date: date,
        sending: Sending,
        *,
        policy_version: str,
        options: ExportOptions,
    ) -> Path:
        """Make the date's decisions history; without effect when they already are.

        What goes out with it is frozen too: the rendered messages, and what it takes back of earlier dates.

        Args:
            con: open on the warehouse, read only suffices.
            as_of_date: a date whose decisions are not simulated.
            sending: the run that emits.
            policy_version: fingerprint of the policy the decisions were made by.
            options: the profile's settings of the exports.

        Raises:
            ValueError: the date has no decisions, or simulated ones, or a later date was sent before it.
        """
        target = self._frozen(as_of_date)
        if target.exists():
            return target
        self._require_decisions(con, as_of_date)
        withdrawable = self._withdrawable()
        with _whole_folder(target) as folder:
            for name, query in _FROZEN.items():
                write_parquet(con, query, folder / f"{name}.parquet", {"as_of_date": as_of_date})
            exports.freeze_rows(con, as_of_date, folder, options)
            self.removals.find(
                con,
                withdrawable,
                folder / _REMOVALS,
                looked_on=sending.looked_on,
                removed_at=sending.naive_utc,
            )
            record = {
                "as_of_date": as_of_date.isoformat(),
                "run_id": sending.run_id,
                "policy_version": policy_version,
            }
            (folder / "emission.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        return target

    def export(self, as_of_date: date) -> list[Export]:
        """Write the audiences of a frozen date from its frozen rows, unless they were written before.

        Returns:
            The channels' files, written now or before, but for those that were taken away since.
        """
        frozen = self._frozen(as_of_date)
        target = self.folder_of(as_of_date)
        if not (frozen / EXPORTED).exists():
            if not target.exists():
                record = json.loads((frozen / "emission.json").read_text(encoding="utf-8"))
                with _whole_folder(target) as folder:
                    exports.write(frozen, folder, record, self._removals_in(frozen))
            if (removals := self._removals_in(frozen)) is not None:
                self.removals.keep(removals.touches, as_of_date.isoformat())
            (frozen / EXPORTED).touch(mode=0o600)
        return exports.read_exports(target)

    def scrub(self, con: duckdb.DuckDBPyConnection, sending: Sending) -> Scrub:
        """Write what is to be taken back now of all dates, when there is anything.

        The lake takes note when the files are there: a run that dies before has its removals found again.

        Args:
            con: open on a warehouse whose core stage has passed its gate.
            sending: the run.
        """
        self.removals.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.removals.folder / ".found"
        removed = self.removals.find(
            con,
            self._withdrawable(),
            found,
            looked_on=sending.looked_on,
            removed_at=sending.naive_utc,
        )
        target = self.audiences_dir / SCRUB / sending.stamp
        if removed:
            with _whole_folder(target) as folder:
                record = {"run_id": sending.run_id, "scrubbed_at": sending.stamp}
                written = exports.write_delta(exports.Removals(self._rows_sent(), found), folder, record)
            if not written:  # no file had them: a platform that can match nobody, for one
                target.rmdir()
            self.removals.keep(found, sending.stamp)
        found.unlink()
        return Scrub(target if target.exists() else None, removed)

    def write_anew(self, names: Collection[str] | None = None) -> list[Path]:
        """Write audiences and removals again from the frozen rows, which have lost those of erased people.

        Args:
            names: dates (`YYYY-MM-DD`) and stamps of scrubs; all that are still there when not given.

        Returns:
            The folders that were written, or taken away since nothing of them is left.
        """
        written = []
        for day in self.dates():
            folder = self.folder_of(day)
            if folder.exists() and (names is None or day.isoformat() in names):
                shutil.rmtree(folder)
                (self._frozen(day) / EXPORTED).unlink(missing_ok=True)
                self.export(day)
                written.append(folder)
        for folder in self.scrub_folders():
            if names is None or folder.name in names:
                self._write_scrub_anew(folder)
                written.append(folder)
        return written

    def _write_scrub_anew(self, target: Path) -> None:
        manifests = sorted(target.glob("*/manifest.json"))
        found = self.removals.folder / f"{target.name}.parquet"
        run_id = json.loads(manifests[0].read_text(encoding="utf-8"))["run_id"] if manifests else ""
        shutil.rmtree(target)
        if found.exists():
            with _whole_folder(target) as folder:
                record = {"run_id": run_id, "scrubbed_at": target.name}
                written = exports.write_delta(exports.Removals(self._rows_sent(), found), folder, record)
            if not written:
                target.rmdir()

    def scrub_folders(self) -> list[Path]:
        """Folders of what was taken back between dates, oldest first."""
        return sorted((self.audiences_dir / SCRUB).glob("[0-9]*T*Z"))

    def removals_of(self, con: duckdb.DuckDBPyConnection, as_of_date: date) -> dict[tuple[str, str], int]:
        """What an emitted date took back of earlier ones, by channel and reason."""
        found = self._frozen(as_of_date) / _REMOVALS
        return counts(con, found) if found.exists() else {}

    def prune(self, keep_days: int, newest: date) -> list[str]:
        """Delete audience files and rendered messages; decisions, touches and assignments stay for ever.

        Args:
            keep_days: how many days before the newest date are kept.
            newest: the newest emitted date.

        Returns:
            Paths of the folders that were deleted or lost their messages, below audiences and lake.
        """
        oldest = newest - timedelta(days=keep_days)
        pruned: list[Path] = []
        unexported = self.unexported()
        for day in self.dates():
            if day >= oldest or day in unexported:
                continue
            rendered = sorted(self._frozen(day).glob("export_*.parquet"))
            for file in rendered:
                file.unlink()
            if rendered:
                pruned.append(self._frozen(day))
        for folder, day in self._audience_folders():
            if day < oldest and day not in unexported:
                shutil.rmtree(folder)
                pruned.append(folder)
        return [f"{folder.parent.name}/{folder.name}" for folder in pruned]

    def _audience_folders(self) -> list[tuple[Path, date]]:
        """All folders of audiences and of removals, with their day."""
        dated = [
            (folder, date.fromisoformat(folder.name.removeprefix("as_of=")))
            for folder in self.audiences_dir.glob("as_of=*")
        ]
        scrubs = [
            (folder, datetime.strptime(folder.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).date())
            for folder in self.scrub_folders()
        ]
        return sorted([*dated, *scrubs])

    def _require_decisions(self, con: duckdb.DuckDBPyConnection, as_of_date: date) -> None:
        counted = con.execute(
            "select count(*), count(*) filter (where simulated) from activation.recall_decision "
            "where as_of_date = ?",
            [as_of_date],
        ).fetchone()
        if counted is None or counted[0] == 0:
            raise ValueError(f"there are no decisions for {as_of_date}: materialise activation for it first")
        if counted[1]:
            raise ValueError(f"the decisions for {as_of_date} are simulated and cannot be sent")
        newest_sent = max(self.dates(), default=as_of_date)
        if newest_sent > as_of_date:
            raise ValueError(
                f"{newest_sent} was sent since the decisions for {as_of_date} were made, and did not know of "
                f"them. Run {as_of_date} again: it becomes a simulation"
            )

    def _withdrawable(self) -> list[Path]:
        """Touches of dates whose messages are still known: of others nothing can be taken back."""
        return [
            self._frozen(day) / "touches.parquet"
            for day in self.dates()
            if any(self._frozen(day).glob("export_*.parquet"))
        ]

    def _removals_in(self, frozen: Path) -> exports.Removals | None:
        """What a frozen date takes back of others; None of a date that an older version froze."""
        found = frozen / _REMOVALS
        return exports.Removals(self._rows_sent(but=frozen), found) if found.exists() else None

    def _rows_sent(self, but: Path | None = None) -> dict[str, list[Path]]:
        """The rendered rows that are still there, by the stem of their file."""
        rows: dict[str, list[Path]] = {}
        for day in self.dates():
            if self._frozen(day) != but:
                for file in sorted(self._frozen(day).glob("export_*.parquet")):
                    rows.setdefault(file.stem.removeprefix("export_"), []).append(file)
        return rows

    def _frozen(self, as_of_date: date) -> Path:
        return self.folder / f"as_of={as_of_date.isoformat()}"


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A folder that appears under its name when it is complete, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = target.with_name(f".tmp-{target.name}")
    if temporary.exists():
        shutil.rmtree(temporary)  # left by a run that died
    temporary.mkdir(mode=0o700)
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
