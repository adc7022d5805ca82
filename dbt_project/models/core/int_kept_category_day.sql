-- As int_kept_day, for each category that the customer bought that day.
select
    customer_id,
    category,
    purchased_on,
    case when count(*) = count(emptied_on) then max(emptied_on) end as emptied_on
from {{ ref("int_purchase_line") }}
group by customer_id, category, purchased_on
