"""Parquet files of the lake: written whole or not at all, and read whatever version of us wrote them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.feeds.sql import literal, path_literal

if TYPE_CHECKING:
    import duckdb


def parquet_source(con: duckdb.DuckDBPyConnection, files: Sequence[Path], columns: Mapping[str, str]) -> str:
    """A subquery over Parquet files, with these columns in this order; empty without files.

    A column that a file does not have is null in its rows: an older version of us wrote it.

    Args:
        con: any connection, to look at the files with.
        files: Parquet files; columns that are not asked for are left out.
        columns: DuckDB type of each column.
    """
    present: set[str] = set()
    source = "where false"
    if files:
        listed = ", ".join(path_literal(file) for file in sorted(files))
        # Without hive partitioning: the name of the files' folder is no column.
        table = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        present = {row[0] for row in con.execute(f"describe select * from {table}").fetchall()}
        source = f"from {table}"
    values = {column: f'"{column}"' if column in present else "null" for column in columns}
    typed = ", ".join(f'cast({values[column]} as {kind}) as "{column}"' for column, kind in columns.items())
    return f"(select {typed} {source})"


def write_parquet(
    con: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    parameters: Mapping[str, object] | None = None,
) -> None:
    """Write a query's rows, in its order, as a file that appears complete or not at all."""
    temporary = target.with_suffix(".tmp")
    con.execute(f"copy ({query}) to {literal(str(temporary))} (format parquet)", parameters or {})
    temporary.chmod(0o600)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
