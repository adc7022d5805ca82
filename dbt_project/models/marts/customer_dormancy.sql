{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

select
    dormancy.as_of_date,
    dormancy.customer_id,
    dormancy.customer_kind,
    dormancy.method,
    dormancy.model_version,
    dormancy.model_category,
    dormancy.purchase_days,
    dormancy.expected_gap_days,
    dormancy.expected_next_purchase_on,
    dormancy.days_since_purchase,
    dormancy.days_since_activity,
    dormancy.p_alive,
    dormancy.p_active,
    dormancy.horizon_days,
    dormancy.theta,
    dormancy.seasonal,
    dormancy.dormant_from_date,
    dormancy.dormancy_state,
    dormancy.dormant_since,
    dormancy.dormancy_days,
    dormancy.value_tier,
    dormancy.expected_value,
    dormancy.purchase_margin,
    dormancy.episode_id,
    -- Who sleeps has a reason of rank 1, `unknown` where the evidence is thin; who is awake has none.
    reasons.reason as primary_reason,
    dormancy.explanation,
    dormancy.explanation_zh
from {{ ref("int_customer_dormancy") }} as dormancy
inner join {{ ref("int_reported_date") }} as dates on dormancy.as_of_date = dates.as_of_date
left join {{ ref("int_dormancy_reason") }} as reasons
    on
        dormancy.as_of_date = reasons.as_of_date
        and dormancy.customer_id = reasons.customer_id
        and reasons.rank = 1
