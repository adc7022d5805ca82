with newest as (

    {{ newest_by_key(source("raw", "pos_sales"), ["receipt_id", "line_no"], ["sold_at"]) }}

)

select
    receipt_id,
    line_no,
    member_id,
    store_id,
    sold_at,
    cast(sold_at as date) as sold_on,
    product_id,
    line_kind,
    quantity,
    amount,
    discount_amount,
    coupon,
    returned_receipt_id
from newest
