{{ config(meta={
    "dagster": {"ref": {"name": "recall_outcome"}},
    "remedy": "Look at the campaigns that differ in core.touch and int_touch_outcome for a touch that a join repeats or loses.",
    "shown": ["contact_cost_1", "incentive_cost_1"],
}) }}

-- What contacts cost is the sum over the touches: each contact, and each incentive that was redeemed.
with touched as (

    select
        touches.campaign_id,
        sum(touches.contact_cost) as contact_cost,
        sum(outcomes.incentive_cost) as incentive_cost
    from {{ ref("touch") }} as touches
    cross join {{ control("measured_until") }} as measured
    left join {{ ref("int_touch_outcome") }} as outcomes on touches.touch_id = outcomes.touch_id
    where
        not touches.is_control
        and (
            coalesce(touches.assigned_at < measured.newest, false)
            or coalesce(touches.sent_at < measured.known_until, false)
        )
    group by touches.campaign_id

),

told as (

    select
        campaign_id,
        sum(contact_cost) as contact_cost,
        sum(incentive_cost) as incentive_cost,
        sum(cost) as cost
    from {{ ref("recall_outcome") }}
    group by campaign_id

)

select *
from touched
full outer join told on touched.campaign_id = told.campaign_id
where
    touched.contact_cost is distinct from told.contact_cost
    or touched.incentive_cost is distinct from told.incentive_cost
    or told.cost is distinct from told.contact_cost + told.incentive_cost
