"""Write the report of a date: everything is rendered before the first file is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.report.wording import Language, PolicyWords

if TYPE_CHECKING:
    import duckdb

    from pipelines.report.section import Section

_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Report:
    """Where the report of one date lies.

    Attributes:
        as_of_date: the date.
        page: the HTML page; it needs no other file and no network.
        charts: section to PNG, in the page's order; a section without data has none.
        sections: what the page says, in English.
    """

    as_of_date: date
    page: Path
    charts: Mapping[str, Path]
    sections: tuple[Section, ...]


def write_report(
    con: duckdb.DuckDBPyConnection,
    as_of_date: date,
    *,
    title: str,
    currency: str,
    folder: Path,
    language: Language = "en",
    policy: PolicyWords | None = None,
) -> Report:
    """Write `folder/as_of=YYYY-MM-DD/report.html` and the PNGs of its charts beside it.

    The page is in English and Chinese; the PNGs are in English, as not every machine has a Chinese font. The
    same data give the same bytes. Each file takes its old one's place whole; the page, which stands alone,
    comes last. Charts of an earlier report of the date that have no data any more are removed.

    Args:
        con: open on the published copy; it is only read.
        as_of_date: the date to report. A date without rows gives a page that says so.
        title: the shop's name.
        currency: ISO 4217 code that amounts are given in.
        folder: the folder of all reports.
        language: the language in which the page opens.
        policy: what the shop's policy says of its codes; a code of which it says nothing stands alone.

    Raises:
        duckdb.Error: a published table or column is missing.
    """
    from pipelines.report.page import chart_png, render  # noqa: PLC0415 - loads what draws and templates

    rendered = render(
        con,
        as_of_date,
        title=title,
        currency=currency,
        language=language,
        policy=policy or PolicyWords(),
    )
    images = {
        section.slug: image
        for section in rendered.sections
        if (image := chart_png(section, f"{title}, {as_of_date.isoformat()}")) is not None
    }
    target = folder / f"as_of={as_of_date.isoformat()}"
    target.mkdir(parents=True, exist_ok=True)
    charts = {slug: target / f"{slug}.png" for slug in images}
    for slug, image in images.items():
        replace_file(charts[slug], image)
    page = target / "report.html"
    replace_file(page, rendered.html.encode())
    for stale in set(target.glob("*.png")) - set(charts.values()):
        stale.unlink()
    return Report(as_of_date, page, charts, rendered.sections)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole: it takes the old one's place in one step."""
    temporary = file.with_name(f"{_TEMPORARY}{file.name}")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
