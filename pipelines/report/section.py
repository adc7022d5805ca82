"""What a section of the report consists of, and what it may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import duckdb

from pipelines.report.charts import ChartBuilder

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """The published copy as a section sees it: the rows of one as-of date."""

    con: duckdb.DuckDBPyConnection
    as_of_date: date
    currency: str
    reason_descriptions: Mapping[str, str]

    def bind(self, query: str) -> str:
        """The query with the report's date in place of `$as_of_date`: what is run is what the page shows."""
        return query.strip().replace("$as_of_date", f"date '{self.as_of_date.isoformat()}'")

    def rows(self, query: str) -> list[Row]:
        """Run a bound query; one dict per row."""
        cursor = self.con.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


@dataclass(frozen=True)
class Tile:
    """One headline figure."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right."""

    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says, in English.
        chinese: the guide's Chinese name, shown beside it.
        colour: name of a colour (see `charts.LIGHT`), shown as a small key.
        note: a second, quieter line.
    """

    text: str
    chinese: str = ""
    colour: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; a plain string is a cell with nothing but text."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell | str, ...], ...]


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        slug: short name: the anchor in the page and the name of the chart's file.
        title: heading.
        reading: what the data say, in one sentence.
        query: the SQL that the section comes from, ready to be run on the published copy; a section of other
            origin has none.
        tiles: headline figures.
        chart: draws the chart; None when there is nothing to draw.
        table: the figures of the chart and more; None when there are none.
        note: how to read it, definitions included.
    """

    slug: str
    title: str
    reading: str
    query: str = ""
    tiles: tuple[Tile, ...] = ()
    chart: ChartBuilder | None = None
    table: Table | None = None
    note: str = ""
