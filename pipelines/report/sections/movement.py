"""Who moved from one dormancy state or class to another, over a month and since the day before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import HeatAxes, HeatCell, heat_map
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import ASLEEP, CLASSES, DASH, STATES, Wording, counted, number

_SQL = """
with moved as (
    select
        customer_id,
        from_segment,
        to_segment,
        moved_on
    from marts.segment_movement
    where scheme = $scheme and moved_on > $as_of_date - 30 and moved_on <= $as_of_date
),
over_the_month as (
    -- Each customer once: from where the first move began to where the last one led.
    select
        arg_min_null(from_segment, moved_on) as from_segment,
        arg_max_null(to_segment, moved_on) as to_segment
    from moved
    group by customer_id
),
counts as (
    select
        from_segment,
        to_segment,
        count(*) as customers,
        0 as since_the_day_before
    from over_the_month
    where from_segment is distinct from to_segment
    group by from_segment, to_segment
    union all
    select
        from_segment,
        to_segment,
        0 as customers,
        count(*) as since_the_day_before
    from moved
    where moved_on = $as_of_date
    group by from_segment, to_segment
)
select
    from_segment,
    to_segment,
    cast(sum(customers) as bigint) as customers,
    cast(sum(since_the_day_before) as bigint) as since_the_day_before,
    (
        select count(*) > 0
        from marts.dormancy_model
        where fitted_on > $as_of_date - 30 and fitted_on <= $as_of_date
    ) as refitted
from counts
group by from_segment, to_segment
order by customers desc, since_the_day_before desc, from_segment, to_segment
"""

_LISTED = 14


@dataclass(frozen=True)
class _Scheme:
    """What customers move between."""

    slug: str
    code: str
    title: tuple[str, str]
    order: tuple[str, ...]
    nobody: tuple[str, str]


_STATES = _Scheme(
    "state_movement",
    "dormancy_state",
    ("Between dormancy states", "沉睡状态的变化"),
    STATES,
    ("Nobody's dormancy state has changed in 30 days.", "近 30 天没有客户的沉睡状态发生变化。"),
)
_CLASSES = _Scheme(
    "class_movement",
    "guide_class",
    ("Between classes", "客户分层的变化"),
    CLASSES,
    ("Nobody's class has changed in 30 days.", "近 30 天没有客户的分层发生变化。"),
)


def build_states(source: Source) -> Section:
    """Movements between dormancy states."""
    section, rows = _build(source, _STATES)
    if not rows:
        return section
    say = source.say
    refit = (
        say(
            " The dormancy rule was fitted anew in these days, so some changed state by the new rule alone.",
            "其间沉睡规则重新拟合，部分变化仅因规则更新。",
        )
        if rows[0]["refitted"]
        else ""
    )
    return replace(section, reading=_states_reading(say, rows), note=section.note + refit)


def build_classes(source: Source) -> Section:
    """Movements between the classes of the guide."""
    section, rows = _build(source, _CLASSES)
    if not rows:
        return section
    say = source.say
    relative = say(
        " Classes compare each buyer with all others, so a class can change without a purchase.",
        "分层是与其他客户比较的结果，因此没有购买也可能变化。",
    )
    return replace(section, reading=_classes_reading(say, rows), note=section.note + relative)


def _build(source: Source, scheme: _Scheme) -> tuple[Section, list[Row]]:
    say = source.say
    query = source.bind(_SQL.replace("$scheme", f"'{scheme.code}'"))
    rows = source.rows(query)
    section = Section(
        slug=scheme.slug,
        title=say(*scheme.title),
        reading=say(*scheme.nobody),
        query=query,
        published="marts.segment_movement",
    )
    if not rows:
        return section, rows
    matrix = [row for row in rows if row["customers"]]
    return replace(
        section,
        chart=(lambda canvas: _chart(canvas, say, matrix, scheme.order)) if matrix else None,
        table=_table(say, rows),
        note=say(
            "Rows are where customers stood before their first move in the last 30 days, columns where the "
            "last one led; who came back to the start is left out. Only days for which the pipeline ran "
            "have movements.",
            "行表示客户近 30 天首次变化之前的位置，列表示末次变化之后的位置；回到原处者不计。"
            "只有运行过流程的日期才有记录。",
        ),
    ), rows


def _states_reading(say: Wording, rows: list[Row]) -> str:
    (fell, woke), (fell_today, woke_today) = (
        (
            sum(
                row[count]
                for row in rows
                if row["to_segment"] in ASLEEP and row["from_segment"] not in ASLEEP
            ),
            sum(
                row[count]
                for row in rows
                if row["from_segment"] in ASLEEP and row["to_segment"] not in (*ASLEEP, None)
            ),
        )
        for count in ("customers", "since_the_day_before")
    )
    return say(
        f"In 30 days {counted(fell, 'customer')} fell asleep and {number(woke)} woke; since the day before "
        f"{number(fell_today)} and {number(woke_today)}.",
        f"近 30 天有 {number(fell)} 位客户入睡，{number(woke)} 位醒来；当日分别为 {number(fell_today)} 位和 "
        f"{number(woke_today)} 位。",
    )


def _classes_reading(say: Wording, rows: list[Row]) -> str:
    changed, today = (sum(row[count] for row in rows) for count in ("customers", "since_the_day_before"))
    commonest = rows[0]
    step = f"{_name(say, commonest['from_segment'], 'from')} → {_name(say, commonest['to_segment'], 'to')}"
    return say(
        f"In 30 days {counted(changed, 'buyer')} changed class, {number(today)} since the day before; most "
        f"often {step} ({number(commonest['customers'])}).",
        f"近 30 天有 {number(changed)} 位购买客户的分层发生变化，当日 {number(today)} 位；最多的是"
        f"{step}（{number(commonest['customers'])} 位）。",
    )


def _name(say: Wording, segment: str | None, side: str) -> str:
    if segment is not None:
        return say.name(segment)
    return say("New", "新增") if side == "from" else say("None any more", "不再归类")


def _chart(canvas: Canvas, say: Wording, rows: list[Row], order: tuple[str, ...]) -> Drawing:
    def names(side: str) -> tuple[str, ...]:
        present = {row[f"{side}_segment"] for row in rows}
        others = sorted(present - {*order, None})
        ends = [None] if None in present else []
        return tuple(_name(say, segment, side) for segment in (*order, *others, *ends))

    customers = {
        (_name(say, row["from_segment"], "from"), _name(say, row["to_segment"], "to")): row["customers"]
        for row in rows
    }
    cells = [
        HeatCell(start, end, count, number(count) if count else "")
        for start in names("from")
        for end in names("to")
        if start != end
        for count in [customers.get((start, end), 0)]
    ]
    axes = HeatAxes(
        rows=names("from"),
        columns=names("to"),
        row_title=say("From", "从"),
        column_title=say("To", "到"),
    )
    return heat_map(canvas, cells, axes, height=44 * len(axes.rows))


def _table(say: Wording, rows: list[Row]) -> Table:
    listed = rows if len(rows) <= _LISTED + 1 else rows[:_LISTED]
    others = rows[len(listed) :]
    cells: list[tuple[Cell | str, ...]] = [
        (
            _cell(say, row["from_segment"], "from"),
            _cell(say, row["to_segment"], "to"),
            number(row["customers"]) if row["customers"] else DASH,
            number(row["since_the_day_before"]) if row["since_the_day_before"] else DASH,
        )
        for row in listed
    ]
    if others:
        totals = [sum(row[count] for row in others) for count in ("customers", "since_the_day_before")]
        rest = say(f"{len(others)} other ways", f"其他 {len(others)} 种变化")
        cells.append((rest, "", *(number(total) if total else DASH for total in totals)))
    return Table(
        columns=(
            Column(say("From", "从"), numeric=False),
            Column(say("To", "到"), numeric=False),
            Column(say("In 30 days", "近 30 天")),
            Column(say("Since the day before", "当日")),
        ),
        rows=tuple(cells),
    )


def _cell(say: Wording, segment: str | None, side: str) -> Cell:
    return Cell(_name(say, segment, side), colour=segment if segment in STATES else "")
