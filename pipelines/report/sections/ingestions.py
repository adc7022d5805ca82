"""What came in from each feed, and what became of every row."""

from __future__ import annotations

from dataclasses import replace

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, counted, number, percent

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
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="ingestions",
        title=say("Data taken in", "数据接入"),
        reading=say("Nothing has been taken in yet.", "尚未接入任何数据。"),
        query=query,
        published="quality.ingestions",
    )
    if not rows:
        return head
    left_out = sorted(
        (row for row in rows if row["outcome"] != "loaded" and row["row_count"] > 0),
        key=lambda row: (-row["row_count"], row["feed"], row["reason"] or ""),
    )
    return replace(
        head,
        reading=_reading(say, rows),
        chart=(lambda canvas: _chart(canvas, say, left_out)) if left_out else None,
        table=_table(say, rows),
        note=say(
            "Current versions of all sources when this copy was published, whatever the report's date. "
            "Read = loaded + quarantined + duplicate.",
            "为发布时各数据源的当前版本，与报告日期无关。读取 = 载入 + 隔离 + 重复。",
        ),
    )


def _reading(say: Wording, rows: list[Row]) -> str:
    read = sum(row["row_count"] for row in rows)
    set_aside = sum(row["row_count"] for row in rows if row["outcome"] == "quarantined")
    duplicates = sum(row["row_count"] for row in rows if row["outcome"] == "duplicate")
    fates = []
    if set_aside:
        share = percent(set_aside, read)
        fates.append(
            say(
                f"{number(set_aside)} ({share}) went to quarantine",
                f"{number(set_aside)} 行（{share}）被隔离",
            )
        )
    if duplicates:
        share = percent(duplicates, read)
        fates.append(
            say(
                f"{number(duplicates)} ({share}) were exact duplicates",
                f"{number(duplicates)} 行（{share}）为完全重复",
            )
        )
    if not fates:
        return say(
            f"All {counted(read, 'row')} that were read are loaded.", f"读取的 {number(read)} 行全部载入。"
        )
    return say(
        f"Of {counted(read, 'row')} read, {' and '.join(fates)}; all others are loaded.",
        f"共读取 {number(read)} 行，其中 {'，'.join(fates)}；其余全部载入。",
    )


def _chart(canvas: Canvas, say: Wording, left_out: list[Row]) -> Drawing:
    groups = []
    for row in left_out[:_DRAWN]:
        name = say.within(row["reason"]) if row["reason"] else say("exact duplicate", "完全重复")
        colour = "deep_dormant" if row["outcome"] == "quarantined" else "quiet"
        bar = Bar(row["row_count"], number(row["row_count"]), colour)
        groups.append(BarGroup(say(f"{row['feed']}: {name}", f"{row['feed']}：{name}"), (bar,)))
    return bar_list(canvas, groups)


def _table(say: Wording, rows: list[Row]) -> Table:
    feeds = list(dict.fromkeys(row["feed"] for row in rows))
    return Table(
        columns=(
            Column(say("Feed", "数据源"), numeric=False),
            Column(say("Read", "读取")),
            Column(say("Loaded", "载入")),
            Column(say("Duplicate", "重复")),
            Column(say("Quarantined", "隔离")),
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
