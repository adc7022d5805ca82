"""Whether what is kept can be read: every file of the lake, and every table of a database.

What a disk or a copy has spoilt is often noticed only when somebody needs it. `verify_lake` and
`verify_tables` read all of it, and say of each fault what it is and how it is mended.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.feeds.errors import FeedError
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.sql import identifier, path_literal

_RECOMPUTED = {
    "segment_movement": "remove it: the next run of its date, or a rebuild, writes it again",
    "dormancy_fits": "remove it: the next run fits the model anew, as of the same day",
    "dormancy_evaluations": "remove it: the next run fits the model anew, as of the same day",
    "dormancy_calibrations": "remove it: the next run fits the model anew, as of the same day",
}
_FROM_BACKUP = "restore it from a backup: what it holds cannot be computed again"


@dataclass(frozen=True)
class Fault:
    """Something that cannot be read, or is not what it was: where, what is wrong, and what to do."""

    where: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}\n    {self.remedy}"


@dataclass(frozen=True)
class Verified:
    """How much was looked at, and what was found."""

    looked_at: int
    faults: tuple[Fault, ...]


def verify_lake(con: duckdb.DuckDBPyConnection, root: Path) -> Verified:
    """Reads every Parquet file below a lake's root, each value of it, and compares with the records.

    Args:
        con: any connection.
        root: the lake's folder.

    Returns:
        The number of files, and the faults.
    """
    lake = Lake(root)
    files = sorted(file for file in root.rglob("*.parquet") if not _is_unfinished(file.relative_to(root)))
    faults: list[Fault] = []
    recorded: dict[Path, Ingestion] = {}
    try:
        for ingestion in lake.ingestions():
            recorded |= {lake.rows_file(ingestion): ingestion, lake.quarantine_file(ingestion): ingestion}
    except FeedError as error:
        faults.append(Fault(str(root), str(error), "the files of feeds were not compared with their records"))
    for file in sorted({*files, *recorded}):
        of = recorded.get(file)
        problem = _problem(con, lake, file, of)
        if problem is not None:
            faults.append(Fault(str(file), problem, remedy_of(root, file, of)))
    return Verified(len(files), tuple(faults))


def verify_tables(con: duckdb.DuckDBPyConnection, where: str, remedy: str) -> Verified:
    """Reads every value of every table of the connection's database.

    Args:
        con: a connection; it is only read.
        where: the database, for messages.
        remedy: what to do when a table cannot be read.

    Returns:
        The number of tables, and the faults.
    """
    try:
        names = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = current_database() "
            "order by all"
        ).fetchall()
    except duckdb.Error as error:
        return Verified(0, (Fault(where, _first_line(error), remedy),))
    faults = []
    for schema, name in names:
        try:
            con.execute(
                f"select bit_xor(hash(t)) from {identifier(schema)}.{identifier(name)} as t"
            ).fetchall()
        except duckdb.Error as error:
            faults.append(Fault(f"{where}, table {schema}.{name}", _first_line(error), remedy))
    return Verified(len(names), tuple(faults))


def verify_database(
    file: Path, remedy: str, *, connect: Callable[[Path], duckdb.DuckDBPyConnection]
) -> Verified:
    """As `verify_tables`, for a file that may not even open.

    Args:
        file: the database file.
        remedy: what to do when it cannot be read.
        connect: opens it.
    """
    try:
        con = connect(file)
    except duckdb.Error as error:
        return Verified(1, (Fault(str(file), f"cannot be opened: {_first_line(error)}", remedy),))
    with con:
        return verify_tables(con, str(file), remedy)


def remedy_of(root: Path, file: Path, ingestion: Ingestion | None) -> str:
    """What to do about a spoilt file of the lake.

    Args:
        root: the lake's folder.
        file: the file.
        ingestion: the one that it is of, if it is of a feed and its record can be read.
    """
    kind = file.relative_to(root).parts[0]
    if ingestion is None:
        return _RECOMPUTED.get(kind, _FROM_BACKUP)
    if ingestion.stream is not None:
        return (
            f"restore {file.parent} from a backup; without one remove every folder of the feed whose record "
            "says "
            f"{ingestion.stream!r}: the next run reads the database anew"
        )
    return (
        f"restore {file.parent} from a backup; without one remove that folder: the next run takes "
        f"{ingestion.source} in again, if it is still there"
    )


def unreadable_files(con: duckdb.DuckDBPyConnection, files: list[Path]) -> Iterator[tuple[Path, str]]:
    """The Parquet files of which not even the footer can be read, each with the reason."""
    for file in files:
        try:
            con.execute(f"select count(*) from parquet_file_metadata({path_literal(file)})").fetchall()
        except duckdb.Error as error:
            yield file, _first_line(error)


def _is_unfinished(file: Path) -> bool:
    return any(part.startswith(".tmp-") for part in file.parts)


def _problem(con: duckdb.DuckDBPyConnection, lake: Lake, file: Path, of: Ingestion | None) -> str | None:
    try:
        wanted = (
            None if of is None else of.rows_sha256 if file == lake.rows_file(of) else of.quarantine_sha256
        )
        if wanted is not None:
            with file.open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != wanted:
                    return "is not as it was written: another SHA-256 than its record says"
        row = con.execute(
            f"select count(*), bit_xor(hash(t)) from "
            f"read_parquet({path_literal(file)}, hive_partitioning = false) as t"
        ).fetchone()
    except FileNotFoundError:
        return "is missing"
    except (OSError, duckdb.Error) as error:
        return f"cannot be read: {_first_line(error)}"
    if of is not None and row is not None:
        rows = of.rows_loaded if file == lake.rows_file(of) else of.rows_quarantined
        if row[0] != rows:
            return f"has {row[0]:,} rows, and its record says {rows:,}"
    return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
