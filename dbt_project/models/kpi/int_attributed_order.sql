-- Each order that follows a contact within the channel's window, with the last contact before it: revenue and
-- margin of what was kept until the day up to which is measured. The revenue is that of core.order_line.
with measured as (

    select * from {{ control("measured_until") }}

),

returned as (

    select
        allocated.purchase_line_id,
        sum(allocated.units) as units
    from {{ ref("int_return_allocation") }} as allocated
    cross join measured
    where allocated.returned_on < measured.known_until
    group by allocated.purchase_line_id

),

lines as (

    select lines.*
    from {{ ref("int_sales_line") }} as lines
    cross join measured
    where
        lines.is_revenue
        and not lines.is_return
        and lines.customer_id is not null
        and lines.ordered_at < measured.known_until

),

orders as (

    select
        channel,
        order_id,
        customer_id,
        cast(min(ordered_at) as timestamp) as ordered_at
    from lines
    group by channel, order_id, customer_id
    having bool_or(is_purchase)

),

-- The channel is a column here: a condition on the left side alone would have each order compared with each.
online as (

    select
        'ecommerce' as channel,
        order_id,
        coupon_code
    from {{ ref("stg_ecommerce__orders") }}
    where coupon_code is not null

),

attributed as (

    select
        touches.touch_id,
        touches.coupon_code as touch_coupon_code,
        orders.*
    from orders
    inner join {{ ref("int_recall_touch") }} as touches
        on
            orders.customer_id = touches.customer_id
            and orders.ordered_at >= touches.sent_at
            and orders.ordered_at < touches.window_ends_at
    qualify row_number() over (
        partition by orders.channel, orders.order_id, orders.customer_id
        order by touches.sent_at desc, touches.touch_id asc
    ) = 1

),

-- Few orders follow a contact: only their lines are added up.
amounts as (

    select
        lines.channel,
        lines.order_id,
        lines.customer_id,
        -- Line by line in whole fractions of a cent: a sum of floats depends on the order of the rows.
        sum(cast(lines.amount * (
            1 - case
                when lines.is_purchase then least(coalesce(returned.units, 0) / lines.quantity, 1) else 0
            end
        ) as decimal(18, 4))) as revenue,
        sum(cast(case
            when lines.is_purchase
                then coalesce(products.cost, 0) * greatest(lines.quantity - coalesce(returned.units, 0), 0)
            else 0
        end as decimal(18, 4))) as goods_cost,
        bool_or(lines.is_purchase and coalesce(returned.units, 0) < lines.quantity) as is_kept
    from lines
    inner join attributed using (channel, order_id, customer_id)
    left join returned on lines.line_id = returned.purchase_line_id
    left join {{ ref("stg_catalog__products") }} as products on lines.product_id = products.product_id
    group by lines.channel, lines.order_id, lines.customer_id

)

select
    attributed.touch_id,
    attributed.channel,
    attributed.order_id,
    attributed.customer_id,
    attributed.ordered_at,
    amounts.is_kept,
    cast(amounts.revenue as decimal(18, 2)) as revenue,
    cast(amounts.revenue - amounts.goods_cost as decimal(18, 2)) as margin,
    coalesce(online.coupon_code = attributed.touch_coupon_code, false) as has_coupon
from attributed
inner join amounts
    on
        attributed.channel = amounts.channel
        and attributed.order_id = amounts.order_id
        and attributed.customer_id = amounts.customer_id
left join online on attributed.channel = online.channel and attributed.order_id = online.order_id
