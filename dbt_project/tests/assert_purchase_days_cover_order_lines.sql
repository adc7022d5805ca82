{{ config(meta={
    "dagster": {"ref": {"name": "purchase_day"}},
    "remedy": "Compare order_line and purchase_day by day; the first day that differs shows the line.",
    "shown": ["by_line", "by_day"],
}) }}

-- The revenue of identified customers is the same by line and by day: no join multiplied or lost any.
with lines as (
    select coalesce(sum(amount), 0) as amount
    from {{ ref("order_line") }}
    where is_revenue and customer_id is not null
),

days as (
    select coalesce(sum(net_amount), 0) as amount
    from {{ ref("purchase_day") }}
)

select
    lines.amount as by_line,
    days.amount as by_day
from lines
cross join days
where lines.amount <> days.amount
