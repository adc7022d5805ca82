{{ config(meta={"dagster": {"ref": {"name": "purchase_day"}}}) }}

-- Gross less discounts and returns is net, on every row.
select *
from {{ ref("purchase_day") }}
where gross_amount - discount_amount - returned_amount <> net_amount
