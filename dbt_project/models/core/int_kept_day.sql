-- Purchase-days of a customer, with the day on which the last unit of the day had come back (null: kept).
select
    customer_id,
    purchased_on,
    case when count(*) = count(emptied_on) then max(emptied_on) end as emptied_on
from {{ ref("int_purchase_line") }}
group by customer_id, purchased_on
