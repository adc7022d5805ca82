"""Forgetting a person: everywhere, for good, and proved by a search.

What happens, in this order, so that a job that dies in between is finished by the next one:

1. `begin`: whom a request means, tombstones for all that names them, and a note of it (`Pending`).
2. `erase_from_lake`: the rows of all feeds and of our own history, the files they came in, the audiences.
   Outcomes of past experiments stay as counts, under a random name.
3. `erase_from_warehouse`, then a run up to core: what is derived of people is made anew without them.
4. `compact`, `search.find_texts`: no byte is left; then the note is destroyed (`finish`).
"""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.erasing import erase_rows
from pipelines.feeds.lake import Lake
from pipelines.feeds.sql import identifier, literal, path_literal
from pipelines.feeds.tombstones import TABLE, Tombstones
from pipelines.parquet import write_parquet
from pipelines.privacy.subject import (
    Subject,
    describe_subject,
    find_customers,
    only_customer,
    unnamed_subject,
)

if TYPE_CHECKING:
    import duckdb

ERASED_UNIT_COLUMNS = {
    "campaign_id": "varchar",
    "unit_id": "varchar",
    "arm": "varchar",
    "holdout_period": "varchar",
    "is_control": "boolean",
    "planned_share": "double",
    "anchored_on": "date",
    "window_days": "integer",
    "journey": "varchar",
    "channel": "varchar",
    "offer_id": "varchar",
    "guide_class": "varchar",
    "dormancy_reason": "varchar",
    "value_tier": "varchar",
    "is_of_sleep": "boolean",
    "is_own": "boolean",
    "is_merged": "boolean",
    "is_converted": "boolean",
    "is_woken": "boolean",
    "is_unsubscribed": "boolean",
    "is_complained": "boolean",
    "revenue": "decimal(38,2)",
    "net_margin": "decimal(38,8)",
    "contact_cost": "decimal(38,2)",
    "incentive_cost": "decimal(38,2)",
}
"""What is kept of somebody who was part of an experiment: a row of its arm with a random name."""

# Columns of our own files in the lake, and of what kind their values are.
_OWN_COLUMNS = {
    "customer_id": "customer",
    "former_customer_id": "customer",
    "account_id": "account",
    "touch_id": "touch",
}
_OWN_FILES = (
    "emissions/*/*.parquet",
    "removals/*.parquet",
    "identity/ledger/*.parquet",
    "segment_movement/*.parquet",
)


class RequestError(ValueError):
    """A request cannot be read; the message names the file and what is accepted."""


@dataclass(frozen=True)
class Request:
    """One person to forget, as somebody has asked for it.

    Attributes:
        name: of the request's file, without its suffix.
        given: kind (see `subject.GIVEN_KINDS`) and value.
    """

    name: str
    given: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Pending:
    """A request whose person is known, and whose traces are being removed."""

    name: str
    subject: Subject
    erased_at: datetime


class Requests:
    """Requests and what is under way, below `<home>/erasure/`; closed to other users, for they name
    people."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "erasure"

    def ask(self, given: Sequence[tuple[str, str]]) -> Request:
        """Write a request; the job `erase` takes it from there."""
        name = f"request-{secrets.token_hex(6)}"
        self._write(f"{name}.json", json.dumps({"given": [list(each) for each in given]}, ensure_ascii=False))
        return Request(name, tuple(given))

    def asked(self) -> list[Request]:
        """The requests that nobody has begun, in the order of their names.

        Raises:
            RequestError: a file is not a request.
        """
        return [self._read(file) for file in sorted(self.folder.glob("request-*.json"))]

    def withdraw(self, request: Request) -> None:
        """Destroy a request."""
        (self.folder / f"{request.name}.json").unlink(missing_ok=True)

    def pend(self, request: Request, subject: Subject, erased_at: datetime) -> Pending:
        """Note that a request has begun, in place of it."""
        note = {"erased_at": erased_at.isoformat(), "subject": json.loads(subject.to_json())}
        self._write(f"pending-{request.name}.json", json.dumps(note, ensure_ascii=False))
        self.withdraw(request)
        return Pending(request.name, subject, erased_at)

    def pending(self) -> list[Pending]:
        """What has begun and has not been proved yet."""
        found = []
        for file in sorted(self.folder.glob("pending-*.json")):
            note = json.loads(file.read_text(encoding="utf-8"))
            subject = Subject.from_json(json.dumps(note["subject"]))
            name = file.stem.removeprefix("pending-")
            found.append(Pending(name, subject, datetime.fromisoformat(note["erased_at"])))
        return found

    def finish(self, pending: Iterable[Pending]) -> None:
        """Destroy the notes: from now on nobody knows whom they meant."""
        for each in pending:
            (self.folder / f"pending-{each.name}.json").unlink(missing_ok=True)

    def _read(self, file: Path) -> Request:
        try:
            given = json.loads(file.read_text(encoding="utf-8"))["given"]
            return Request(file.stem, tuple((str(kind), str(value)) for kind, value in given))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RequestError(
                f"{file}: is no request for an erasure; accepted: "
                '{"given": [["email", "anna@example.org"]]}, or use winback erase'
            ) from error

    def _write(self, name: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        temporary = self.folder / f".{name}.tmp"
        temporary.touch(mode=0o600)
        temporary.write_text(text, encoding="utf-8")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(self.folder / name)


@dataclass(frozen=True)
class Erased:
    """What was taken out: rows by feed or by folder of our own files, and which of those files have
    changed."""

    rows: dict[str, int]
    files: tuple[Path, ...]


def begin(
    con: duckdb.DuckDBPyConnection,
    request: Request,
    requests: Requests,
    tombstones: Tombstones,
    *,
    touch_files: Sequence[Path],
    erased_at: datetime,
) -> Pending:
    """Find out whom a request means, and set tombstones for all that names them.

    Args:
        con: open on a warehouse that is up to date with the lake.
        request: the request; a note takes its place.
        requests: where both are.
        tombstones: of the lake.
        touch_files: touches of all emitted dates.
        erased_at: now, aware.

    Raises:
        UnknownPerson: more than one customer is meant, or a customer or account that does not exist.
    """
    found = find_customers(con, request.given)
    if found or any(kind in ("customer", "account") for kind, _ in request.given):
        subject = describe_subject(con, only_customer(found, request.given), touch_files)
    else:
        # An address that only lists of campaigns and permissions have is no customer, and somebody's all the
        # same.
        subject = unnamed_subject(request.given)
    tombstones.append(con, subject.names, erased_at)
    return requests.pend(request, subject, erased_at)


def kept_outcomes(lake_dir: Path) -> list[Path]:
    """Parquet files of what erased people's part in experiments came to."""
    return sorted((lake_dir / "erasures" / "units").glob("*.parquet"))


def keep_outcomes(con: duckdb.DuckDBPyConnection, lake_dir: Path, pending: Pending) -> int:
    """Keep what a person's part in experiments came to, under a random name.

    Args:
        con: open on the warehouse.
        lake_dir: the lake.
        pending: whose.

    Returns:
        How many rows were kept: one per campaign and arm. None a second time.
    """
    folder = lake_dir / "erasures" / "units"
    target = folder / f"{pending.name}.parquet"
    exists = con.execute(
        "select 1 from duckdb_tables() where schema_name = 'kpi' and table_name = 'int_experiment_unit'"
    ).fetchone()
    if target.exists() or not pending.subject.customer_ids or not exists:
        return 0
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"erased_{secrets.token_hex(8)}"
    columns = ", ".join(
        f"{literal(name)} as unit_id" if column == "unit_id" else column for column in ERASED_UNIT_COLUMNS
    )
    ids = ", ".join(map(literal, pending.subject.customer_ids))
    write_parquet(
        con,
        f"select {columns} from kpi.int_experiment_unit "
        f"where scope = 'campaign' and customer_id in ({ids}) order by campaign_id, arm",
        target,
    )
    kept = con.execute(f"select count(*) from read_parquet({path_literal(target)})").fetchone()
    return int(kept[0]) if kept else 0


def erase_from_lake(
    con: duckdb.DuckDBPyConnection,
    lake_dir: Path,
    contracts: Mapping[str, FeedContract],
    tombstones: Tombstones,
) -> Erased:
    """Take erased people out of everything the lake has.

    Args:
        con: any connection; its time zone is the shop's.
        lake_dir: the lake; the caller owns it.
        contracts: all feed contracts.
        tombstones: whose traces.
    """
    erased = erase_rows(con, Lake(lake_dir), contracts, tombstones)
    files: list[Path] = []
    if not tombstones.load(con):
        return Erased(erased, ())
    for pattern in _OWN_FILES:
        for file in sorted(lake_dir.glob(pattern)):
            rows = _erase_own(con, tombstones, file)
            if rows:
                folder = pattern.split("/*")[0]
                erased[folder] = erased.get(folder, 0) + rows
                files.append(file)
    return Erased(erased, tuple(files))


def erase_from_tables(con: duckdb.DuckDBPyConnection, tombstones: Tombstones, files: Iterable[Path]) -> int:
    """Take rows that name erased people, in whatever column, out of Parquet files; returns how many.

    For files whose columns nobody has described: what is true of the demo shop.
    """
    taken = 0
    if not tombstones.load(con):
        return taken
    for file in files:
        source = f"read_parquet({path_literal(file)}, file_row_number = true, hive_partitioning = false)"
        columns = [row[0] for row in con.execute(f"describe select * from {source}").fetchall()]
        texts = ", ".join(f"cast({identifier(name)} as varchar)" for name in columns[:-1])
        erased = tombstones.texts_of_erased(source, "file_row_number", f"[{texts}]")
        con.execute(f"create or replace temp table winback_erased_row as {erased}")
        row = con.execute("select count(*) from winback_erased_row").fetchone()
        if row and row[0]:
            mode = file.stat().st_mode & 0o777
            others = "file_row_number not in (select row_id from winback_erased_row)"
            write_parquet(
                con,
                f"select * exclude (file_row_number) from {source} where {others} order by file_row_number",
                file,
            )
            file.chmod(mode)
            taken += int(row[0])
    return taken


def erase_from_instructions(
    con: duckdb.DuckDBPyConnection, tombstones: Tombstones, files: Iterable[Path]
) -> int:
    """Take rows that name erased accounts out of instruction files; returns how many."""
    taken = 0
    for file in files:
        if not file.is_file():
            continue
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
        accounts = {cell for row in rows for cell in row if ":" in cell}
        gone = {account for account in accounts if _is_erased(con, tombstones, "account", account)}
        kept = [row for row in rows if not gone.intersection(row)]
        if len(kept) < len(rows):
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(kept)
            temporary = file.with_suffix(".new")
            temporary.write_text(text.getvalue(), encoding="utf-8")
            shutil.copymode(file, temporary)
            temporary.replace(file)
            taken += len(rows) - len(kept)
    return taken


def _is_erased(con: duckdb.DuckDBPyConnection, tombstones: Tombstones, kind: str, value: str) -> bool:
    found = con.execute(
        f"select 1 from {TABLE} where hash = {tombstones.hashed(kind, literal(value))}"
    ).fetchone()
    return found is not None


def _erase_own(con: duckdb.DuckDBPyConnection, tombstones: Tombstones, file: Path) -> int:
    source = f"read_parquet({path_literal(file)}, hive_partitioning = false)"
    columns = [row[0] for row in con.execute(f"describe select * from {source}").fetchall()]
    conditions = [
        f"coalesce({tombstones.hashed(kind, identifier(column))} in (select hash from {TABLE}), false)"
        for column, kind in _OWN_COLUMNS.items()
        if column in columns
    ]
    if not conditions:
        return 0
    erased = " or ".join(conditions)
    row = con.execute(f"select count(*) from {source} where {erased}").fetchone()
    # What is told of another account may name one that is gone.
    values = ""
    if "evidence" in columns:
        other = tombstones.hashed("account", "json_extract_string(evidence, '$.with')")
        said = f"coalesce({other} in (select hash from {TABLE}), false)"
        values = f" replace (case when {said} then null else evidence end as evidence)"
        told = con.execute(f"select count(*) from {source} where {said}").fetchone()
    else:
        told = None
    if not row or (not row[0] and not (told and told[0])):
        return 0
    mode = file.stat().st_mode & 0o777
    write_parquet(con, f"select *{values} from {source} where not ({erased})", file)
    file.chmod(mode)
    return int(row[0])


def erase_from_warehouse(con: duckdb.DuckDBPyConnection, customer_ids: Sequence[str]) -> int:
    """Delete what the warehouse has of people; what is made anew from raw in this run is dropped whole.

    Args:
        con: open on the warehouse.
        customer_ids: of the erased, those that merges retired too.

    Returns:
        Rows deleted from the tables that are kept by date.
    """
    # Of their tables the run makes new ones; else spellings and accounts would stay in them.
    for schema in ("staging", "core", "identity"):
        con.execute(f"drop schema if exists {schema} cascade")
    deleted = 0
    tables = con.execute(
        "select schema_name, table_name, list(column_name) from duckdb_columns() "
        "where database_name = current_database() and not internal "
        "and (schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables()) "
        "group by all order by all"
    ).fetchall()
    for schema, table, columns in tables:
        name = f"{identifier(schema)}.{identifier(table)}"
        # Intermediates are of one run: the next makes them for its own dates.
        if table.startswith("int_") or schema == "main":
            con.execute(f"drop table {name}")
        elif "customer_id" in columns and customer_ids:
            row = con.execute(
                f"delete from {name} where customer_id in (select unnest(?))", [list(customer_ids)]
            ).fetchone()
            deleted += int(row[0]) if row else 0
    return deleted


def compact(connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]], file: Path) -> int:
    """Write the warehouse anew: what was deleted from it still stands in its free blocks.

    Args:
        connect: opens it; nobody has it open.
        file: its file.

    Returns:
        Bytes of the new file.
    """
    beside = file.with_name(f".{file.name}.compact")
    beside.unlink(missing_ok=True)
    with connect() as con:
        [current] = con.execute("select current_database()").fetchone() or [""]
        con.execute(f"attach {literal(str(beside))} as winback_compact")
        con.execute(f"copy from database {identifier(current)} to winback_compact")
        con.execute("detach winback_compact")
    beside.chmod(file.stat().st_mode & 0o777)
    with beside.open("rb") as written:
        os.fsync(written.fileno())
    beside.replace(file)
    file.with_name(file.name + ".wal").unlink(missing_ok=True)
    return file.stat().st_size


def record(folder: Path, told: Mapping[str, object]) -> None:
    """Append a line to the record of erasures: when, by which run and how much, and nothing of whom."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "record.jsonl"
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(told, ensure_ascii=False) + "\n")
    file.chmod(0o600)
