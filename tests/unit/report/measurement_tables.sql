-- The tables of measurement with the columns and types in which they are published.

create or replace table kpi.recall_outcome (
    as_of_date date, period_start date, campaign_id varchar, journey varchar, step integer, template_id varchar,
    guide_class varchar, dormancy_reason varchar, value_tier varchar, channel varchar, offer_id varchar, targeted bigint,
    sent bigint, delivered bigint, opened bigint, clicked bigint, responded bigint, woken bigint, converted bigint,
    orders bigint, revenue decimal(18, 2), margin decimal(18, 2), cost decimal(18, 2), contact_cost decimal(18, 2),
    incentive_cost decimal(18, 2), unsubscribed bigint, complained bigint, response_rate double, wake_up_rate double,
    conversion_rate double, average_order_value decimal(18, 2), roi double, unsubscribe_rate double, matured boolean
);

create or replace table kpi.incrementality (
    campaign_id varchar, arm varchar, control_arm varchar, segment_dim varchar, segment varchar, metric varchar,
    method varchar, window_days integer, treated bigint, holdout bigint, treated_rate double, holdout_rate double,
    lift double, std_error double, ci_low double, ci_high double, p_value double, adjusted_p_value double,
    srm_p_value double, minimum_detectable_effect double, incremental_revenue decimal(18, 2), incremental_roi double,
    matured_on date, verdict varchar
);

create or replace table kpi.redormancy (
    cohort date, woken_by varchar, woken bigint, asleep_again bigint, median_days double, same_reason_share double,
    net_revenue decimal(18, 2)
);

create or replace table kpi.cohort_retention (
    cohort_month date, month integer, customers bigint, active bigint, net_revenue decimal(18, 2)
);

create or replace table kpi.channel_preference (
    segment_dim varchar, segment varchar, channel varchar, offer_kind varchar, touches bigint, responses bigint,
    smoothed_rate double, low double, high double, episodes bigint, holdouts bigint, lift double, lift_low double,
    lift_high double
);

create or replace table kpi.target (
    metric varchar, direction varchar, target double, actual double, met boolean, period_days integer,
    description varchar, description_zh varchar
);
