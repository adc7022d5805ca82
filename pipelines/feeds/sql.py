"""Quoting for the SQL that this package writes."""

import json
from collections.abc import Iterable
from pathlib import Path


def identifier(name: str) -> str:
    """The name as a quoted SQL identifier.

    Example:
        >>> identifier('Customer ID')
        '"Customer ID"'
    """
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: Iterable[str]) -> str:
    """The names as quoted SQL identifiers, with commas between."""
    return ", ".join(identifier(name) for name in names)


def literal(value: str) -> str:
    """The text as a SQL string literal.

    Example:
        >>> literal("it's")
        "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def path_literal(path: Path) -> str:
    """The path as a SQL string literal in which DuckDB sees no wildcard."""
    escaped = "".join(f"[{character}]" if character in "[*?" else character for character in path.as_posix())
    return literal(escaped)


def json_path(key: str) -> str:
    """The SQL literal of a JSON path to a top-level key, whatever characters it has."""
    return literal("$." + json.dumps(key, ensure_ascii=False))
