-- Orders and receipts of identified customers, with what the lines do not say: coupon, promise and delivery.
-- Cancelled orders, and returns, are none. `line_id` is one of its lines, for whoever needs a row to point to.
with lines as (

    select
        channel,
        order_id,
        customer_id,
        ordered_on,
        min(line_id) as line_id,
        sum(amount + discount_amount) as gross_amount,
        sum(discount_amount) as line_discount_amount
    from {{ ref("int_sales_line") }}
    where is_purchase and customer_id is not null
    group by channel, order_id, customer_id, ordered_on

),

receipts as (

    select
        receipt_id,
        count(coupon) > 0 as has_coupon
    from {{ ref("stg_pos__sales") }}
    group by receipt_id

)

select
    lines.channel,
    lines.order_id,
    lines.customer_id,
    lines.ordered_on,
    lines.line_id,
    lines.gross_amount,
    lines.line_discount_amount + coalesce(orders.discount_amount, 0) as discount_amount,
    coalesce(orders.coupon_code is not null, false) or coalesce(receipts.has_coupon, false) as has_coupon,
    cast(orders.promised_at as date) as promised_on,
    cast(orders.delivered_at as date) as delivered_on
from lines
left join {{ ref("stg_ecommerce__orders") }} as orders
    on lines.channel = 'ecommerce' and lines.order_id = orders.order_id
left join receipts on lines.channel = 'pos' and lines.order_id = receipts.receipt_id
