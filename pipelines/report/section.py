"""What a section of the report consists of, and what it may read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeAlias

import duckdb

from pipelines.report.charts import ChartBuilder
from pipelines.report.wording import Language, PolicyWords, Wording, capital

Row: TypeAlias = dict[str, Any]

_NO_SEGMENT = {
    ("guide_class", "none"): ("Never bought", "从未购买"),
    ("guide_class", "unknown"): ("Class not known", "分层未知"),
    ("channel", "unknown"): ("Channel not known", "渠道未知"),
}


@dataclass(frozen=True)
class Source:
    """The published copy as a section sees it: the rows of one as-of date, and the language to tell them in.

    Attributes:
        con: open on the published copy.
        as_of_date: the date.
        currency: ISO 4217 code that amounts are given in.
        policy: what the shop's policy says of its codes.
        say: the language.
    """

    con: duckdb.DuckDBPyConnection
    as_of_date: date
    currency: str
    policy: PolicyWords = field(default_factory=PolicyWords)
    say: Wording = field(default_factory=lambda: Wording("en"))
    _read: dict[str, list[Row]] = field(default_factory=dict, repr=False)

    def told_in(self, language: Language) -> Source:
        """The same source in a language; what was read for one is not read again for the other."""
        return replace(self, say=Wording(language))

    def bind(self, query: str) -> str:
        """The query with the report's date in place of `$as_of_date`: what is run is what the page shows."""
        return query.strip().replace("$as_of_date", f"date '{self.as_of_date.isoformat()}'")

    def rows(self, query: str) -> list[Row]:
        """Run a bound query; one dict per row."""
        if query not in self._read:
            cursor = self.con.execute(query)
            names = [column[0] for column in cursor.description or ()]
            self._read[query] = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
        return self._read[query]

    def offer(self, offer_id: str) -> str:
        """An offer's name; `none` stands for messages without one."""
        if offer_id == "none":
            return self.say("No offer", "无优惠")
        told = self.say.told(offer_id, self.policy.offers)
        return capital(told) if told else self.say.name(offer_id)

    def journey(self, journey: str) -> str:
        """A journey's name."""
        return self.say.told(journey, self.policy.journeys) or self.say.name(journey)

    def segment(self, dimension: str, segment: str) -> str:
        """The name of a segment of a dimension, as the tables of measurement have them."""
        if (dimension, segment) in _NO_SEGMENT:
            return self.say(*_NO_SEGMENT[dimension, segment])
        names = {"offer_id": self.offer, "journey": self.journey, "value_tier": self.say.tier}
        return names.get(dimension, self.say.name)(segment)


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
        text: what it says.
        colour: name of a colour (see `charts.LIGHT`), shown as a small key.
        note: a second, quieter line.
    """

    text: str
    colour: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; a plain string is a cell with nothing but text."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell | str, ...], ...]


@dataclass(frozen=True)
class Section:
    """One part of the page, in one language.

    Attributes:
        slug: short name: the anchor in the page and the name of the chart's file; the same in all languages.
        title: heading.
        reading: what the data say, in one sentence.
        query: the SQL that the section comes from, ready to be run on the published copy; a section of other
            origin has none.
        published: the published table that it describes, `schema.table`.
        tiles: headline figures.
        chart: draws the chart; None when there is nothing to draw.
        table: the figures of the chart and more; None when there are none.
        note: how to read it, definitions included.
        is_wide: the table needs the whole width of the page, so that it cannot stand beside the chart.
    """

    slug: str
    title: str
    reading: str
    query: str = ""
    published: str = ""
    tiles: tuple[Tile, ...] = ()
    chart: ChartBuilder | None = None
    table: Table | None = None
    note: str = ""
    is_wide: bool = False
