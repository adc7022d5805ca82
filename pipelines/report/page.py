"""The page: sections drawn and put into the template, and those of the daily report read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import jinja2
from markupsafe import Markup

from pipelines.report.charts import DARK, LIGHT, NARROW_PX, WIDE_PX, png, svg
from pipelines.report.section import Section, Source
from pipelines.report.sections import SECTIONS


@dataclass(frozen=True)
class Page:
    """A rendered report: the page, and the charts' PNGs by section."""

    html: str
    charts: dict[str, bytes]


@dataclass(frozen=True)
class _Drawing:
    """A chart for a desk and for a phone."""

    wide: Markup
    narrow: Markup


def render(
    con: duckdb.DuckDBPyConnection,
    as_of_date: date,
    *,
    title: str,
    currency: str,
    reason_descriptions: Mapping[str, str],
) -> Page:
    """Render the report of a date; see `write_report`."""
    source = Source(con, as_of_date, currency, reason_descriptions)
    sections = [build(source) for build in SECTIONS]
    html = html_of(
        sections,
        title=title,
        kicker="Winback daily report",
        as_of_date=as_of_date,
        footer="Every figure comes from the published database; each section shows the query, ready to be "
        "run on it.",
    )
    charts = {
        section.slug: png(section.chart, section.title, f"{title}, {as_of_date.isoformat()}")
        for section in sections
        if section.chart is not None
    }
    return Page(html, charts)


def html_of(
    sections: Sequence[Section], *, title: str, kicker: str, footer: str, as_of_date: date | None = None
) -> str:
    """A page that needs no other file.

    Args:
        sections: in the page's order; their slugs must differ.
        title: heading of the page.
        kicker: what kind of page it is, above the title.
        footer: where the figures come from.
        as_of_date: the date that all of it is about, if there is one.

    Raises:
        ValueError: two sections have one slug.
    """
    slugs = [section.slug for section in sections]
    if repeated := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise ValueError(f"sections of a page have the same slug: {', '.join(repeated)}")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=title,
        kicker=kicker,
        footer=footer,
        as_of_date="" if as_of_date is None else as_of_date.isoformat(),
        sections=sections,
        drawings={section.slug: _draw(section) for section in sections},
        light=LIGHT,
        dark=DARK,
    )


def _draw(section: Section) -> _Drawing | None:
    if section.chart is None:
        return None
    # The renderer escapes the texts it draws.
    return _Drawing(
        wide=Markup(svg(section.chart, WIDE_PX, f"{section.slug}-wide")),
        narrow=Markup(svg(section.chart, NARROW_PX, f"{section.slug}-narrow")),
    )
