with newest as (

    {{ newest_by_key(source("raw", "ecommerce_order_lines"), ["order_id", "line_no"], ["updated_at"]) }}

)

select
    order_id,
    line_no,
    product_id,
    line_kind,
    quantity,
    unit_price,
    line_amount,
    discount_amount,
    returned_order_id
from newest
