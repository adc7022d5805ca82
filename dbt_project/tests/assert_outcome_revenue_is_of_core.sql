{{ config(meta={
    "dagster": {"ref": {"name": "recall_outcome"}},
    "remedy": "Look at int_attributed_order for an order that two touches claim, or that none does.",
    "shown": ["what", "which", "core_revenue", "kpi_revenue"],
}) }}

-- The revenue of contacts is that of the orders that follow them, as core.order_line has it; orders of which
-- something came back after the day up to which is measured are left out of the comparison by campaign.
with measured as (

    select * from {{ control("measured_until") }}

),

late as (

    select distinct
        lines.channel,
        lines.order_id
    from {{ ref("int_return_allocation") }} as allocated
    cross join measured
    inner join {{ ref("order_line") }} as lines on allocated.purchase_line_id = lines.line_id
    where allocated.returned_on >= measured.known_until

),

orders as (

    select
        attributed.touch_id,
        attributed.channel,
        attributed.order_id,
        sum(lines.amount * case
            when lines.line_kind = 'product' then 1 - lines.returned_quantity / lines.quantity
            else 1
        end) as revenue,
        min(attributed.revenue) as attributed_revenue
    from {{ ref("int_attributed_order") }} as attributed
    inner join {{ ref("order_line") }} as lines
        on
            attributed.channel = lines.channel
            and attributed.order_id = lines.order_id
            and attributed.customer_id = lines.customer_id
    left join late on attributed.channel = late.channel and attributed.order_id = late.order_id
    where lines.is_revenue and not lines.is_return and late.order_id is null
    group by attributed.touch_id, attributed.channel, attributed.order_id

),

wrong as (

    select
        'order' as what,
        order_id as which,
        cast(revenue as double) as core_revenue,
        cast(attributed_revenue as double) as kpi_revenue
    from orders
    where abs(revenue - attributed_revenue) > 0.01

),

totals as (

    select
        'total' as what,
        null as which,
        cast(coalesce((select sum(revenue) from {{ ref("int_attributed_order") }}), 0) as double) as core_revenue,
        cast(coalesce((select sum(revenue) from {{ ref("recall_outcome") }}), 0) as double) as kpi_revenue

)

select * from wrong
union all
select * from totals
where abs(core_revenue - kpi_revenue) > 0.001
