-- A reason's score is the sum of its evidence, to the last digit, and nothing else has a score.
with summed as (

    select
        as_of_date,
        customer_id,
        reason,
        sum(contribution) as score
    from {{ ref("int_reason_evidence") }}
    group by as_of_date, customer_id, reason

),

scored as (

    select
        as_of_date,
        customer_id,
        reason,
        cast(score as decimal(6, 4)) as score
    from {{ ref("int_dormancy_reason") }}

)

select
    coalesce(scored.as_of_date, summed.as_of_date) as as_of_date,
    coalesce(scored.customer_id, summed.customer_id) as customer_id,
    coalesce(scored.reason, summed.reason) as reason,
    scored.score,
    summed.score as evidence_score
from scored
full outer join summed
    on
        scored.as_of_date = summed.as_of_date
        and scored.customer_id = summed.customer_id
        and scored.reason = summed.reason
where
    coalesce(scored.score, -1) != coalesce(summed.score, 0)
    or scored.score > 1
