-- Arms that were drawn: one row per customer and episode, on the day of the first send or ghost. What was drawn
-- on emitted dates is in the lake; today's draws follow it there when the date is emitted.
with drawn as (

    select
        decisions.unit_id,
        decisions.customer_id,
        decisions.holdout_period,
        decisions.arm,
        decisions.as_of_date as assigned_on,
        decisions.episode_id,
        decisions.control_share
    from {{ ref("int_recall_decision") }} as decisions
    left join {{ control("arm_assignment") }} as assignments
        on
            decisions.customer_id = assignments.customer_id
            and decisions.episode_id = assignments.episode_id
    where
        decisions.decision in ('send', 'holdout')
        and not decisions.simulated
        and not decisions.is_frozen
        and assignments.customer_id is null

)

select
    unit_id,
    customer_id,
    holdout_period,
    arm,
    assigned_on,
    episode_id,
    control_share
from drawn
union all
select
    unit_id,
    customer_id,
    holdout_period,
    arm,
    assigned_on,
    episode_id,
    control_share
from {{ control("arm_assignment") }}
