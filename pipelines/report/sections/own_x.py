"""The customers' own X: after how many days of silence each of them counts as asleep."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import DotGroup, DotRow, Kind, dot_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import Wording, counted, number

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
    "repeat": ("Repeaters", "复购客户"),
    "seasonal": ("Seasonal", "季节性购买"),
    "registrant": ("Registered", "仅注册"),
    "enquirer": ("Asked", "仅咨询"),
}


def build(source: Source) -> Section:
    """Quartiles of the own X by category and kind of customer."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="own_x",
        title=say("The customers' own X", "每位客户自己的 X 天"),
        reading=say("No customer's dormancy has been judged on this date.", "当日没有客户的沉睡状态判定。"),
        query=query,
        published="marts.customer_dormancy",
    )
    if not rows:
        return head
    return replace(
        head,
        reading=_reading(say, rows),
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(say, rows),
        note=say(
            "X is the day of silence from which on a customer counts as asleep, if nothing happens before. "
            "Of buyers it is counted from the last purchase, and a visit or ticket since then puts it off; "
            "of those who never bought it is counted from their last activity. The dot is the median, the "
            "bar holds the middle half. Where one rule judges a category, its buyers differ by activity and "
            "season alone. Small categories are judged together, as all. Seasonal buyers are not asleep "
            "before their season has passed.",
            "X 指客户若一直沉默，从第几天起算作沉睡。购买客户从末次购买起算，其后的访问或咨询会推迟；"
            "从未购买者从最近一次活动起算。点为中位数，横条为中间一半客户。若某品类由统一规则判定，"
            "其客户只因活动与季节而不同。小品类合并判定，记为“全部”。季节性客户在应季期过去之前不算沉睡。",
        ),
    )


def _reading(say: Wording, rows: list[Row]) -> str:
    buyers = [row for row in rows if not row["never_bought"]]
    if not buyers:
        commonest = max(rows, key=lambda row: row["customers"])
        return say(
            "Nobody has a kept purchase yet; who never bought sleeps after "
            f"{counted(commonest['median_days'], 'day')} without activity.",
            f"尚无未退货的购买；从未购买者在 {number(commonest['median_days'])} 天没有活动后算作沉睡。",
        )
    quickest = min(buyers, key=lambda row: (row["median_days"], -row["customers"]))
    slowest = max(buyers, key=lambda row: (row["median_days"], row["customers"]))
    shortest, longest = number(quickest["median_days"]), number(slowest["median_days"])
    if shortest == longest:
        return say(
            f"Half of the buyers of every kind sleep by day {longest} of silence, in every category.",
            f"各品类、各类型的购买客户都有一半在沉默第 {longest} 天前入睡。",
        )
    return say(
        f"Half of the buyers sleep by day {shortest} of silence ({_who(say, quickest)}) to day {longest} "
        f"({_who(say, slowest)}), by category and kind of customer.",
        f"按品类与客户类型，半数客户入睡的沉默天数从 {shortest} 天（{_who(say, quickest)}）"
        f"到 {longest} 天（{_who(say, slowest)}）不等。",
    )


def _kind(say: Wording, row: Row) -> str:
    return say(*_KINDS[row["kind"]])


def _who(say: Wording, row: Row) -> str:
    return say(
        f"{_category(say, row)}, {_kind(say, row).lower()}", f"{_category(say, row)}，{_kind(say, row)}"
    )


def _category(say: Wording, row: Row) -> str:
    if row["never_bought"]:
        return say("Never bought", "从未购买")
    return say.category(row["category"]) if row["is_listed"] else say("Other categories", "其他品类")


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
    latest = max(row["third_quartile_days"] for row in rows)
    median = Kind(say("Median", "中位数"), "accent", "circle")
    groups = [
        DotGroup(
            category,
            tuple(
                DotRow(
                    dots=((row["median_days"], median.name),),
                    text=say(f"{number(row['median_days'])} d", f"{number(row['median_days'])} 天"),
                    label=_kind(say, row),
                    span=(row["first_quartile_days"], row["third_quartile_days"]),
                )
                for row in of_category
            ),
        )
        for category, of_category in groupby(rows, key=lambda row: _category(say, row))
    ]
    return dot_list(
        canvas,
        groups,
        (median,),
        title=say("Days of silence until asleep", "入睡前的沉默天数"),
        domain=(0, max(latest, 1)),
        number_format=",.0f",
    )


def _table(say: Wording, rows: list[Row]) -> Table:
    return Table(
        columns=(
            Column(say("Category and kind", "品类与客户类型"), numeric=False),
            Column(say("Customers", "客户")),
            Column(say("First quartile", "下四分位")),
            Column(say("Median", "中位数")),
            Column(say("Third quartile", "上四分位")),
        ),
        rows=tuple(
            (
                Cell(_kind(say, row), note=_category(say, row)),
                number(row["customers"]),
                number(row["first_quartile_days"]),
                number(row["median_days"]),
                number(row["third_quartile_days"]),
            )
            for row in rows
        ),
    )
