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

-- What the headers of both channels say, under one key: joined one after the other on a condition that holds for one
-- channel only, each line would be compared with each header.
headers as (

    select
        'ecommerce' as channel,
        order_id,
        discount_amount,
        coupon_code is not null as has_coupon,
        promised_at,
        delivered_at
    from {{ ref("stg_ecommerce__orders") }}
    union all
    select
        'pos' as channel,
        receipt_id as order_id,
        cast(0 as decimal(18, 2)) as discount_amount,
        count(coupon) > 0 as has_coupon,
        cast(null as timestamp) as promised_at,
        cast(null as timestamp) as delivered_at
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
    lines.line_discount_amount + coalesce(headers.discount_amount, 0) as discount_amount,
    coalesce(headers.has_coupon, false) as has_coupon,
    cast(headers.promised_at as date) as promised_on,
    cast(headers.delivered_at as date) as delivered_on
from lines
left join headers on lines.channel = headers.channel and lines.order_id = headers.order_id
