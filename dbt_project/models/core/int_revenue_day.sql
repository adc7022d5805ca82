-- What a customer's purchases, returns and discounts came to on each day they were booked.
select
    lines.customer_id,
    lines.ordered_on as booked_on,
    sum(lines.amount) as net_amount,
    sum(lines.amount - coalesce(products.cost * lines.quantity, 0)) as margin_amount
from {{ ref("int_sales_line") }} as lines
left join {{ ref("stg_catalog__products") }} as products on lines.product_id = products.product_id
where lines.is_revenue and lines.customer_id is not null
group by lines.customer_id, lines.ordered_on
