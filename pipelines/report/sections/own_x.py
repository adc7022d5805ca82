"""The customers' own X: after how many days of silence each of them counts as asleep."""

from __future__ import annotations

from itertools import groupby

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import DotGroup, DotRow, Kind, dot_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import counted, number

_SQL = """
with judged as (
    select
        case when customer_kind = 'buyer' then model_category end as category,
        case
            when customer_kind <> 'buyer' then customer_kind
            when seasonal then 'seasonal'
            when purchase_days = 1 then 'once'
            else 'repeat'
        end as kind,
        -- Of buyers counted from the last purchase, of the others from the last activity.
        dormant_from_date - (as_of_date - coalesce(days_since_purchase, days_since_activity)) as own_x_days
    from marts.customer_dormancy
    where as_of_date = $as_of_date
),
places as (
    select
        category,
        count(*) as customers,
        row_number() over (order by count(*) desc, category) as place
    from judged
    where category is not null
    group by category
),
kinds as (
    select
        coalesce(places.place <= 8, false) as is_listed,
        case when places.place <= 8 then judged.category end as category,
        judged.category is null as never_bought,
        judged.kind,
        judged.own_x_days
    from judged
    left join places on judged.category = places.category
)
select
    never_bought,
    is_listed,
    category,
    kind,
    count(*) as customers,
    quantile_disc(own_x_days, 0.25) as first_quartile_days,
    quantile_disc(own_x_days, 0.5) as median_days,
    quantile_disc(own_x_days, 0.75) as third_quartile_days,
    sum(count(*)) over (partition by never_bought, category) as category_customers
from kinds
group by never_bought, is_listed, category, kind
order by
    never_bought,
    is_listed desc,
    category_customers desc,
    category,
    list_position(['once', 'repeat', 'seasonal', 'registrant', 'enquirer'], kind)
"""

_KINDS = {
    "once": ("Bought once", "单次购买"),
    "repeat": ("Repeaters", "复购"),
    "seasonal": ("Seasonal", "季节性"),
    "registrant": ("Registered", "已注册"),
    "enquirer": ("Asked", "曾咨询"),
}
_MEDIAN = Kind("Median", "accent")


def build(source: Source) -> Section:
    """Quartiles of the own X by category and kind of customer."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "The customers' own X"
    if not rows:
        return Section("own_x", title, "No customer's dormancy has been judged on this date.", query)
    return Section(
        slug="own_x",
        title=title,
        reading=_reading(rows),
        query=query,
        chart=lambda canvas: _chart(canvas, rows),
        table=_table(rows),
        note="X is the day of silence from which on a customer counts as asleep, if nothing happens before. "
        "Of buyers it is counted from the last purchase, and a visit or ticket since then puts it off; of "
        "those who never bought it is counted from their last activity. The dot is the median, the bar holds "
        "the middle half. Where one rule judges a category, its buyers differ by activity and season alone. "
        "Small categories are judged together, as all. Seasonal buyers are not asleep before their season "
        "has passed.",
    )


def _reading(rows: list[Row]) -> str:
    buyers = [row for row in rows if not row["never_bought"]]
    if not buyers:
        commonest = max(rows, key=lambda row: row["customers"])
        return (
            "Nobody has a kept purchase yet; who never bought sleeps after "
            f"{counted(commonest['median_days'], 'day')} without activity."
        )
    quickest = min(buyers, key=lambda row: (row["median_days"], -row["customers"]))
    slowest = max(buyers, key=lambda row: (row["median_days"], row["customers"]))
    if quickest["median_days"] == slowest["median_days"]:
        return (
            f"Half of the buyers of every kind sleep by day {number(slowest['median_days'])} of silence, in "
            "every category."
        )
    return (
        f"Half of the buyers sleep by day {number(quickest['median_days'])} of silence ({_who(quickest)}) "
        f"to day {number(slowest['median_days'])} ({_who(slowest)}), by category and kind of customer."
    )


def _who(row: Row) -> str:
    return f"{_category(row)}, {_KINDS[row['kind']][0].lower()}"


def _category(row: Row) -> str:
    if row["never_bought"]:
        return "Never bought"
    return str(row["category"]) if row["is_listed"] else "Other categories"


def _chart(canvas: Canvas, rows: list[Row]) -> ChartType:
    latest = max(row["third_quartile_days"] for row in rows)
    groups = [
        DotGroup(
            canvas.label(category, "从未购买" if category == "Never bought" else ""),
            tuple(
                DotRow(
                    dots=((row["median_days"], _MEDIAN.name),),
                    text=f"{number(row['median_days'])} d",
                    label=_KINDS[row["kind"]][0],
                    span=(row["first_quartile_days"], row["third_quartile_days"]),
                )
                for row in of_category
            ),
        )
        for category, of_category in groupby(rows, key=_category)
    ]
    return dot_list(
        canvas,
        groups,
        (_MEDIAN,),
        title="Days of silence until asleep",
        domain=(0, max(latest, 1)),
        number_format="d",
    )


def _table(rows: list[Row]) -> Table:
    return Table(
        columns=(
            Column("Category and kind", numeric=False),
            Column("Customers"),
            Column("First quartile"),
            Column("Median"),
            Column("Third quartile"),
        ),
        rows=tuple(
            (
                Cell(_KINDS[row["kind"]][0], chinese=_KINDS[row["kind"]][1], note=_category(row)),
                number(row["customers"]),
                number(row["first_quartile_days"]),
                number(row["median_days"]),
                number(row["third_quartile_days"]),
            )
            for row in rows
        ),
    )
