-- Help-desk contacts about a product: the one they name, or the only one of the order they name. Of an order of
-- several nobody knows which of them it was.
with single_product_orders as (

    select
        order_id,
        min(product_id) as product_id
    from {{ ref("int_sales_line") }}
    where line_kind = 'product'
    group by order_id
    having count(distinct product_id) = 1

)

select
    tickets.ticket_id,
    tickets.customer_id,
    coalesce(tickets.product_id, orders.product_id) as product_id,
    tickets.kind,
    cast(tickets.opened_at as date) as opened_on
from {{ ref("ticket") }} as tickets
left join single_product_orders as orders on tickets.order_id = orders.order_id
where coalesce(tickets.product_id, orders.product_id) is not null
