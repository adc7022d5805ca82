-- How many were drawn for each arm of a campaign, those whose window is still open included, and which share was to be.
select
    campaign_id,
    arm,
    bool_or(is_control) as is_control,
    -- People who share an address were drawn together.
    count(distinct coalesce(holdout_period, '') || '|' || unit_id) as units,
    case when count(*) = count(planned_share) then {{ whole_sum("planned_share") }} / count(*) end as planned_share
from {{ ref("int_experiment_unit") }}
group by campaign_id, arm
