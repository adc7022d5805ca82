"""Why sleepers sleep, by historical value, and the facts that say so."""

from __future__ import annotations

from dataclasses import replace

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Kind, Piece, Stack, stack_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import TIERS, Wording, counted, number, ordered, percent

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
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="reasons",
        title=say("Why they sleep", "为何沉睡"),
        reading=say(
            "Nobody is asleep on this date, so there is nothing to explain.", "当日无人沉睡，无需解释。"
        ),
        query=query,
        published="marts.dormancy_reason",
    )
    if not rows:
        return head
    sleepers = [row for row in rows if row["fact"] is None]
    facts = [row for row in rows if row["fact"] is not None]
    return replace(
        head,
        reading=_reading(say, sleepers),
        chart=lambda canvas: _chart(canvas, say, sleepers),
        table=_table(say, sleepers, facts),
        note=_note(say, sleepers, facts),
    )


def _note(say: Wording, sleepers: list[Row], facts: list[Row]) -> str:
    note = say(
        "The primary reason is the one with the strongest evidence; unknown means that none suffices, not "
        "that there is none.",
        "首要原因为证据最强的一项；“原因未知”指证据不足，并非没有原因。",
    )
    if facts:
        return note + say(
            " Below each reason stand the commonest facts, with the share of its sleepers whom they speak "
            "of.",
            "各原因下方为最常见的事实，以及涉及的沉睡客户占比。",
        )
    if any(row["reason"] != _UNKNOWN for row in sleepers):
        return note + say(
            " No evidence is kept for this date: it is kept for the newest date and month-ends.",
            "当日未保留证据：只保留最新日期与各月末的证据。",
        )
    return note


def _by_reason(sleepers: list[Row]) -> dict[str, dict[str, int]]:
    """Sleepers by reason and tier, most sleepers first and `unknown` last."""
    found: dict[str, dict[str, int]] = {}
    for row in ordered(sleepers, "value_tier", TIERS):
        found.setdefault(row["reason"], {})[row["value_tier"]] = row["customers"]
    return dict(
        sorted(found.items(), key=lambda item: (item[0] == _UNKNOWN, -sum(item[1].values()), item[0]))
    )


def _reading(say: Wording, sleepers: list[Row]) -> str:
    by_reason = {reason: sum(tiers.values()) for reason, tiers in _by_reason(sleepers).items()}
    asleep = sum(by_reason.values())
    unknown = by_reason.pop(_UNKNOWN, 0)
    everybody, everybody_zh = counted(asleep, "sleeper"), f"{number(asleep)} 位沉睡客户"
    if not by_reason:
        return say(
            f"No evidence says why the {everybody} {'is' if asleep == 1 else 'are'} asleep.",
            f"没有证据说明这 {everybody_zh}为何沉睡。",
        )
    reason, customers = next(iter(by_reason.items()))
    commonest = say(
        f"“{say.within(reason)}” ({number(customers)})", f"“{say.name(reason)}”（{number(customers)} 位）"
    )
    if not unknown:
        return say(
            f"There is a reason for each of the {everybody}; the commonest is {commonest}.",
            f"{everybody_zh}均有原因；最常见的是{commonest}。",
        )
    share = percent(unknown, asleep)
    return say(
        f"There is a reason for {number(asleep - unknown)} of {everybody}, most often {commonest}; of "
        f"{share} it is unknown.",
        f"{everybody_zh}中有 {number(asleep - unknown)} 位原因明确，最常见的是{commonest}；{share} "
        "原因未知。",
    )


def _chart(canvas: Canvas, say: Wording, sleepers: list[Row]) -> Drawing:
    by_reason = _by_reason(sleepers)
    asleep = sum(sum(tiers.values()) for tiers in by_reason.values())
    stacks = [
        Stack(
            say.name(reason),
            tuple(Piece(tiers.get(tier, 0), say.tier(tier)) for tier in TIERS),
            f"{number(customers)} ({percent(customers, asleep)})",
        )
        for reason, tiers in by_reason.items()
        for customers in [sum(tiers.values())]
    ]
    kinds = [Kind(say.tier(tier), _COLOURS[tier]) for tier in TIERS]
    return stack_list(canvas, stacks, kinds, bar_px=17)


def _table(say: Wording, sleepers: list[Row], facts: list[Row]) -> Table:
    by_reason = _by_reason(sleepers)
    asleep = sum(sum(tiers.values()) for tiers in by_reason.values())
    return Table(
        columns=(
            Column(say("Reason", "原因"), numeric=False),
            *(Column(say.tier(tier)) for tier in TIERS),
            Column(say("All", "合计")),
            Column(say("Share", "占比")),
        ),
        rows=tuple(
            (
                Cell(say.name(reason), note=_facts(say, reason, customers, facts)),
                *(number(tiers.get(tier, 0)) for tier in TIERS),
                number(customers),
                percent(customers, asleep),
            )
            for reason, tiers in by_reason.items()
            for customers in [sum(tiers.values())]
        ),
    )


def _facts(say: Wording, reason: str, customers: int, facts: list[Row]) -> str:
    of_reason = sorted(
        (row for row in facts if row["reason"] == reason), key=lambda row: (-row["customers"], row["fact"])
    )
    return say(", ", "，").join(
        f"{say.within(row['fact'])} {row['customers'] / customers:.0%}" for row in of_reason[:_TOP_FACTS]
    )
