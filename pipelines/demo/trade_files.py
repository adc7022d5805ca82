"""Orders, order lines, receipts and goods as the web shop and the stores' system export them."""

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS, texts
from pipelines.demo.exports import Export

_END_S = rates.DAYS * DAY_SECONDS
# The stores of one region.
LATE_STORES = tuple(f"S{number:02d}" for number in range(1, 7))
LATE_FILE = "late_2025-03_south"
REPEATED_LATE_FILE = f"{LATE_FILE}_again"
REPEATED_LINES_FILE = "order_lines_2024h1"
# Their March 2025 came in August.
_LATE_FROM_S = 425 * DAY_SECONDS
_LATE_TO_S = 456 * DAY_SECONDS
_DISCOUNT_LINE_CENTS = 500

# Orders of a half-year's last days are exported as paid, and once more as they ended in the next export.
ORDERS = Export(
    feed="ecommerce_orders",
    format="csv",
    gz="always",
    select=f"""
    with final as (
        select order_id, account_key, at_s, order_discount_cents, coupon, shop_channel, promised_s,
            delivered_s,
            case
                when is_cancelled then 'cancelled'
                when delivered_s < {_END_S} then 'completed'
                when at_s + {DAY_SECONDS} < {_END_S} then 'shipped'
                else 'paid'
            end as status,
            least(if(is_cancelled, at_s + 7200, delivered_s), {_END_S} - 1) as updated_s
        from purchase
        where channel = 'ecommerce'
    ),
    returned as (
        select return_id, account_key, returned_s
        from return_line
        inner join purchase using (purchase_no)
        where return_line.channel = 'ecommerce'
    ),
    versions as (
        select *, if(status = 'cancelled', null, promised_s) as promise_s,
            if(status = 'completed', delivered_s, null) as arrival_s, half(updated_s) as file
        from final
        union all
        select * replace ('paid' as status, at_s + 60 as updated_s), promised_s, null, half(at_s)
        from final
        where half(at_s) <> half(updated_s)
        union all
        select return_id, account_key, returned_s, 0, null, 'web', null, null, 'return', returned_s, null,
            null,
            half(returned_s)
        from returned
    )
    select
        order_id as order_no,
        account_key as account,
        stamp(at_s) as created,
        status,
        shop_channel as sales_channel,
        '{rates.CURRENCY}' as currency,
        cast(money(order_discount_cents) as varchar) as order_discount,
        coupon as coupon_code,
        stamp(promise_s) as promised,
        stamp(arrival_s) as delivered,
        stamp(updated_s) as updated,
        'orders_' || file as _file,
        updated_s as _at,
        order_id as _key
    from versions
    """,
)

ORDER_LINES = Export(
    feed="ecommerce_order_lines",
    format="parquet",
    select=f"""
    with bought as (
        select purchase.order_id, line.line_no, line.product_no, 'product' as line_kind, line.units,
            line.list_cents, line.amount_cents, line.discount_cents, null as returned_order_id, line.at_s
        from line
        inner join purchase using (purchase_no)
        where line.channel = 'ecommerce'
        union all
        select order_id, 90, null, 'shipping', 1, {rates.SHIPPING_CENTS}, {rates.SHIPPING_CENTS}, 0, null,
            at_s
        from purchase
        where channel = 'ecommerce' and u('shipping', purchase_no) < {rates.SHIPPING_LINE_SHARE}
        union all
        select order_id, 91, null, 'discount', 1, -{_DISCOUNT_LINE_CENTS}, -{_DISCOUNT_LINE_CENTS}, 0, null,
            at_s
        from purchase
        where channel = 'ecommerce' and u('discount line', purchase_no) < {rates.DISCOUNT_LINE_SHARE}
        union all
        select return_id, 1, product_no, 'product', -units, list_cents, -amount_cents, 0,
            if(states_order, purchase.order_id, null), returned_s
        from return_line
        inner join purchase using (purchase_no)
        where return_line.channel = 'ecommerce'
    )
    select
        order_id as order_no,
        cast(line_no as integer) as line_no,
        'P' || lpad(cast(10001 + product_no * 7 as varchar), 6, '0') as sku,
        line_kind as kind,
        cast(units as decimal(18, 4)) as quantity,
        cast(money(list_cents) as decimal(18, 4)) as unit_price,
        cast(money(amount_cents) as decimal(18, 2)) as amount,
        cast(money(discount_cents) as decimal(18, 2)) as discount,
        returned_order_id as original_order,
        moment(at_s) as updated,
        'order_lines_' || half(at_s) as _file,
        at_s as _at,
        order_id || lpad(cast(line_no as varchar), 3, '0') as _key
    from bought
    """,
)

# The stores' system is Chinese: GB18030, its own headings, dates with slashes.
RECEIPTS = Export(
    feed="pos_sales",
    format="csv",
    gz="large",
    delimiter=";",
    encoding="gb18030",
    select=f"""
    with sold as (
        select purchase.order_id, line.line_no, if(is_card_forgotten, null, account_key) as member, store_id,
            line.at_s, line.product_no, line.units, line.amount_cents, line.discount_cents, line.coupon,
            null as original
        from (select line.*, purchase.coupon from line inner join purchase using (purchase_no)) as line
        inner join purchase using (purchase_no)
        where line.channel = 'pos'
        union all
        -- Customers without a card.
        select 'N' || purchase.order_id[2:], line_no, null, store_id, line.at_s + 3600, product_no, units,
            amount_cents, discount_cents, null, null
        from line
        inner join purchase using (purchase_no)
        where line.channel = 'pos' and u('anonymous', purchase_no) < {rates.ANONYMOUS_RECEIPT_SHARE}
        union all
        select return_id, 1, if(is_card_forgotten, null, account_key), store_id, returned_s,
            product_no, -units,
            -amount_cents, 0, null, if(states_order, order_id, null)
        from return_line
        inner join purchase using (purchase_no)
        where return_line.channel = 'pos'
    )
    select
        order_id as "小票号",
        cast(line_no as varchar) as "行号",
        member as "会员号",
        store_id as "门店",
        replace(stamp(at_s), '-', '/') as "销售时间",
        'P' || lpad(cast(10001 + product_no * 7 as varchar), 6, '0') as "商品编码",
        cast(units as varchar) as "数量",
        cast(money(amount_cents) as varchar) as "金额",
        cast(money(discount_cents) as varchar) as "折扣",
        coupon as "优惠券",
        original as "原小票号",
        if(
            list_contains({texts(LATE_STORES)}, store_id) and at_s >= {_LATE_FROM_S} and at_s < {_LATE_TO_S},
            '{LATE_FILE}', 'sales_' || half(at_s)
        ) as _file,
        at_s as _at,
        order_id || lpad(cast(line_no as varchar), 3, '0') as _key
    from sold
    """,
)

# The catalogue as a workbook, and what changed since as a CSV that came later.
PRODUCTS = Export(
    feed="products",
    format="xlsx",
    once=True,
    select=f"""
    with versions as (
        select *, base_cents as price_cents, true as on_sale, stock as units, 0
            as updated_s, 'catalogue_2024' as file
        from product
        where not is_later
        union all
        select *, cast(round(base_cents * (100 + if(rise_s is null, 0, rise_percent)) / 100, 0) as bigint),
            is_active, stock, greatest(coalesce(rise_s, 0), launched_s, 650 * {DAY_SECONDS}), 'changes_2025'
        from product
        where is_later or rise_s is not null or not is_active
    )
    select
        product_id as article,
        name,
        category,
        cast(money(price_cents) as varchar) as price,
        cast(money(cost_cents) as varchar) as cost,
        stamp(launched_s) as launched,
        cast(units as varchar) as stock,
        if(on_sale, 'yes', 'no') as active,
        cast(replenishment_days as varchar) as lasts_days,
        stamp(updated_s) as updated,
        file as _file,
        product_no as _at,
        product_id as _key
    from versions
    """,
)
