-- Who sleeps on the run's dates, with the two days at which evidence is looked for: the last purchase (for who
-- never bought: the last sign of life) and the day of falling asleep.
select
    dormancy.as_of_date,
    dormancy.customer_id,
    coalesce(dormancy.last_purchase_on, dormancy.last_activity_on) as anchor_on,
    dormancy.last_purchase_on,
    dormancy.dormant_from_date as asleep_on
from {{ ref("int_customer_dormancy") }} as dormancy
inner join {{ ref("int_reported_date") }} as dates on dormancy.as_of_date = dates.as_of_date
where dormancy.dormancy_state in ('dormant', 'deep_dormant', 'lost')
