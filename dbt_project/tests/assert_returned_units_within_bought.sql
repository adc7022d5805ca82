{{ config(meta={
    "dagster": {"ref": {"name": "int_return_allocation"}},
    "remedy": "Look at the returns of these lines; a repeated document brings units back twice.",
    "shown": ["line_id", "allocated", "available"],
}) }}

-- A purchase line never gives back more than was bought, and a return never takes more than it brought.
select
    purchase_line_id as line_id,
    sum(units) as allocated,
    max(lines.quantity) as available
from {{ ref("int_return_allocation") }}
inner join {{ ref("int_sales_line") }} as lines on purchase_line_id = lines.line_id
group by purchase_line_id
having bool_and(units > 0) is distinct from true
union all
select
    return_line_id as line_id,
    sum(units) as allocated,
    max(-lines.quantity) as available
from {{ ref("int_return_allocation") }}
inner join {{ ref("int_sales_line") }} as lines on return_line_id = lines.line_id
group by return_line_id
having sum(units) > max(-lines.quantity)
