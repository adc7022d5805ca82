"""What the columns of the warehouse mean and which columns they are made of.

Lineage is read from the compiled SQL of the models, once, by `make dictionary`, and kept beside the project
(`column_lineage.json`): a run that read it each day would pay seconds for what changes with the code alone. A
test makes it again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINEAGE_FILE = "column_lineage.json"
"""Beside `dbt_project.yml`."""

Parents = Mapping[str, Sequence[str]]
"""By column, the columns that its values are made of, as `schema.table.column`."""

Lineage = Mapping[str, Parents]
"""By table, as `schema.table`. A constant or a count of rows has no parents."""


class LineageError(ValueError):
    """The SQL of a model cannot be followed; the message names the model."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, what it means, and what it is made of (`schema.table.column`)."""

    name: str
    description: str
    parents: tuple[str, ...] = ()


def trace(
    queries: Mapping[str, str], columns: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[str]]]:
    """The lineage of tables from the queries that make them.

    Args:
        queries: DuckDB SQL by table, each after those that it reads.
        columns: of the tables that no query makes, so that `select *` can be followed.

    Raises:
        LineageError: a query cannot be parsed, or selects `*` of a table that is not known.

    >>> trace({"core.a": "select x + y as z, count(*) as n from raw.r group by all"}, {"raw.r": ["x", "y"]})
    {'core.a': {'z': ['raw.r.x', 'raw.r.y'], 'n': []}}
    """
    # Only who writes the lineage needs the parser.
    from sqlglot import MappingSchema, exp, parse_one  # noqa: PLC0415
    from sqlglot.errors import SqlglotError  # noqa: PLC0415
    from sqlglot.lineage import lineage  # noqa: PLC0415

    schema = MappingSchema(dialect="duckdb")

    def know(table: str, names: Iterable[str]) -> None:
        # Types do not matter for where a value comes from.
        schema.add_table(table, dict.fromkeys(names, "varchar"), dialect="duckdb")

    for table, names in columns.items():
        know(table, names)
    traced: dict[str, dict[str, list[str]]] = {}
    for table, query in queries.items():
        try:
            parsed = parse_one(query, dialect="duckdb")
            # Trimming copies the query for each of its columns: nine tenths of the time.
            nodes = lineage(None, parsed, schema, dialect="duckdb", copy=False, trim_selects=False)
        except (SqlglotError, ValueError, TypeError) as error:
            raise LineageError(f"{table}: its SQL cannot be followed: {error}") from error
        if not isinstance(nodes, dict) or "*" in nodes:
            raise LineageError(f"{table}: selects * of a table whose columns are not known")
        traced[table] = {}
        for name, node in nodes.items():
            leaves = (each for each in node.walk() if not each.downstream)
            tables = ((leaf, leaf.expression.find(exp.Table)) for leaf in leaves)
            found = {f"{of.db}.{of.name}.{exp.to_column(leaf.name).name}" for leaf, of in tables if of}
            traced[table][name] = sorted(found)
        know(table, traced[table])
    return traced


def seen_from(lineage: Lineage, shown: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """The lineage between tables that are shown, through those that are not.

    Args:
        lineage: of all tables that are made.
        shown: tables that may be named; what is neither shown nor made is left out.

    >>> seen_from({"a.b": {"x": ["a.hidden.x"]}, "a.hidden": {"x": ["a.c.y", "control.w.z"]}}, {"a.b", "a.c"})
    {'a.b': {'x': ['a.c.y']}}
    """
    found: dict[str, frozenset[str]] = {}

    def visible(column: str) -> frozenset[str]:
        table, name = column.rsplit(".", 1)
        if table in shown:
            return frozenset([column])
        if column not in found:
            found[column] = frozenset()  # a table that is made of its own earlier rows
            parents = lineage.get(table, {}).get(name, ())
            found[column] = frozenset().union(*(visible(parent) for parent in parents))
        return found[column]

    return {
        table: {
            name: sorted(frozenset().union(*(visible(parent) for parent in parents)))
            for name, parents in columns.items()
        }
        for table, columns in lineage.items()
        if table in shown
    }


def read_lineage(dbt_dir: Path) -> dict[str, dict[str, list[str]]]:
    """The kept lineage, between the tables that are assets."""
    kept: dict[str, dict[str, list[str]]] = json.loads((dbt_dir / LINEAGE_FILE).read_text(encoding="utf-8"))
    return kept


def lineage_text(lineage: Lineage) -> str:
    """The kept form: a line for each column, so that a change is one in a diff too."""
    tables = [
        f"{json.dumps(table)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(list(found))}" for name, found in columns.items())
        + "\n}"
        for table, columns in sorted(lineage.items())
    ]
    return "{\n" + ",\n".join(tables) + "\n}\n"


def described_columns(
    manifest: Mapping[str, Any], feeds: Mapping[str, Mapping[str, str]], lineage: Lineage
) -> dict[str, list[Column]]:
    """The columns of every table with what they mean.

    A column that nobody described means what the column of the same name that it is made of means, else what
    the only one does; the description is empty where there is neither.

    Args:
        manifest: the parsed dbt project; its models, seeds and sources by `schema.table`.
        feeds: descriptions of the columns of `raw` by feed.
        lineage: as kept.
    """
    own: dict[str, dict[str, str]] = {f"raw.{feed}": dict(columns) for feed, columns in feeds.items()}
    for node in (*manifest["sources"].values(), *manifest["nodes"].values()):
        if node["resource_type"] in ("source", "model", "seed"):
            written = {name: column["description"] for name, column in node["columns"].items()}
            own.setdefault(f"{node['schema']}.{node['name']}", {}).update(written)

    known: dict[str, str] = {}

    def meaning(column: str, through: frozenset[str]) -> str:
        if column in known or column in through:
            return known.get(column, "")
        table, name = column.rsplit(".", 1)
        said = own.get(table, {}).get(name, "")
        if not said:
            parents = lineage.get(table, {}).get(name, ())
            same = [parent for parent in parents if parent.rsplit(".", 1)[1] == name]
            candidates = same or (parents if len(parents) == 1 else [])
            said = next((text for each in candidates if (text := meaning(each, through | {column}))), "")
        known[column] = said
        return said

    tables = own | {table: {} for table in lineage if table not in own}
    return {
        table: [
            Column(
                name,
                meaning(f"{table}.{name}", frozenset()),
                tuple(lineage.get(table, {}).get(name, ())),
            )
            for name in dict.fromkeys([*written, *lineage.get(table, {})])
        ]
        for table, written in tables.items()
    }
