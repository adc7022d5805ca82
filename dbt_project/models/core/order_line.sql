with lines as (

    select * from {{ ref("int_sales_line") }}

),

returned as (

    select
        purchase_line_id,
        sum(units) as returned_units
    from {{ ref("int_return_allocation") }}
    group by purchase_line_id

)

select
    lines.line_id,
    lines.customer_id,
    lines.channel,
    lines.order_id,
    cast(lines.line_no as integer) as line_no,
    lines.ordered_on,
    cast(lines.ordered_at as timestamp) as ordered_at,
    lines.store_id,
    lines.product_id,
    lines.line_kind,
    lines.is_return,
    lines.is_cancelled,
    lines.is_revenue,
    lines.quantity,
    cast(least(coalesce(returned.returned_units, 0), greatest(lines.quantity, 0)) as decimal(18, 4))
        as returned_quantity,
    lines.amount,
    lines.discount_amount
from lines
left join returned on lines.line_id = returned.purchase_line_id
