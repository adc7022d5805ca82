-- What orders say: lateness, returns, coupons, discounts, prices that rose. Every order is there for coupon and
-- discount, those without too: rules ask for shares.
with orders as (

    select * from {{ ref("int_order") }}

),

redeemed as (

    -- A purchase that an offer of ours brought shows what the offer did, not how the customer buys.
    select distinct
        customer_id,
        cast(redeemed_at as date) as redeemed_on
    from {{ ref("touch") }}
    where redeemed_at is not null

),

own_orders as (

    select orders.*
    from orders
    left join redeemed
        on orders.customer_id = redeemed.customer_id and orders.ordered_on = redeemed.redeemed_on
    where redeemed.customer_id is null

),

bought as (

    select
        customer_id,
        product_id,
        ordered_on,
        line_id
    from {{ ref("int_sales_line") }}
    where is_purchase and customer_id is not null and product_id is not null

),

month_price as (

    -- List prices as customers paid them. A month counts from its last day on: until then it is not known.
    select
        product_id,
        last_day(ordered_on) as known_on,
        median((amount + discount_amount) / quantity) as list_price
    from {{ ref("int_sales_line") }}
    where is_purchase and product_id is not null
    group by product_id, last_day(ordered_on)
    having count(*) >= 3

),

price_step as (

    select
        product_id,
        known_on,
        list_price,
        lag(list_price) over (partition by product_id order by known_on) as price_before
    from month_price

),

-- Prices move all the time; only rises that a rule asks for are worth looking up who bought the product.
wanted as (

    select min(threshold) as rise
    from {{ ref("reason_rule") }}
    where fact = 'price_rise'

),

price_rise as (

    select
        bought.customer_id,
        price_step.known_on,
        price_step.product_id,
        price_step.list_price / price_step.price_before - 1 as rise,
        arg_max(bought.line_id, (bought.ordered_on, bought.line_id)) as line_id
    from price_step
    inner join bought
        on
            price_step.product_id = bought.product_id
            and price_step.known_on >= bought.ordered_on
            and bought.ordered_on > {{ add_days("price_step.known_on", -365) }}
    cross join wanted
    where
        price_step.price_before > 0
        and price_step.list_price / price_step.price_before - 1 >= wanted.rise
    group by
        bought.customer_id, price_step.known_on, price_step.product_id, price_step.list_price,
        price_step.price_before

)

select
    customer_id,
    'days_late' as fact,
    promised_on as happened_on,
    cast(null as double) as fact_value,
    delivered_on as ends_on,
    cast(null as varchar) as sub_reason,
    'core.order_line' as source_table,
    line_id as source_key
from orders
where delivered_on > promised_on
union all
select
    customer_id,
    'return' as fact,
    ordered_on as happened_on,
    cast(1 as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.order_line' as source_table,
    line_id as source_key
from {{ ref("int_sales_line") }}
where is_return and customer_id is not null
union all
select
    customer_id,
    'coupon_order' as fact,
    ordered_on as happened_on,
    cast(case when has_coupon then 1 else 0 end as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.order_line' as source_table,
    line_id as source_key
from own_orders
union all
select
    customer_id,
    'discount_share' as fact,
    ordered_on as happened_on,
    cast(discount_amount as double) / cast(gross_amount as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.order_line' as source_table,
    line_id as source_key
from own_orders
where gross_amount > 0
union all
select
    customer_id,
    'price_rise' as fact,
    known_on as happened_on,
    cast(rise as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.order_line' as source_table,
    line_id as source_key
from price_rise
