"""How long buyers have been silent, and in which state that leaves them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import altair as alt

from pipelines.report.charts import Canvas, ChartType, data, state_colours
from pipelines.report.section import Column, Row, Section, Source, Table
from pipelines.report.wording import ASLEEP, DASH, STATES, counted, number, percent, words

_SQL = """
with judged as (
    select
        model_category,
        dormancy_state,
        days_since_purchase,
        quantile_disc(days_since_purchase, 0.5) over () as median_days,
        quantile_disc(days_since_purchase, 0.5) over (partition by model_category) as category_median_days
    from marts.customer_dormancy
    where as_of_date = $as_of_date and days_since_purchase is not null
),
bars as (
    -- Forty bars; the last one takes the longest silences, so that a few of them do not squeeze the rest.
    select cast(greatest(1, ceil(quantile_disc(days_since_purchase, 0.98) / 39.0)) as integer) as bar_days
    from judged
)
select
    judged.model_category,
    judged.dormancy_state,
    judged.median_days,
    judged.category_median_days,
    bars.bar_days,
    least(judged.days_since_purchase // bars.bar_days, 39) * bars.bar_days as from_day,
    count(*) as buyers,
    max(judged.days_since_purchase) as longest_days
from judged
cross join bars
group by all
order by all
"""

_LISTED = 15


@dataclass(frozen=True)
class _Category:
    name: str
    median_days: int
    buyers: int
    asleep: int


def build(source: Source) -> Section:
    """Days since the last purchase, by dormancy state."""
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
    return Section(
        slug="silence",
        title=title,
        reading=_reading(rows, categories),
        query=query,
        chart=lambda canvas: _chart(canvas, rows),
        table=_table(categories),
        note=f"{note}. Whoever came back soon after every purchase sleeps after a shorter silence than "
        "others, so the states overlap. Small categories are judged together, as all.",
    )


def _categories(rows: list[Row]) -> list[_Category]:
    """Categories, most buyers first."""
    buyers: Counter[tuple[str, int]] = Counter()
    asleep: Counter[tuple[str, int]] = Counter()
    for row in rows:
        key = (row["model_category"], row["category_median_days"])
        buyers[key] += row["buyers"]
        asleep[key] += row["buyers"] if row["dormancy_state"] in ASLEEP else 0
    ranked = sorted(buyers.items(), key=lambda item: (-item[1], item[0][0]))
    return [_Category(name, median, count, asleep[name, median]) for (name, median), count in ranked]


def _reading(rows: list[Row], categories: list[_Category]) -> str:
    buyers = sum(each.buyers for each in categories)
    asleep = sum(each.asleep for each in categories)
    return (
        f"Half of the buyers last bought within {counted(rows[0]['median_days'], 'day')}; "
        f"the silence of {number(asleep)} of {number(buyers)} ({percent(asleep, buyers)}) means sleep."
    )


def _chart(canvas: Canvas, rows: list[Row]) -> ChartType:
    axis_px = 46
    width = canvas.inner - axis_px - 8
    bar_days = rows[0]["bar_days"]
    until = max(row["from_day"] for row in rows) + bar_days
    counts: Counter[tuple[int, str]] = Counter()
    for row in rows:
        counts[row["from_day"], row["dormancy_state"]] += row["buyers"]
    bars = [
        {
            "from": from_day,
            "to": from_day + bar_days,
            "kind": words(state),
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
                scale=alt.Scale(domain=[0, until], nice=False),
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
        .properties(width=width, height=240)
    )
    return histogram


def _table(categories: list[_Category]) -> Table:
    listed = categories if len(categories) <= _LISTED + 1 else categories[:_LISTED]
    others = categories[len(listed) :]
    rows = [
        (
            each.name,
            number(each.buyers),
            number(each.median_days),
            number(each.asleep),
            percent(each.asleep, each.buyers),
        )
        for each in listed
    ]
    if others:
        buyers, asleep = sum(each.buyers for each in others), sum(each.asleep for each in others)
        rows.append(
            (f"{len(others)} others", number(buyers), DASH, number(asleep), percent(asleep, buyers)),
        )
    return Table(
        columns=(
            Column("Category", numeric=False),
            Column("Buyers"),
            Column("Median days silent"),
            Column("Asleep"),
            Column("Share"),
        ),
        rows=tuple(rows),
    )
