"""Spellings in Unicode's compatibility form (NFKC), the first step of every normal form.

NFKC makes full-width digits, letters and signs plain ones (Unicode Standard Annex 15). DuckDB has no function
for it; plain ASCII, most of a shop's data, needs none, so only other spellings go through Python.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import duckdb

LONGEST_BYTES = 1024
"""A longer text is no name, number or address; it gets no normal form and takes no time."""


def compatible_texts(con: duckdb.DuckDBPyConnection, *, spellings: str, into: str) -> None:
    """Create the temporary table `into` (spelling, text): the spelling in NFKC, or null if it is too long.

    Args:
        con: an open connection.
        spellings: a table, a view or a query in brackets, with a column `spelling` (distinct, not null).
        into: the table's name.
    """
    # As many bytes as characters: ASCII.
    others = con.execute(f"""
    select spelling from {spellings} as given
    where strlen(spelling) <= {LONGEST_BYTES} and strlen(spelling) > length(spelling)
    """).pl()["spelling"]
    texts = [unicodedata.normalize("NFKC", spelling) for spelling in others]
    compatible = pl.DataFrame({"spelling": others, "text": texts}, schema_overrides={"text": pl.String})
    con.register("_compatible", compatible)
    con.execute(f"""
    create or replace temp table {into} as
    select
        spelling,
        coalesce(compatible.text, if(strlen(spelling) <= {LONGEST_BYTES}, spelling, null)) as text
    from {spellings} as given
    left join _compatible as compatible using (spelling)
    """)
    con.unregister("_compatible")
