"""The figures one looks at first."""

from __future__ import annotations

from pipelines.report.section import Section, Source, Tile
from pipelines.report.wording import DASH, counted, number, percent, whole

_SQL = """
select
    (select count(*) from activation.recall_decision where as_of_date = $as_of_date) as customers,
    (select count(*) from marts.customer_rfm where as_of_date = $as_of_date) as buyers,
    (select count(*) from marts.customer_dormancy where as_of_date = $as_of_date) as judged,
    (select count(dormant_since) from marts.customer_dormancy where as_of_date = $as_of_date) as asleep,
    (
        select coalesce(sum(net_amount), 0)
        from core.purchase_day
        where purchased_on > $as_of_date - 365 and purchased_on <= $as_of_date
    ) as net_revenue,
    (
        select count(*) from activation.recall_decision
        where as_of_date = $as_of_date and decision = 'send'
    ) as recalled,
    (
        select count(*) from activation.recall_decision
        where as_of_date = $as_of_date and decision = 'holdout'
    ) as held_out,
    (
        select coalesce(bool_or(simulated), false)
        from activation.recall_decision
        where as_of_date = $as_of_date
    ) as simulated
"""


def build(source: Source) -> Section:
    """Customers, buyers, share asleep, net revenue of a year, recalls of the day."""
    query = source.bind(_SQL)
    [row] = source.rows(query)
    asleep = percent(row["asleep"], row["judged"])
    recall_note = "simulated: nothing was sent" if row["simulated"] else "decided for this date"
    tiles = (
        Tile("Customers", number(row["customers"]), "known on the date"),
        Tile("Buyers", number(row["buyers"]), "with a kept purchase"),
        Tile("Asleep", asleep, f"{number(row['asleep'])} of {counted(row['judged'], 'customer')}"),
        Tile("Net revenue", whole(row["net_revenue"]), f"{source.currency}, last 365 days"),
        Tile("Recalled", number(row["recalled"]), recall_note),
        Tile("Held out", number(row["held_out"]), "not contacted, for comparison"),
    )
    if row["customers"] == 0:
        reading = f"The published tables have no customers on {source.as_of_date}."
    else:
        sleeping = "" if asleep == DASH else f", {asleep} of them asleep"
        verb = "would have been recalled" if row["simulated"] else "are recalled"
        reading = (
            f"The shop knows {counted(row['customers'], 'customer')}{sleeping}; "
            f"{number(row['recalled'])} {verb}."
        )
    return Section(slug="headline", title="At a glance", reading=reading, query=query, tiles=tiles)
