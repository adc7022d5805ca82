"""What a materialisation of a table tells Dagster: its columns as they are, their lineage, and a few rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
from dagster import MetadataValue, TableColumn, TableColumnLineage, TableRecord, TableSchema

PREVIEW_ROWS = 5

_OF_PERSONS = {"customer_id", "account_id", "account_key", "unit_id"}


def column_metadata(
    con: duckdb.DuckDBPyConnection, schema: str, table: str, defined: Mapping[str, Any]
) -> dict[str, Any]:
    """Columns with their real types, what they mean, and what they are made of.

    Args:
        con: open on the warehouse.
        schema: of the table.
        table: its name.
        defined: metadata of the asset's definition, which has the descriptions and the lineage.
    """
    # Of the one table: duckdb_columns() lists all of the warehouse.
    described = con.execute(f'describe "{schema}"."{table}"').fetchall()
    types = [(name, kind) for name, kind, *_ in described]
    meant = {column.name: column.description for column in _columns(defined)}
    metadata: dict[str, Any] = {
        "dagster/column_schema": TableSchema(
            columns=[TableColumn(name, kind, description=meant.get(name)) for name, kind in types]
        )
    }
    lineage = defined.get("dagster/column_lineage")
    if lineage is not None:
        there = {name for name, _ in types}
        metadata["dagster/column_lineage"] = TableColumnLineage(
            {name: found for name, found in lineage.deps_by_column.items() if name in there}
        )
    return metadata


def preview(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], date_column: str | None = None
) -> MetadataValue | None:
    """The first rows of a table, of its newest date; None for a table with a row for each person.

    Args:
        con: open on the warehouse.
        relation: the table, quoted.
        columns: the columns to show, in this order; none of them holds personal data.
        date_column: the as-of date, if it has one.
    """
    if _OF_PERSONS.intersection(columns):
        return None
    newest = (
        "" if date_column is None else f"where {date_column} = (select max({date_column}) from {relation})"
    )
    listed = ", ".join(f'"{name}"' for name in columns)
    rows = con.execute(f"select {listed} from {relation} {newest} limit {PREVIEW_ROWS}").fetchall()
    if not rows:
        return None
    return MetadataValue.table(
        [TableRecord({name: _plain(value) for name, value in zip(columns, row, strict=True)}) for row in rows]
    )


def _columns(defined: Mapping[str, Any]) -> Sequence[TableColumn]:
    schema = defined.get("dagster/column_schema")
    return () if schema is None else schema.columns


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, Decimal | date | datetime):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
