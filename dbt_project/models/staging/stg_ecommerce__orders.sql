with newest as (

    {{ newest_by_key(source("raw", "ecommerce_orders"), ["order_id"], ["updated_at", "ordered_at"]) }}

)

select
    order_id,
    account_id,
    ordered_at,
    cast(ordered_at as date) as ordered_on,
    status,
    channel,
    currency,
    discount_amount,
    coupon_code,
    promised_at,
    delivered_at
from newest
