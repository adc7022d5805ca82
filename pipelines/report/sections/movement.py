"""Who changed state or class since the day before."""

from __future__ import annotations

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import ASLEEP, CLASSES_ZH, STATES, counted, number, words

_SQL = """
select
    scheme,
    from_segment,
    to_segment,
    count(*) as customers,
    (select count(*) > 0 from marts.dormancy_model where fitted_on = $as_of_date) as refitted
from marts.segment_movement
where moved_on = $as_of_date and scheme in ('dormancy_state', 'guide_class')
group by scheme, from_segment, to_segment
order by scheme, customers desc, from_segment, to_segment
"""

_DRAWN = 10


def build(source: Source) -> Section:
    """Movements between dormancy states and between classes."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Since the day before"
    if not rows:
        return Section("movement", title, "Nobody changed state or class since the day before.", query)
    refit = (
        " The dormancy rule was fitted anew on this date, so some changed state by the new rule alone."
        if rows[0]["refitted"]
        else ""
    )
    states = [row for row in rows if row["scheme"] == "dormancy_state"]
    return Section(
        slug="movement",
        title=title,
        reading=_reading(states, sum(row["customers"] for row in rows if row["scheme"] == "guide_class")),
        query=query,
        chart=(lambda canvas: _chart(canvas, states)) if states else None,
        table=_table(rows),
        note="Classes compare each buyer with all others, so a class can change without a purchase." + refit,
    )


def _reading(states: list[Row], class_changes: int) -> str:
    fell = sum(
        row["customers"]
        for row in states
        if row["to_segment"] in ASLEEP and row["from_segment"] not in ASLEEP
    )
    woke = sum(
        row["customers"]
        for row in states
        if row["from_segment"] in ASLEEP and row["to_segment"] not in (*ASLEEP, None)
    )
    return (
        f"{counted(fell, 'customer')} fell asleep and {number(woke)} woke; "
        f"{number(class_changes)} changed class."
    )


def _chart(canvas: Canvas, states: list[Row]) -> ChartType:
    return bar_list(
        canvas,
        [
            BarGroup(
                _step(row["from_segment"], row["to_segment"]),
                (Bar(row["customers"], number(row["customers"]), _colour(row["to_segment"])),),
            )
            for row in states[:_DRAWN]
        ],
    )


def _step(before: str | None, after: str | None) -> str:
    return f"{'New' if before is None else _name(before)} → {_name(after).lower()}"


def _name(segment: str | None) -> str:
    return "None" if segment is None else words(segment)


def _colour(segment: str | None) -> str:
    return segment if segment in STATES else "quiet"


def _table(rows: list[Row]) -> Table:
    return Table(
        columns=(
            Column("From", numeric=False),
            Column("To", numeric=False),
            Column("Customers"),
        ),
        rows=tuple(
            (
                "New" if row["from_segment"] is None else _cell(row["from_segment"]),
                _cell(row["to_segment"]),
                number(row["customers"]),
            )
            for row in rows
        ),
    )


def _cell(segment: str | None) -> Cell:
    return Cell(
        _name(segment),
        chinese=CLASSES_ZH.get(segment or "", ""),
        colour=segment if segment in STATES else "",
    )
