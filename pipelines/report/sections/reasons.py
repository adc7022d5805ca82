"""Why sleepers sleep, by historical value, and the facts that say so."""

from __future__ import annotations

import altair as alt

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import Piece, Stack, legend_columns, stack_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import REASONS_ZH, TIERS, counted, number, ordered, percent, words

_SQL = """
with sleepers as (
    select
        customer_id,
        value_tier,
        coalesce(primary_reason, 'unknown') as reason
    from marts.customer_dormancy
    where as_of_date = $as_of_date and dormant_since is not null
),
facts as (
    -- A fact counts once for each sleeper whose primary reason it speaks for, however often it happened.
    select distinct
        customer_id,
        reason,
        unnest(json_extract_string(evidence, '$[*].fact')) as fact
    from marts.dormancy_reason
    where as_of_date = $as_of_date and rank = 1
)
select
    reason,
    value_tier,
    cast(null as varchar) as fact,
    count(*) as customers
from sleepers
group by reason, value_tier
union all
select
    facts.reason,
    cast(null as varchar) as value_tier,
    facts.fact,
    count(*) as customers
from facts
inner join sleepers on facts.customer_id = sleepers.customer_id
group by facts.reason, facts.fact
order by fact nulls first, customers desc, reason, value_tier
"""

_UNKNOWN = "unknown"
_TOP_FACTS = 3
_COLOURS = {"high": "heat_5", "mid": "heat_4", "low": "heat_2"}


def build(source: Source) -> Section:
    """Sleepers by primary reason and value tier, with the commonest facts behind each reason."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Why they sleep"
    if not rows:
        return Section(
            "reasons", title, "Nobody is asleep on this date, so there is nothing to explain.", query
        )
    sleepers = [row for row in rows if row["fact"] is None]
    facts = [row for row in rows if row["fact"] is not None]
    note = (
        "The primary reason is the one with the strongest evidence; unknown means that none suffices, not "
        "that there is none."
    )
    if facts:
        note += (
            " Below each reason stand the commonest facts, with the share of its sleepers whom they speak of."
        )
    elif any(row["reason"] != _UNKNOWN for row in sleepers):
        note += " No evidence is kept for this date: it is kept for the newest date and month-ends."
    return Section(
        slug="reasons",
        title=title,
        reading=_reading(sleepers),
        query=query,
        chart=lambda canvas: _chart(canvas, sleepers),
        table=_table(sleepers, facts),
        note=note,
    )


def _by_reason(sleepers: list[Row]) -> dict[str, dict[str, int]]:
    """Sleepers by reason and tier, most sleepers first and `unknown` last."""
    found: dict[str, dict[str, int]] = {}
    for row in ordered(sleepers, "value_tier", TIERS):
        found.setdefault(row["reason"], {})[row["value_tier"]] = row["customers"]
    return dict(
        sorted(found.items(), key=lambda item: (item[0] == _UNKNOWN, -sum(item[1].values()), item[0]))
    )


def _reading(sleepers: list[Row]) -> str:
    by_reason = {reason: sum(tiers.values()) for reason, tiers in _by_reason(sleepers).items()}
    asleep = sum(by_reason.values())
    unknown = by_reason.pop(_UNKNOWN, 0)
    if not by_reason:
        return (
            f"No evidence says why the {counted(asleep, 'sleeper')} {'is' if asleep == 1 else 'are'} asleep."
        )
    reason, customers = next(iter(by_reason.items()))
    commonest = f"“{words(reason).lower()}” ({number(customers)})"
    if not unknown:
        return (
            f"There is a reason for each of the {counted(asleep, 'sleeper')}; the commonest is {commonest}."
        )
    return (
        f"There is a reason for {number(asleep - unknown)} of {counted(asleep, 'sleeper')}, most often "
        f"{commonest}; of {percent(unknown, asleep)} it is unknown."
    )


def _chart(canvas: Canvas, sleepers: list[Row]) -> ChartType:
    by_reason = _by_reason(sleepers)
    asleep = sum(sum(tiers.values()) for tiers in by_reason.values())
    stacks = [
        Stack(
            canvas.label(words(reason), REASONS_ZH.get(reason, "")),
            tuple(Piece(tiers.get(tier, 0), _tier(tier)) for tier in TIERS),
            f"{number(customers)} ({percent(customers, asleep)})",
        )
        for reason, tiers in by_reason.items()
        for customers in [sum(tiers.values())]
    ]
    colours = alt.Color(
        "kind:N",
        scale=alt.Scale(
            domain=[_tier(tier) for tier in TIERS], range=[canvas.colours[_COLOURS[tier]] for tier in TIERS]
        ),
        legend=alt.Legend(
            orient="top", columns=legend_columns(canvas, [_tier(tier) for tier in TIERS]), offset=10
        ),
    )
    return stack_list(canvas, stacks, colours, bar_px=17, text_room_px=106)


def _tier(tier: str) -> str:
    return f"{words(tier)} value"


def _table(sleepers: list[Row], facts: list[Row]) -> Table:
    by_reason = _by_reason(sleepers)
    asleep = sum(sum(tiers.values()) for tiers in by_reason.values())
    return Table(
        columns=(
            Column("Reason", numeric=False),
            *(Column(words(tier)) for tier in TIERS),
            Column("All"),
            Column("Share"),
        ),
        rows=tuple(
            (
                Cell(
                    words(reason),
                    chinese=REASONS_ZH.get(reason, ""),
                    note=_facts(reason, customers, facts),
                ),
                *(number(tiers.get(tier, 0)) for tier in TIERS),
                number(customers),
                percent(customers, asleep),
            )
            for reason, tiers in by_reason.items()
            for customers in [sum(tiers.values())]
        ),
    )


def _facts(reason: str, customers: int, facts: list[Row]) -> str:
    of_reason = sorted(
        (row for row in facts if row["reason"] == reason), key=lambda row: (-row["customers"], row["fact"])
    )
    return ", ".join(
        f"{words(row['fact']).lower()} {row['customers'] / customers:.0%}" for row in of_reason[:_TOP_FACTS]
    )
