"""How long buyers have been silent, and in which state that leaves them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Axis, HistogramBar, histogram
from pipelines.report.section import Column, Row, Section, Source, Table
from pipelines.report.sections.dormancy_states import state_kinds
from pipelines.report.wording import ASLEEP, DASH, STATES, Wording, counted, number, percent

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
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="silence",
        title=say("How long they have been silent", "沉默了多久"),
        reading=say(
            "Nobody has a kept purchase yet, so nobody's silence can be counted.",
            "尚无未退货的购买，因此无从计算沉默天数。",
        ),
        query=query,
        published="marts.customer_dormancy",
    )
    if not rows:
        return head
    categories = _categories(rows)
    return replace(
        head,
        reading=_reading(say, rows, categories),
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(say, categories),
        note=_note(say, rows),
    )


def _note(say: Wording, rows: list[Row]) -> str:
    bar_days = rows[0]["bar_days"]
    last_from = max(row["from_day"] for row in rows)
    longest = max(row["longest_days"] for row in rows)
    last_en = last_zh = ""
    if longest >= last_from + bar_days:
        last_en = f"; the last one holds all silences from day {last_from} to day {number(longest)}"
        last_zh = f"，最后一根包含第 {last_from} 至 {number(longest)} 天的全部沉默"
    days_en = "one day" if bar_days == 1 else f"{bar_days} days"
    return say(
        f"Each bar covers {days_en}{last_en}. Whoever came back soon after every purchase sleeps after a "
        "shorter silence than others, so the states overlap. Small categories are judged together, as all.",
        f"每根柱子为 {bar_days} 天{last_zh}。以往回购较快的客户，沉默较短即算沉睡，因此各状态会重叠。"
        "小品类合并判定，记为“全部”。",
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


def _reading(say: Wording, rows: list[Row], categories: list[_Category]) -> str:
    buyers = sum(each.buyers for each in categories)
    asleep = sum(each.asleep for each in categories)
    median, share = rows[0]["median_days"], percent(asleep, buyers)
    return say(
        f"Half of the buyers last bought within {counted(median, 'day')}; the silence of {number(asleep)} of "
        f"{number(buyers)} ({share}) means sleep.",
        f"半数购买客户在近 {number(median)} 天内有购买；{number(buyers)} 位中有 {number(asleep)} "
        f"位（{share}）的沉默已属沉睡。",
    )


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
    bar_days = rows[0]["bar_days"]
    until = max(row["from_day"] for row in rows) + bar_days
    counts: Counter[tuple[int, str]] = Counter()
    for row in rows:
        counts[row["from_day"], row["dormancy_state"]] += row["buyers"]
    bars = [
        HistogramBar(from_day, from_day + bar_days, tuple(counts[from_day, state] for state in STATES))
        for from_day in sorted({from_day for from_day, _ in counts})
    ]
    axis = Axis(say("Days since the last purchase", "距上次购买的天数"), (0, until), ",.0f")
    return histogram(canvas, bars, state_kinds(say), axis)


def _table(say: Wording, categories: list[_Category]) -> Table:
    listed = categories if len(categories) <= _LISTED + 1 else categories[:_LISTED]
    others = categories[len(listed) :]
    rows = [
        (
            say.category(each.name),
            number(each.buyers),
            number(each.median_days),
            number(each.asleep),
            percent(each.asleep, each.buyers),
        )
        for each in listed
    ]
    if others:
        buyers, asleep = sum(each.buyers for each in others), sum(each.asleep for each in others)
        rest = say(f"{len(others)} others", f"其他 {len(others)} 个品类")
        rows.append((rest, number(buyers), DASH, number(asleep), percent(asleep, buyers)))
    return Table(
        columns=(
            Column(say("Category", "品类"), numeric=False),
            Column(say("Buyers", "购买客户")),
            Column(say("Median days silent", "沉默天数中位数")),
            Column(say("Asleep", "沉睡")),
            Column(say("Share", "占比")),
        ),
        rows=tuple(rows),
    )
