"""The few lines at the end of a run: what came in, what the gates said, who sleeps, and where things are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import duckdb

from pipelines.activation.emission import EmissionStore
from pipelines.feeds.contract import load_contracts
from pipelines.settings import Profile, Settings

# What cannot be known where a profile binds no source to the feed.
_WITHOUT = {
    "campaign_events": "no answers to campaigns",
    "campaign_members": "no past campaigns",
    "consents": "nobody reachable but by the CRM",
    "devices": "no push",
    "ecommerce_customers": "no accounts without a purchase",
    "ecommerce_order_lines": "no online purchases",
    "ecommerce_orders": "no online purchases",
    "pos_members": "no members without a purchase",
    "pos_sales": "no store purchases",
    "products": "no categories",
    "service_tickets": "no complaints",
    "social_accounts": "no social channel",
    "survey_responses": "no stated causes",
    "web_events": "no visits",
}


def summarise(settings: Settings, dates: Sequence[date]) -> str:
    """The summary of a run that published, from the published copy and the lake.

    Args:
        settings: whose home.
        dates: the run's as-of dates; people are counted on the last one.
    """
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        lines = [
            *_rows(con),
            *_orphans(con),
            *_unbound(settings.profile),
            "",
            *_gates(con, dates),
            "",
            *_people(con, dates[-1]),
            "",
            *_places(settings, dates[-1]),
        ]
    return "\n".join(lines)


def _rows(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    rows = con.execute(
        """
        select feed, sum(rows_read), sum(rows_loaded), sum(rows_quarantined), sum(rows_duplicate),
            list(quarantined_by_reason)
        from quality.ingestions where current group by feed order by feed
        """
    ).fetchall()
    yield f"{'feed':<24}{'read':>12}{'loaded':>12}{'quarantined':>13}{'duplicate':>11}"
    for feed, read, loaded, quarantined, duplicate, reasons in rows:
        yield f"{feed:<24}{read:>12,}{loaded:>12,}{quarantined:>13,}{duplicate:>11,}"
        counts: dict[str, int] = {}
        for given in reasons:
            for reason, count in json.loads(given).items():
                counts[reason] = counts.get(reason, 0) + count
        if counts:
            yield "    quarantined: " + ", ".join(f"{n:,} {reason}" for reason, n in counts.items())


def _orphans(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    row = con.execute(
        """
        select count(*), count(distinct lines.product_id)
        from core.order_line as lines
        anti join core.product as products on lines.product_id = products.product_id
        where lines.product_id is not null and lines.line_kind = 'product'
        """
    ).fetchone()
    if row and row[0]:
        yield f"kept with a product that no feed describes: {row[0]:,} lines of {row[1]:,} products"


def _unbound(profile: Profile) -> Iterator[str]:
    missing = [f"{feed} ({_WITHOUT[feed]})" for feed in load_contracts() if feed not in profile.feeds]
    if missing:
        yield "not bound by the profile: " + ", ".join(missing)


def _gates(con: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> Iterator[str]:
    rows = con.execute(
        """
        select stage, count(*) filter (where passed), count(*), sum(expectations)
        from quality.gate_results where as_of_date is null or as_of_date in (select unnest(?))
        group by stage order by min(checked_at)
        """,
        [list(dates)],
    ).fetchall()
    stages = (f"{stage} {passed}/{suites}" for stage, passed, suites, _ in rows)
    yield f"gates passed: {', '.join(stages)} suites ({sum(row[3] for row in rows):,} expectations)"


def _people(con: duckdb.DuckDBPyConnection, day: date) -> Iterator[str]:
    yield f"customers on {day}"
    yield "  by class:    " + _counts(
        con, "select guide_class || ' ' || guide_class_zh, count(*) from marts.customer_rfm", day
    )
    yield "  by state:    " + _counts(
        con, "select dormancy_state, count(*) from marts.customer_dormancy", day
    )
    yield "  by decision: " + _counts(
        con, "select decision || ' (' || reason_code || ')', count(*) from activation.recall_decision", day
    )


def _counts(con: duckdb.DuckDBPyConnection, query: str, day: date) -> str:
    rows: list[Any] = con.execute(
        f"{query} where as_of_date = ? group by 1 order by 2 desc, 1", [day]
    ).fetchall()
    return ", ".join(f"{name} {count:,}" for name, count in rows) or "nobody"


def _places(settings: Settings, day: date) -> Iterator[str]:
    yield f"published database: {settings.published_file}"
    store = EmissionStore(settings.lake_dir, settings.audiences_dir)
    if day in store.dates():
        yield f"audiences:          {store.folder_of(day)}"
    else:
        yield f"audiences:          none, because {day} is simulated (a newer date was sent before)"
    yield f"report:             {settings.reports_dir / f'as_of={day}' / 'report.html'}"
