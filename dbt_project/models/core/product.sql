with products as (

    select * from {{ ref("stg_catalog__products") }}

),

sold as (

    select
        product_id,
        sum(quantity) filter (where is_purchase) as units_sold,
        -sum(quantity) filter (where is_return) as units_returned
    from {{ ref("int_sales_line") }}
    where product_id is not null
    group by product_id

),

single_product_orders as (

    select
        order_id,
        min(product_id) as product_id
    from {{ ref("int_sales_line") }}
    where line_kind = 'product'
    group by order_id
    having count(distinct product_id) = 1

),

complained as (

    -- A complaint names its product, or an order of one product only. Of an order of several nobody knows
    -- which of them it was.
    select
        coalesce(tickets.product_id, orders.product_id) as product_id,
        count(*) as complaints
    from {{ ref("ticket") }} as tickets
    left join single_product_orders as orders on tickets.order_id = orders.order_id
    where tickets.kind = 'complaint' and coalesce(tickets.product_id, orders.product_id) is not null
    group by coalesce(tickets.product_id, orders.product_id)

),

bought_on as (

    select distinct
        customer_id,
        product_id,
        purchased_on
    from {{ ref("int_purchase_line") }}
    where product_id is not null

),

gaps as (

    select
        product_id,
        {{ days_between(
            "lag(purchased_on) over (partition by customer_id, product_id order by purchased_on)",
            "purchased_on",
        ) }} as gap_days
    from bought_on

),

rhythm as (

    select
        product_id,
        median(gap_days) as median_repurchase_days
    from gaps
    where gap_days is not null
    group by product_id

)

select
    products.product_id,
    products.name,
    products.category,
    products.active,
    -- Unknown stock counts as in stock: most shops do not report it.
    coalesce(products.stock > 0, true) as in_stock,
    cast(coalesce(sold.units_returned, 0) / nullif(sold.units_sold, 0) as double) as return_rate,
    cast(coalesce(complained.complaints, 0) / nullif(sold.units_sold, 0) as double) as complaint_rate,
    cast(coalesce(products.replenishment_days, rhythm.median_repurchase_days) as double)
        as median_repurchase_days
from products
left join sold on products.product_id = sold.product_id
left join complained on products.product_id = complained.product_id
left join rhythm on products.product_id = rhythm.product_id
