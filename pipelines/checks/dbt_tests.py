"""What a dbt test says as a check: what it guards, and when it fails which rows and what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

EXAMPLES = 10
"""Failing rows shown of a test."""

# What dbt calls the tested column, and its count, in the rows of its own tests.
_TESTED = {"unique_field", "value_field", "from_field"}
_COUNTS = {"n_records", "rows_with_key"}
_CONFIG = re.compile(r"\{\{\s*config\(.*?\)\s*\}\}", re.DOTALL)


def guards(test: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one for each kind of test
    """One line: what a test of the manifest guards.

    >>> guards({"test_metadata": {"name": "unique", "kwargs": {"column_name": "customer_id"}}})
    'No two rows have the same customer_id.'
    """
    generic = test.get("test_metadata")
    if generic is None:
        return _comment(test["raw_code"])
    arguments = generic["kwargs"]
    column = arguments.get("column_name")
    match generic["name"]:
        case "unique":
            return f"No two rows have the same {column}."
        case "unique_key":
            return f"No two rows have the same {', '.join(arguments['columns'])}."
        case "not_null":
            return f"{column} is never empty."
        case "accepted_values":
            return f"{column} is one of {', '.join(map(str, arguments['values']))}."
        case "relationships":
            return f"Every {column} is in {_referenced(arguments['to'])}."
        case name:
            return f"dbt test {name}."


def remedy(test: Mapping[str, Any]) -> str:
    """What to do when the test fails: its own `meta: {remedy: ...}`, else what its kind calls for."""
    own = test.get("config", {}).get("meta", {}).get("remedy")
    if own:
        return str(own)
    generic = test["test_metadata"]
    of = "the policy table" if str(test.get("attached_node")).startswith("seed.") else "the model"
    match generic["name"]:
        case "unique" | "unique_key":
            return f"Look in {of} for the join or the row that is there twice."
        case "not_null":
            return f"Look in {of} for the row without it, and in its source."
        case "accepted_values":
            return f"Correct the value in {of}, or add it to the accepted ones where it is described."
        case "relationships":
            to, field = _referenced(generic["kwargs"]["to"]), generic["kwargs"]["field"]
            return f"Build {to} anew, then look for the {field} that it lacks."
        case _:
            return f"Look at the rows, and at the SQL of {of}."


def failing_rows(
    con: duckdb.DuckDBPyConnection, query: str, test: Mapping[str, Any], open_columns: Collection[str]
) -> list[dict[str, str | int | float | bool | None]]:
    """Some rows that fail a test, reduced to columns without personal data.

    Args:
        con: open on the warehouse.
        query: the test's SQL; its rows are those that fail.
        test: of the manifest.
        open_columns: names of columns that may be shown, such as those of the published tables.
    """
    shown = {*open_columns, *_COUNTS}
    if (test.get("test_metadata") or {}).get("kwargs", {}).get("column_name") in open_columns:
        shown |= _TESTED
    found = con.execute(f"select * from ({query.strip().rstrip(';')}) limit {EXAMPLES}")
    names = [column[0] for column in found.description or ()]
    rows = [
        {name: _plain(value) for name, value in zip(names, row, strict=True) if name in shown}
        for row in found.fetchall()
    ]
    return [row for row in rows if row]


def _comment(code: str) -> str:
    """The first comment of a test's SQL as one line."""
    lines = iter(_CONFIG.sub("", code).strip().splitlines())
    said = []
    for line in lines:
        if not line.startswith("--"):
            break
        said.append(line.removeprefix("--").strip())
    return " ".join(said)


def _referenced(to: str) -> str:
    """The name in a reference.

    >>> _referenced("ref('customer')")
    'customer'
    """
    return to.split("'")[1] if "'" in to else to


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, Decimal | date | datetime):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
