"""Two tables compared: what is counted or classed must be equal, a float to nine digits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

TOLERANCE = 1e-9
"""Largest relative difference of two floats that count as equal: the order of a sum moves the last bits."""

_FLOATS = {"DOUBLE", "FLOAT"}


@dataclass(frozen=True)
class Difference:
    """How a table differs from the one that it is compared with.

    Attributes:
        rows: of the reference.
        only_reference, only_other: rows whose exact columns the other does not have.
        differing_floats: rows of equal exact columns with a float that is further off than the tolerance.
        max_relative_difference: of all floats in rows of equal exact columns.
        columns: what differs in the columns themselves; empty when their names and order are equal.
        worst: columns that differ most, for people.
    """

    rows: int
    only_reference: int = 0
    only_other: int = 0
    differing_floats: int = 0
    max_relative_difference: float = 0.0
    columns: str = ""
    worst: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.only_reference or self.only_other or self.differing_floats or self.columns)


def compare(
    con: duckdb.DuckDBPyConnection, other: str, reference: str, ignored: Collection[str] = ()
) -> Difference:
    wanted, found = (
        {name: kind for name, kind, *_ in con.execute(f"describe select * from {each}").fetchall()
         if name not in ignored}
        for each in (reference, other)
    )
    ((rows,),) = con.execute(f"select count(*) from {reference}").fetchall()
    if list(wanted) != list(found):
        return Difference(rows, columns=f"{', '.join(found)} instead of {', '.join(wanted)}")
    floats = [name for name, kind in wanted.items() if kind in _FLOATS or found[name] in _FLOATS]
    exact = [name for name in wanted if name not in floats]
    wrong = [f"{n} {found[n]} instead of {wanted[n]}" for n in wanted if _family(found[n]) != _family(wanted[n])]
    listed = ", ".join(f'"{name}"' for name in exact) or "1"
    order = ", ".join(f'"{name}"' for name in floats) or "1"
    con.execute("create or replace temp table compared_columns as select 1")
    for name, source in (("reference", reference), ("other", other)):
        con.execute(
            f"""create or replace temp table compared_{name} as
            select *, row_number() over (partition by {listed} order by {order}) as compared_number from {source}"""
        )
    keys = [*exact, "compared_number"]
    on = " and ".join(f'a."{n}" is not distinct from b."{n}"' for n in keys)
    only = [
        con.execute(f"select count(*) from compared_{x} a anti join compared_{y} b on {on}").fetchone()[0]
        for x, y in (("reference", "other"), ("other", "reference"))
    ]
    far, most = 0, 0.0
    worst = []
    if floats:
        rel = {
            n: f"""case when a."{n}" is not distinct from b."{n}" then 0.0
                when a."{n}" is null or b."{n}" is null then 'inf'::double
                else abs(a."{n}" - b."{n}") / greatest(abs(a."{n}"), abs(b."{n}")) end"""
            for n in floats
        }
        values = ", ".join(f'{e} as "{n}"' for n, e in rel.items())
        con.execute(f"create or replace temp table compared_far as select {values} from compared_reference a join compared_other b on {on}")
        greatest = f"greatest({', '.join(chr(34)+n+chr(34) for n in floats)})"
        far, most = con.execute(
            f"select count(*) filter (where {greatest} > {TOLERANCE}), coalesce(max({greatest}), 0) from compared_far"
        ).fetchone()
        if far:
            for n in floats:
                c = con.execute(f'select count(*) from compared_far where "{n}" > {TOLERANCE}').fetchone()[0]
                if c: worst.append(f"{n}:{c}")
    if any(only):
        for n in exact:
            c = con.execute(f'select count(*) from (select "{n}" from compared_reference except all select "{n}" from compared_other)').fetchone()[0]
            if c: worst.append(f"{n}:{c}")
    return Difference(rows, only[0], only[1], far, most, "; ".join(wrong), " ".join(worst))


def _family(kind: str) -> str:
    if kind.startswith("DECIMAL"):  # a sum has another precision; its scale is what its values show
        return f"DECIMAL with {kind.rstrip(')').split(',')[1].strip()} decimals"
    return "INTEGER" if kind in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT"} else kind
