"""Write the report of a date: everything is rendered before the first file is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Report:
    """Where the report of one date lies.

    Attributes:
        as_of_date: the date.
        page: the HTML page; it needs no other file and no network.
        charts: section to PNG, in the page's order; a section without data has none.
    """

    as_of_date: date
    page: Path
    charts: Mapping[str, Path]


def write_report(
    con: duckdb.DuckDBPyConnection,
    as_of_date: date,
    *,
    title: str,
    currency: str,
    folder: Path,
    reason_descriptions: Mapping[str, str] | None = None,
) -> Report:
    """Write `folder/as_of=YYYY-MM-DD/report.html` and the PNGs of its charts beside it.

    The same data give the same bytes. Each file takes its old one's place whole; the page, which stands
    alone, comes last. Charts of an earlier report of the date that have no data any more are removed.

    Args:
        con: open on the published copy; it is only read.
        as_of_date: the date to report. A date without rows gives a page that says so.
        title: the shop's name.
        currency: ISO 4217 code that amounts are given in.
        folder: the folder of all reports.
        reason_descriptions: what each reason code means; a code without one stands alone.

    Raises:
        duckdb.Error: a published table or column is missing.
    """
    from pipelines.report.page import render  # noqa: PLC0415 - loads the chart library, a second or two

    rendered = render(
        con, as_of_date, title=title, currency=currency, reason_descriptions=reason_descriptions or {}
    )
    target = folder / f"as_of={as_of_date.isoformat()}"
    target.mkdir(parents=True, exist_ok=True)
    charts = {slug: target / f"{slug}.png" for slug in rendered.charts}
    for slug, image in rendered.charts.items():
        replace_file(charts[slug], image)
    page = target / "report.html"
    replace_file(page, rendered.html.encode())
    for stale in set(target.glob("*.png")) - set(charts.values()):
        stale.unlink()
    return Report(as_of_date, page, charts)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole: it takes the old one's place in one step."""
    temporary = file.with_name(f"{_TEMPORARY}{file.name}")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
