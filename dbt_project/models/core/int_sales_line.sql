-- Lines of both channels in one shape, with the customer they belong to (null: anonymous). A discount on a
-- whole order, which its lines do not contain, is a line of its own: number 0, marked `order_discount`.
with online_lines as (

    select
        'ecommerce' as channel,
        lines.order_id,
        lines.line_no,
        orders.account_id as account_key,
        orders.ordered_at,
        orders.ordered_on,
        orders.status = 'cancelled' as is_cancelled,
        cast(null as varchar) as store_id,
        lines.product_id,
        lines.line_kind,
        lines.quantity,
        lines.line_amount as amount,
        lines.discount_amount,
        lines.returned_order_id
    from {{ ref("stg_ecommerce__order_lines") }} as lines
    inner join {{ ref("stg_ecommerce__orders") }} as orders on lines.order_id = orders.order_id

),

order_discounts as (

    select
        'ecommerce' as channel,
        order_id,
        0 as line_no,
        account_id as account_key,
        ordered_at,
        ordered_on,
        status = 'cancelled' as is_cancelled,
        cast(null as varchar) as store_id,
        cast(null as varchar) as product_id,
        'discount' as line_kind,
        cast(1 as decimal(18, 4)) as quantity,
        -discount_amount as amount,
        cast(0 as decimal(18, 2)) as discount_amount,
        cast(null as varchar) as returned_order_id
    from {{ ref("stg_ecommerce__orders") }}
    where discount_amount > 0

),

store_lines as (

    select
        'pos' as channel,
        receipt_id as order_id,
        line_no,
        member_id as account_key,
        sold_at as ordered_at,
        sold_on as ordered_on,
        false as is_cancelled,
        store_id,
        product_id,
        line_kind,
        quantity,
        amount,
        discount_amount,
        returned_receipt_id as returned_order_id
    from {{ ref("stg_pos__sales") }}

),

all_lines as (

    select
        *,
        false as is_order_discount
    from online_lines
    union all
    select
        *,
        true as is_order_discount
    from order_discounts
    union all
    select
        *,
        false as is_order_discount
    from store_lines

)

select
    -- Apart from line 0, which a shop's own numbering may have.
    all_lines.channel || ':' || all_lines.order_id || ':'
    || case when all_lines.is_order_discount then 'order_discount' else cast(all_lines.line_no as varchar) end
        as line_id,
    accounts.customer_id,
    all_lines.* exclude (is_order_discount),
    -- Postage, fees and test rows are no revenue of goods; a cancelled order never was any.
    all_lines.line_kind in ('product', 'discount') and not all_lines.is_cancelled as is_revenue,
    all_lines.line_kind = 'product' and not all_lines.is_cancelled and all_lines.quantity > 0 as is_purchase,
    all_lines.line_kind = 'product' and not all_lines.is_cancelled and all_lines.quantity < 0 as is_return
from all_lines
left join {{ ref("customer_account") }} as accounts
    on all_lines.channel = accounts.source and all_lines.account_key = accounts.account_key
