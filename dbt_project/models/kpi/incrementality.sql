-- What contacts brought beyond what would have come anyway.
select
    measured.newest as measured_on,
    campaign_id,
    arm,
    control_arm,
    segment_dim,
    segment,
    metric,
    method,
    cast(window_days as integer) as window_days,
    cast(treated as bigint) as treated,
    cast(holdout as bigint) as holdout,
    treated_rate,
    holdout_rate,
    lift,
    std_error,
    ci_low,
    ci_high,
    p_value,
    adjusted_p_value,
    srm_p_value,
    minimum_detectable_effect,
    cast(incremental_revenue as decimal(18, 2)) as incremental_revenue,
    incremental_roi,
    matured_on,
    verdict
from {{ ref("int_measured_effect") }}
cross join {{ control("measured_until") }} as measured
