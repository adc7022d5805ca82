"""Spark's tables compared with the published copy: counts and classes are equal, floats to nine digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.feeds.sql import identifier, literal, path_literal

if TYPE_CHECKING:
    import duckdb

    from pipelines.publication.publish import PublishedTable

TOLERANCE = 1e-9
"""Largest relative difference of two floats that count as equal: the order of a sum moves its last bits."""

NOT_COMPUTED = {"quality.gate_results"}
"""Published tables that no model makes: verdicts are of the runs that checked, and Spark runs no gates."""

_FLOATS = {"DOUBLE", "FLOAT"}
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT"}


@dataclass(frozen=True)
class Difference:
    """How a table differs from its reference.

    Attributes:
        table: its name.
        rows: of the reference.
        missing: rows of the reference that the table does not have, by all columns but floats.
        added: rows that the reference does not have, likewise.
        far: rows of both with a float that is further off than the tolerance.
        max_relative: largest relative difference of a float in rows of both.
        columns: what differs in the columns themselves, and which values do; for people.
    """

    table: str
    rows: int
    missing: int = 0
    added: int = 0
    far: int = 0
    max_relative: float = 0.0
    columns: str = ""

    @property
    def differing(self) -> int:
        """Rows that differ."""
        return max(self.missing, self.added) + self.far

    @property
    def differs(self) -> bool:
        """Whether the table is another one."""
        return bool(self.differing or self.columns)


def compare(con: duckdb.DuckDBPyConnection, table: str, found: str, reference: str) -> Difference:
    """Compares two relations, whatever the order of their rows.

    Args:
        con: any connection; its temporary tables whose names begin with "compared_" are this function's.
        table: name of the table, for the result.
        found: a relation.
        reference: what it should be equal to.

    Example:
        >>> import duckdb
        >>> with duckdb.connect() as con:
        ...     found, wanted = ("(select 1 as a, 0.1::double as b)", "(select 1 as a, 0.3::double as b)")
        ...     compare(con, "t", found, wanted).far
        1
    """
    wanted, there = (_columns(con, each) for each in (reference, found))
    ((rows,),) = con.execute(f"select count(*) from {reference}").fetchall()
    faults = [
        f"{name} is {there.get(name, 'missing')} instead of {kind}"
        for name, kind in wanted.items()
        if _family(there.get(name, "")) != _family(kind)
    ]
    if faults:
        return Difference(table, rows, columns="; ".join(faults))
    floats = [name for name, kind in wanted.items() if kind in _FLOATS]
    exact = [name for name in wanted if name not in floats]
    _number(con, {"reference": reference, "found": found}, exact, floats)
    on = " and ".join(f"a.{key} is not distinct from b.{key}" for key in [*_quoted(exact), "compared_number"])
    missing, added = (
        _count(con, f"compared_{one} as a anti join compared_{other} as b on {on}")
        for one, other in (("reference", "found"), ("found", "reference"))
    )
    said = _differing(con, exact) if missing or added else []
    far, most, far_columns = _distances(con, floats, on)
    return Difference(table, rows, missing, added, far, most, "; ".join([*said, *far_columns]))


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in con.execute(f"describe select * from {relation}").fetchall()}


def _count(con: duckdb.DuckDBPyConnection, source: str) -> int:
    ((count,),) = con.execute(f"select count(*) from {source}").fetchall()
    return int(count)


def _quoted(names: Iterable[str]) -> list[str]:
    return [identifier(name) for name in names]


def _number(
    con: duckdb.DuckDBPyConnection, relations: dict[str, str], exact: Sequence[str], floats: Sequence[str]
) -> None:
    """Makes `compared_<name>`: rows that are equal but for their floats get numbers in their order."""
    for name, relation in relations.items():
        con.execute(
            f"""
            create or replace temp table compared_{name} as
            select *, row_number() over (
                partition by {", ".join(_quoted(exact)) or "1"} order by {", ".join(_quoted(floats)) or "1"}
            ) as compared_number
            from {relation}
            """
        )


def _differing(con: duckdb.DuckDBPyConnection, exact: Sequence[str]) -> list[str]:
    """Columns with values that the other does not have."""
    said = []
    for name in _quoted(exact):
        others = f"(select {name} from compared_reference except all select {name} from compared_found)"
        if count := _count(con, others):
            said.append(f"{name}: {count} values")
    return said


def _distances(
    con: duckdb.DuckDBPyConnection, floats: Sequence[str], on: str
) -> tuple[int, float, list[str]]:
    """Rows of both with a far float, the largest relative difference, and the columns that have one."""
    if not floats:
        return 0, 0.0, []
    distances = ", ".join(
        f"""case
            when a.{name} is not distinct from b.{name} then 0.0
            when a.{name} is null or b.{name} is null then 'inf'::double
            else abs(a.{name} - b.{name}) / greatest(abs(a.{name}), abs(b.{name}))
        end as {name}"""
        for name in _quoted(floats)
    )
    con.execute(
        f"create or replace temp table compared_far as "
        f"select {distances} from compared_reference as a inner join compared_found as b on {on}"
    )
    largest = f"greatest({', '.join(_quoted(floats))})"
    far, most = con.execute(
        f"select count(*) filter (where {largest} > {TOLERANCE}), coalesce(max({largest}), 0) "
        "from compared_far"
    ).fetchall()[0]
    counts = {name: _count(con, f"compared_far where {name} > {TOLERANCE}") for name in _quoted(floats)}
    return far, most, [f"{name}: {count} floats" for name, count in counts.items() if count]


def _family(kind: str) -> str:
    """What a type is to its reader: all whole numbers are one, and a decimal is known by its decimals."""
    if kind.startswith("DECIMAL"):
        return f"decimals: {kind.rstrip(')').split(',')[1]}"
    return "whole" if kind in _WHOLE else kind


def compare_published(
    published: Path, folder: Path, tables: Sequence[PublishedTable], day: date, time_zone: str
) -> list[Difference]:
    """Compares every published table with Spark's, of tables by date the rows of one date.

    Args:
        published: the published copy.
        folder: where Spark's tables are.
        tables: what is published.
        day: the date that Spark has computed.
        time_zone: the shop's.
    """
    import duckdb  # noqa: PLC0415 - as in the package

    with duckdb.connect() as con:
        con.execute(f"set TimeZone = {literal(time_zone)}")
        con.execute(f"attach {path_literal(published)} as published (read_only)")
        return [_compared(con, table, folder, day) for table in tables if table.full_name not in NOT_COMPUTED]


def _compared(con: duckdb.DuckDBPyConnection, table: PublishedTable, folder: Path, day: date) -> Difference:
    where = f" where {identifier(table.date_column)} = date '{day}'" if table.date_column else ""
    reference = f"(from published.{table.full_name}{where})"
    files = _files(folder, table)
    if not any(folder.glob(files)):
        return Difference(table.full_name, _count(con, reference), columns="the table is missing")
    hive = (
        f"hive_partitioning = true, hive_types = {{{literal(table.date_column)}: date}}"
        if table.date_column
        else ""
    )
    source = f"read_parquet({literal(str(folder / files))}{', ' if hive else ''}{hive})"
    columns = ", ".join(_quoted(column.name for column in table.columns))
    return compare(con, table.full_name, f"(select {columns} from {source}{where})", reference)


def _files(folder: Path, table: PublishedTable) -> str:
    if (folder / table.schema / f"{table.name}.parquet").exists():
        return f"{table.schema}/{table.name}.parquet"
    return f"{table.schema}.db/{table.name}/**/*.parquet"


def as_table(differences: Iterable[Difference]) -> str:
    """The comparison for people, a line per table."""
    lines = [f"{'table':36} {'rows':>8} {'differing':>9} {'max relative difference':>23}"]
    for each in differences:
        lines.append(
            f"{each.table:36} {each.rows:>8,} {each.differing:>9,} {each.max_relative:>23.1e}"
            + (f"  {each.columns}" if each.columns else "")
        )
    return "\n".join(lines)
