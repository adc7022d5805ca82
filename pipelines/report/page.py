"""The page: sections drawn and put into the template, and those of the daily report read before."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import jinja2
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from pipelines.report.charts import DARK, LIGHT, NARROW_PX, WIDE_PX, png, svg
from pipelines.report.section import Section, Source
from pipelines.report.sections import SECTIONS
from pipelines.report.wording import LANGUAGES, Language, PolicyWords, Wording

# The language that is read, as the page's own; a link ending in #en or #zh chooses one.
_SCRIPT = """
const choices = [...document.getElementsByName("language")];
const tell = () => { document.documentElement.lang = choices.find((each) => each.checked).value; };
const follow = () => {
  const linked = choices.find((each) => each.id === `language-${location.hash.slice(1)}`);
  if (linked) linked.checked = true;
  tell();
};
choices.forEach((each) => each.addEventListener("change", tell));
addEventListener("hashchange", follow);
follow();
"""


@dataclass(frozen=True)
class Page:
    """A rendered report: the page, and its sections in English."""

    html: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Edition:
    """A page in one language.

    Attributes:
        say: the language.
        kicker: what kind of page it is, above the title.
        sections: in the page's order; their slugs must differ.
        footer: where the figures come from.
    """

    say: Wording
    kicker: str
    sections: Sequence[Section]
    footer: str

    @property
    def language(self) -> Language:
        """Its code, of which the page's classes and links are made."""
        return self.say.language

    @property
    def tag(self) -> str:
        """Its language tag (BCP 47)."""
        return self.say("en", "zh-Hans")


@dataclass(frozen=True)
class _Drawings:
    """A chart for a desk and for a phone."""

    wide: Markup
    narrow: Markup


def render(
    con: duckdb.DuckDBPyConnection,
    as_of_date: date,
    *,
    title: str,
    currency: str,
    language: Language,
    policy: PolicyWords,
) -> Page:
    """Render the report of a date; see `write_report`."""
    source = Source(con, as_of_date, currency, policy)
    editions = [_edition(source.told_in(each)) for each in LANGUAGES]
    html = page_of(editions, title=title, language=language, as_of_date=as_of_date)
    return Page(html, tuple(editions[LANGUAGES.index("en")].sections))


def _edition(source: Source) -> Edition:
    say = source.say
    return Edition(
        say,
        kicker=say("Winback daily report", "Winback 每日报告"),
        sections=[build(source) for build in SECTIONS],
        footer=say(
            "Every figure comes from the published database; each section shows the query, ready to be "
            "run on it.",
            "所有数字均来自已发布的分析库；每一节都附有查询语句，可直接运行核对。",
        ),
    )


def chart_png(section: Section, subtitle: str, *, width: int = WIDE_PX, scale: float = 1.5) -> bytes | None:
    """A section's chart as PNG, under its title; None when it has no chart."""
    if section.chart is None:
        return None
    return png(section.chart, section.title, subtitle, width=width, scale=scale)


def html_of(
    sections: Sequence[Section], *, title: str, kicker: str, footer: str, as_of_date: date | None = None
) -> str:
    """A page in English that needs no other file.

    Args:
        sections: in the page's order; their slugs must differ.
        title: heading of the page.
        kicker: what kind of page it is, above the title.
        footer: where the figures come from.
        as_of_date: the date that all of it is about, if there is one.

    Raises:
        ValueError: two sections have one slug.
    """
    edition = Edition(Wording("en"), kicker, sections, footer)
    return page_of([edition], title=title, language="en", as_of_date=as_of_date)


def page_of(
    editions: Sequence[Edition], *, title: str, language: Language, as_of_date: date | None = None
) -> str:
    """A page that needs no other file, in several languages among which its reader chooses.

    Args:
        editions: the languages; the sections of all have the same slugs, in the same order.
        title: heading of the page.
        language: which of them is shown first.
        as_of_date: the date that all of it is about, if there is one.

    Raises:
        ValueError: two sections have one slug, or the editions have different ones.
    """
    slugs = [section.slug for section in editions[0].sections]
    if repeated := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise ValueError(f"sections of a page have the same slug: {', '.join(repeated)}")
    if any([section.slug for section in edition.sections] != slugs for edition in editions):
        raise ValueError("the languages of a page have different sections")
    environment = SandboxedEnvironment(
        loader=jinja2.PackageLoader("pipelines.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _SCRIPT if len(editions) > 1 else ""
    return environment.get_template("report.html.j2").render(
        title=title,
        as_of_date="" if as_of_date is None else as_of_date.isoformat(),
        editions=editions,
        first=next(edition for edition in editions if edition.language == language),
        parts=[
            [
                (edition, section, _draw(section))
                for edition in editions
                for section in [edition.sections[position]]
            ]
            for position in range(len(slugs))
        ],
        light=LIGHT,
        dark=DARK,
        script=Markup(script),
        script_source=_hash_source(script),
    )


def _hash_source(script: str) -> str:
    """The script as a content security policy names it: no other may run."""
    if not script:
        return "'none'"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _draw(section: Section) -> _Drawings | None:
    if section.chart is None:
        return None
    # The drawing escapes its texts.
    return _Drawings(*(Markup(svg(section.chart, width)) for width in (WIDE_PX, NARROW_PX)))
