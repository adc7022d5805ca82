{{ config(meta={
    "dagster": {"ref": {"name": "purchase_day"}},
    "remedy": "Look at the money columns of int_sales_line for the line kind that purchase_day counts twice or leaves out.",
}) }}

-- Gross less discounts and returns is net, on every row.
select *
from {{ ref("purchase_day") }}
where gross_amount - discount_amount - returned_amount <> net_amount
