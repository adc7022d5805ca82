"""Emitting a date: its decisions become history in the lake, then its audiences are written.

Freezing comes first and is one rename: from then on the date's decisions do not change any more, whatever is
run again. The files for the marketing tools follow from the frozen rows alone, so a run that died between
the two is finished by the next one, with the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

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
    "valid_until": "date",
    "priority": "integer",
    "expected_cost": "decimal(18,2)",
    "expected_margin": "decimal(18,2)",
    "policy_version": "varchar",
    "simulated": "boolean",
    "run_id": "varchar",
}
"""Columns of a frozen decision: those of `activation.recall_decision`."""

TOUCH_COLUMNS = {
    name: DECISION_COLUMNS[name]
    for name in (
        "as_of_date",
        "customer_id",
        "episode_id",
        "decision",
        "arm",
        "campaign_id",
        "touch_id",
        "channel",
    )
}
"""Columns of a touch: a send, or the ghost of one that the holdout kept back."""

_TOUCHES_SQL = f"""
select {", ".join(TOUCH_COLUMNS)}
from activation.recall_decision
where as_of_date = $as_of_date and decision in ('send', 'holdout')
order by touch_id
"""

_DECISIONS_SQL = f"""
select {", ".join(DECISION_COLUMNS)}
from activation.recall_decision
where as_of_date = $as_of_date
order by customer_id
"""

# The CRM knows its members by the ids of the shop's own systems: one line per account of the customer.
_CRM_SQL = """
select
    decisions.touch_id,
    decisions.campaign_id,
    decisions.journey,
    accounts.source as account_source,
    accounts.account_key as account_id,
    decisions.customer_id,
    rfm.guide_class,
    dormancy.dormancy_state,
    dormancy.value_tier,
    dormancy.explanation,
    dormancy.explanation_zh,
    decisions.priority,
    decisions.send_after,
    decisions.valid_until
from activation.recall_decision as decisions
inner join core.customer_account as accounts on decisions.customer_id = accounts.customer_id
left join marts.customer_rfm as rfm
    on decisions.as_of_date = rfm.as_of_date and decisions.customer_id = rfm.customer_id
left join marts.customer_dormancy as dormancy
    on decisions.as_of_date = dormancy.as_of_date and decisions.customer_id = dormancy.customer_id
where decisions.as_of_date = $as_of_date and decisions.decision = 'send' and decisions.channel = 'crm'
order by decisions.priority, accounts.source, accounts.account_key
"""

_EXPORT_QUERIES = {"crm": _CRM_SQL}


@dataclass(frozen=True)
class Export:
    """One channel's file of one date."""

    channel: str
    file: Path
    rows: int
    sha256: str


class EmissionStore:
    """Emitted dates under `<lake>/emissions/as_of=YYYY-MM-DD/`, and their audiences."""

    def __init__(self, lake_dir: Path, audiences_dir: Path) -> None:
        self.folder = lake_dir / "emissions"
        self.audiences_dir = audiences_dir

    def dates(self) -> list[date]:
        """Emitted dates, oldest first."""
        return sorted(
            date.fromisoformat(path.name.removeprefix("as_of=")) for path in self.folder.glob("as_of=*")
        )

    def unexported(self) -> list[date]:
        """Emitted dates whose run died before their audiences were written, oldest first."""
        return [
            day
            for day in self.dates()
            if not (self._frozen(day) / "exported").exists() and not self.folder_of(day).exists()
        ]

    def decision_files(self, dates: list[date] | None = None) -> list[Path]:
        """Parquet files of frozen decisions, of all emitted dates or of these."""
        return [self._frozen(day) / "decisions.parquet" for day in (self.dates() if dates is None else dates)]

    def touch_files(self) -> list[Path]:
        """Parquet files of the touches of all emitted dates."""
        return [self._frozen(day) / "touches.parquet" for day in self.dates()]

    def folder_of(self, as_of_date: date) -> Path:
        """Where the audiences of a date are."""
        return self.audiences_dir / f"as_of={as_of_date.isoformat()}"

    def freeze(
        self, con: duckdb.DuckDBPyConnection, as_of_date: date, *, run_id: str, policy_version: str
    ) -> Path:
        """Make the date's decisions history; without effect when they already are.

        Args:
            con: open on the warehouse, read only suffices.
            as_of_date: a date whose decisions are not simulated.
            run_id: the run that emits.
            policy_version: fingerprint of the policy the decisions were made by.

        Raises:
            ValueError: the date has no decisions, or simulated ones, or a later date was sent before it.
        """
        target = self._frozen(as_of_date)
        if target.exists():
            return target
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
        with _whole_folder(target) as folder:
            parameters = {"as_of_date": as_of_date}
            _copy(con, _DECISIONS_SQL, parameters, folder / "decisions.parquet", "parquet")
            _copy(con, _TOUCHES_SQL, parameters, folder / "touches.parquet", "parquet")
            for channel, query in _EXPORT_QUERIES.items():
                _copy(con, query, parameters, folder / f"export_{channel}.parquet", "parquet")
            record = {
                "as_of_date": as_of_date.isoformat(),
                "run_id": run_id,
                "policy_version": policy_version,
            }
            (folder / "emission.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        return target

    def export(self, as_of_date: date) -> list[Export]:
        """Write the audiences of a frozen date from its frozen rows, unless they were written before.

        Returns:
            The channels' files, written now or before; empty when they were written and since deleted.
        """
        frozen = self._frozen(as_of_date)
        record = json.loads((frozen / "emission.json").read_text(encoding="utf-8"))
        target = self.folder_of(as_of_date)
        exported = frozen / "exported"
        if not target.exists() and not exported.exists():
            with _whole_folder(target) as folder, duckdb.connect() as con:
                for channel in _EXPORT_QUERIES:
                    _write_channel(
                        con, frozen / f"export_{channel}.parquet", folder / channel, channel, record
                    )
        exported.touch()
        return _read_exports(target)

    def _frozen(self, as_of_date: date) -> Path:
        return self.folder / f"as_of={as_of_date.isoformat()}"


def _write_channel(
    con: duckdb.DuckDBPyConnection, rows_file: Path, folder: Path, channel: str, record: dict[str, str]
) -> None:
    folder.mkdir(mode=0o700)
    file = folder / f"{channel}.csv"
    # The folder's name is no column.
    source = f"read_parquet({_quoted(rows_file)}, hive_partitioning = false)"
    columns = con.execute(f"describe select * from {source}").fetchall()
    cells = ", ".join(_cell(name, kind) for name, kind, *_ in columns)
    _copy(con, f"select {cells} from {source}", {}, file, "csv, header")
    counted = con.execute(f"select count(*), max(valid_until) from {source}").fetchone()
    rows, valid_until = counted if counted is not None else (0, None)
    manifest = {
        **record,
        "channel": channel,
        "file": file.name,
        "rows": rows,
        "columns": [{"name": name, "type": kind} for name, kind, *_ in columns],
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "valid_until": valid_until.isoformat() if valid_until else None,
    }
    manifest_file = folder / "manifest.json"
    manifest_file.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for path in (file, manifest_file):
        path.chmod(0o600)


def _cell(name: str, kind: str) -> str:
    """A column for a CSV: a text that a spreadsheet would take for a formula gets a quote before it."""
    if kind != "VARCHAR":
        return f'"{name}"'
    looks_like_formula = f"regexp_matches(\"{name}\", '^[=+@\\-\\t\\r]')"
    return f'if({looks_like_formula}, \'\'\'\' || "{name}", "{name}") as "{name}"'


def _read_exports(target: Path) -> list[Export]:
    exports = []
    for path in sorted(target.glob("*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        exports.append(
            Export(manifest["channel"], path.parent / manifest["file"], manifest["rows"], manifest["sha256"])
        )
    return exports


def _copy(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object], file: Path, options: str
) -> None:
    con.execute(f"copy ({query}) to {_quoted(file)} (format {options})", parameters)


def _quoted(file: Path) -> str:
    return "'" + str(file).replace("'", "''") + "'"


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
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
