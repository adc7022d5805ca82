"""What came in from each feed, and what became of every row."""

from __future__ import annotations

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, counted, number, percent, words

_SQL = """
with taken_in as (
    select * from quality.ingestions where current
),
reasons as (
    select
        feed,
        unnest(map_entries(cast(quarantined_by_reason as json)::map(varchar, bigint)), recursive := true)
    from taken_in
),
outcomes as (
    select feed, 'loaded' as outcome, null as reason, rows_loaded as row_count from taken_in
    union all
    select feed, 'duplicate' as outcome, null as reason, rows_duplicate as row_count from taken_in
    union all
    select feed, 'quarantined' as outcome, key as reason, value as row_count from reasons
)
select
    feed,
    outcome,
    reason,
    cast(sum(row_count) as bigint) as row_count
from outcomes
group by feed, outcome, reason
order by feed, outcome, row_count desc, reason
"""

_DRAWN = 12


def build(source: Source) -> Section:
    """Rows read, loaded, set aside and dropped per feed."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Data taken in"
    if not rows:
        return Section("ingestions", title, "Nothing has been taken in yet.", query)
    read = sum(row["row_count"] for row in rows)
    set_aside = sum(row["row_count"] for row in rows if row["outcome"] == "quarantined")
    duplicates = sum(row["row_count"] for row in rows if row["outcome"] == "duplicate")
    left_out = sorted(
        (row for row in rows if row["outcome"] != "loaded" and row["row_count"] > 0),
        key=lambda row: (-row["row_count"], row["feed"], row["reason"] or ""),
    )
    fates = []
    if set_aside:
        fates.append(f"{number(set_aside)} ({percent(set_aside, read)}) went to quarantine")
    if duplicates:
        fates.append(f"{number(duplicates)} ({percent(duplicates, read)}) were exact duplicates")
    reading = (
        f"Of {counted(read, 'row')} read, {' and '.join(fates)}; all others are loaded."
        if fates
        else f"All {counted(read, 'row')} that were read are loaded."
    )
    return Section(
        slug="ingestions",
        title=title,
        reading=reading,
        query=query,
        chart=(lambda canvas: _chart(canvas, left_out)) if left_out else None,
        table=_table(rows),
        note="Current versions of all sources when this copy was published, whatever the report's date. "
        "Read = loaded + quarantined + duplicate.",
    )


def _chart(canvas: Canvas, left_out: list[Row]) -> ChartType:
    return bar_list(
        canvas,
        [
            BarGroup(
                f"{row['feed']}: {words(row['reason'] or 'exact duplicate').lower()}",
                (
                    Bar(
                        row["row_count"],
                        number(row["row_count"]),
                        "deep_dormant" if row["outcome"] == "quarantined" else "quiet",
                    ),
                ),
            )
            for row in left_out[:_DRAWN]
        ],
    )


def _table(rows: list[Row]) -> Table:
    feeds = list(dict.fromkeys(row["feed"] for row in rows))
    return Table(
        columns=(
            Column("Feed", numeric=False),
            Column("Read"),
            Column("Loaded"),
            Column("Duplicate"),
            Column("Quarantined"),
        ),
        rows=tuple(_feed_cells(feed, [row for row in rows if row["feed"] == feed]) for feed in feeds),
    )


def _feed_cells(feed: str, rows: list[Row]) -> tuple[Cell | str, ...]:
    by_outcome = {
        outcome: sum(row["row_count"] for row in rows if row["outcome"] == outcome)
        for outcome in ("loaded", "duplicate", "quarantined")
    }
    return (
        feed,
        number(sum(by_outcome.values())),
        number(by_outcome["loaded"]),
        number(by_outcome["duplicate"]) if by_outcome["duplicate"] else DASH,
        number(by_outcome["quarantined"]) if by_outcome["quarantined"] else DASH,
    )
