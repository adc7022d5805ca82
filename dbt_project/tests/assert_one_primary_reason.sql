-- Every sleeper has exactly one reason of rank 1.
select
    sleepers.as_of_date,
    sleepers.customer_id,
    count(reasons.reason) as primary_reasons
from {{ ref("int_sleeper") }} as sleepers
left join {{ ref("int_dormancy_reason") }} as reasons
    on
        sleepers.as_of_date = reasons.as_of_date
        and sleepers.customer_id = reasons.customer_id
        and reasons.rank = 1
group by sleepers.as_of_date, sleepers.customer_id
having count(reasons.reason) != 1
