-- Purchase lines of identified customers, and the day on which the last unit of each had come back.
-- Returns only ever empty a line, so one date per line answers "was it kept?" for every as-of date.
with allocated as (

    select
        purchase_line_id,
        returned_on,
        units,
        sum(units) over (
            partition by purchase_line_id order by returned_on, return_line_id
            rows between unbounded preceding and current row
        ) as units_until
    from {{ ref("int_return_allocation") }}

),

returned as (

    select
        allocated.purchase_line_id,
        sum(allocated.units) as returned_units,
        min(allocated.returned_on) filter (where allocated.units_until >= lines.quantity) as emptied_on
    from allocated
    inner join {{ ref("int_sales_line") }} as lines on allocated.purchase_line_id = lines.line_id
    group by allocated.purchase_line_id

)

select
    lines.line_id,
    lines.customer_id,
    lines.channel,
    lines.product_id,
    coalesce(products.category, 'all') as category,
    lines.ordered_on as purchased_on,
    lines.quantity as units,
    least(coalesce(returned.returned_units, 0), lines.quantity) as returned_units,
    returned.emptied_on
from {{ ref("int_sales_line") }} as lines
left join returned on lines.line_id = returned.purchase_line_id
left join {{ ref("stg_catalog__products") }} as products on lines.product_id = products.product_id
where lines.is_purchase and lines.customer_id is not null
