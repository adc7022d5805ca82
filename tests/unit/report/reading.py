"""How the tests read sections: built of a published database, as texts."""

from collections.abc import Callable
from datetime import date

import duckdb

from pipelines.report import PolicyWords
from pipelines.report.section import Cell, Section, Source
from pipelines.report.sections import SECTIONS
from pipelines.report.wording import Language

AS_OF_DATE = date(2024, 6, 30)
POLICY = PolicyWords(
    reason_codes={"awake": ("Bought lately", "近期有购买")},
    journeys={
        "win_back_general": ("Welcome back: promotion", "大促唤回"),
        "repair": ("Apology", "致歉修复"),
        "ask": ("We ask", "倾听原因"),
    },
    offers={
        "spend_save": ("30 off from 199", "满199减30券"),
        "limited_15": ("15% off your next order", "全场8.5折券"),
    },
)


_BUILDERS: dict[str, Callable[[Source], Section]] = {}


def sections_of(
    con: duckdb.DuckDBPyConnection, day: date = AS_OF_DATE, language: Language = "en"
) -> dict[str, Section]:
    """All sections of a date by their slugs."""
    source = Source(con, day, "GBP", POLICY).told_in(language)
    sections = {}
    for build in SECTIONS:
        section = build(source)
        sections[section.slug] = section
        _BUILDERS[section.slug] = build
    return sections


def section_of(
    con: duckdb.DuckDBPyConnection, slug: str, day: date = AS_OF_DATE, language: Language = "en"
) -> Section:
    """One section of a date."""
    if slug not in _BUILDERS:
        sections_of(con, day)
    return _BUILDERS[slug](Source(con, day, "GBP", POLICY).told_in(language))


def texts(section: Section) -> list[list[str]]:
    """The table's texts, without notes."""
    assert section.table is not None
    return [[cell.text if isinstance(cell, Cell) else cell for cell in row] for row in section.table.rows]


def notes(section: Section) -> list[list[str]]:
    """The notes of the table's cells."""
    assert section.table is not None
    return [[cell.note if isinstance(cell, Cell) else "" for cell in row] for row in section.table.rows]


def first_notes(section: Section) -> list[str]:
    """The notes of the first column."""
    return [row[0] for row in notes(section)]
