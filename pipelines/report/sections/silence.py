"""How long buyers have been silent, and from which day on silence means sleep."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import altair as alt

from pipelines.report.charts import Canvas, ChartType, data, state_colours
from pipelines.report.section import Column, Row, Section, Source, Table
from pipelines.report.wording import ASLEEP, DASH, STATES, number, percent, words

_SQL = """
with judged as (
    select
        dormancy.model_category,
        dormancy.dormancy_state,
        dormancy.days_since_purchase,
        model.tuned_x_days
    from marts.customer_dormancy as dormancy
    left join marts.dormancy_model as model
        on dormancy.model_version = model.model_version and dormancy.model_category = model.model_category
    where dormancy.as_of_date = $as_of_date and dormancy.days_since_purchase is not null
),
bars as (
    -- Forty bars; the last one takes the longest silences, so that a few of them do not squeeze the rest.
    select
        cast(greatest(1, ceil(
            greatest(quantile_disc(days_since_purchase, 0.98), coalesce(max(tuned_x_days), 0)) / 39.0
        )) as integer) as bar_days
    from judged
)
select
    judged.model_category,
    judged.tuned_x_days,
    judged.dormancy_state,
    bars.bar_days,
    least(judged.days_since_purchase // bars.bar_days, 39) * bars.bar_days as from_day,
    count(*) as buyers,
    max(judged.days_since_purchase) as longest_days
from judged
cross join bars
group by all
order by all
"""

_MARKED, _LISTED = 10, 15


@dataclass(frozen=True)
class _Category:
    name: str
    tuned_x_days: int | None
    buyers: int
    asleep: int


def build(source: Source) -> Section:
    """Days since the last purchase, with the tuned X of each category."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "How long they have been silent"
    if not rows:
        return Section(
            "silence", title, "Nobody has a kept purchase yet, so nobody's silence can be counted.", query
        )
    categories = _categories(rows)
    bar_days = rows[0]["bar_days"]
    last_from = max(row["from_day"] for row in rows)
    longest = max(row["longest_days"] for row in rows)
    note = f"Each bar covers {'one day' if bar_days == 1 else f'{bar_days} days'}"
    if longest >= last_from + bar_days:
        note += f"; the last one holds all silences from day {last_from} to day {number(longest)}"
    if any(each.tuned_x_days is not None for each in categories):
        note += (
            ". X is the day of silence that told sleepers best on past data; small categories share the "
            "pooled rule, called all"
        )
    return Section(
        slug="silence",
        title=title,
        reading=_reading(categories),
        query=query,
        chart=lambda canvas: _chart(canvas, rows, categories),
        table=_table(categories),
        note=f"{note}.",
    )


def _categories(rows: list[Row]) -> list[_Category]:
    """Categories, most buyers first."""
    buyers: Counter[tuple[str, int | None]] = Counter()
    asleep: Counter[tuple[str, int | None]] = Counter()
    for row in rows:
        key = (row["model_category"], row["tuned_x_days"])
        buyers[key] += row["buyers"]
        asleep[key] += row["buyers"] if row["dormancy_state"] in ASLEEP else 0
    ranked = sorted(buyers.items(), key=lambda item: (-item[1], item[0][0]))
    return [_Category(name, x_days, count, asleep[name, x_days]) for (name, x_days), count in ranked]


def _reading(categories: list[_Category]) -> str:
    ruled = sorted((each.tuned_x_days, each.name) for each in categories if each.tuned_x_days is not None)
    if not ruled:
        return "The day on which silence means sleep is each customer's own."
    (first, quickest), (last, slowest) = ruled[0], ruled[-1]
    if first == last:
        return f"A buyer counts as asleep from day {first} of silence on."
    return (
        f"A buyer counts as asleep from day {first} of silence on ({quickest}) "
        f"to day {last} ({slowest}), by the category bought most."
    )


def _chart(canvas: Canvas, rows: list[Row], categories: list[_Category]) -> ChartType:
    axis_px = 46
    width = canvas.inner - axis_px - 8
    bar_days = rows[0]["bar_days"]
    until = max(
        max(row["from_day"] for row in rows) + bar_days,
        max((each.tuned_x_days or 0 for each in categories), default=0) + 1,
    )
    scale = alt.Scale(domain=[0, until], nice=False)
    counts: Counter[tuple[int, str]] = Counter()
    for row in rows:
        counts[row["from_day"], row["dormancy_state"]] += row["buyers"]
    bars = [
        {
            "from": from_day,
            "to": from_day + bar_days,
            "state": words(state),
            "order": STATES.index(state),
            "buyers": buyers,
        }
        for (from_day, state), buyers in sorted(counts.items())
    ]
    histogram: alt.Chart = (
        alt.Chart(data(bars))
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "from:Q",
                bin="binned",
                scale=scale,
                axis=alt.Axis(
                    title="Days since the last purchase", grid=False, tickCount=width // 70, format="d"
                ),
            ),
            x2="to:Q",
            y=alt.Y(
                "buyers:Q",
                axis=alt.Axis(
                    title=None,
                    domain=False,
                    ticks=False,
                    tickCount=4,
                    minExtent=axis_px - 4,
                    maxExtent=axis_px - 4,
                ),
            ),
            color=state_colours(canvas),
            order="order:Q",
        )
        .properties(width=width, height=200)
    )
    marked = [each for each in categories if each.tuned_x_days is not None][:_MARKED]
    if not marked:
        return histogram
    return alt.vconcat(histogram, _thresholds(canvas, marked, scale, until, width), spacing=10)


def _thresholds(
    canvas: Canvas, categories: list[_Category], scale: alt.Scale, until: int, width: int
) -> alt.LayerChart:
    """One line per category from the purchase to its X."""
    row_px = 21
    points = []
    for position, each in enumerate(sorted(categories, key=lambda each: (each.tuned_x_days or 0, each.name))):
        x_days = each.tuned_x_days or 0
        points.append(
            {
                "x": x_days,
                "text": f"{each.name}  X = {x_days}",
                "y": row_px * position + row_px / 2,
                # Past the middle the label stands on the line, else beyond its end.
                "late": x_days > until / 2,
            }
        )
    x = alt.X("x:Q", scale=scale, axis=None)
    y = alt.Y("y:Q", scale=None, axis=None)
    base = alt.Chart(data(points)).encode(x=x, y=y)
    lines = base.mark_rule(color=canvas.colours["line"], strokeWidth=2).encode(x2=alt.datum(0))
    dots = base.mark_point(filled=True, size=60, opacity=1, color=canvas.colours["dormant"])
    room_px = int(width / 2) - 14
    text: dict[str, Any] = {"baseline": "middle", "limit": room_px, "color": canvas.colours["ink"]}
    early = base.transform_filter("!datum.late").mark_text(align="left", dx=9, **text).encode(text="text:N")
    late = (
        base.transform_filter("datum.late")
        .mark_text(align="right", dx=-9, dy=-8, **text)
        .encode(text="text:N")
    )
    return alt.LayerChart(layer=[lines, dots, early, late], width=width, height=row_px * len(points))


def _table(categories: list[_Category]) -> Table:
    listed = categories if len(categories) <= _LISTED + 1 else categories[:_LISTED]
    others = categories[len(listed) :]
    rows = [
        (
            each.name,
            DASH if each.tuned_x_days is None else number(each.tuned_x_days),
            number(each.buyers),
            number(each.asleep),
            percent(each.asleep, each.buyers),
        )
        for each in listed
    ]
    if others:
        buyers, asleep = sum(each.buyers for each in others), sum(each.asleep for each in others)
        rows.append(
            (f"{len(others)} others", DASH, number(buyers), number(asleep), percent(asleep, buyers)),
        )
    return Table(
        columns=(
            Column("Category", numeric=False),
            Column("X, days"),
            Column("Buyers"),
            Column("Asleep"),
            Column("Share"),
        ),
        rows=tuple(rows),
    )
