-- What contacts brought, by the day they were decided on and whatever tells them apart. Only who was to be
-- contacted is counted: what would have come anyway is in kpi.incrementality.
-- dbt runs a test with the last of the tables that it compares, when the others are parents of what is built:
-- depends_on: {{ ref("order_line") }}
with counted as (

    select
        as_of_date,
        campaign_id,
        journey,
        step,
        template_id,
        guide_class,
        dormancy_reason,
        value_tier,
        channel,
        offer_id,
        count(*) as targeted,
        count(*) filter (where is_sent) as sent,
        count(*) filter (where is_sent and is_delivered) as delivered,
        count(*) filter (where is_sent and is_delivered and is_opened) as opened,
        count(*) filter (where is_sent and is_delivered and is_clicked) as clicked,
        count(*) filter (where is_responded) as responded,
        count(*) filter (where is_woken) as woken,
        count(*) filter (where is_converted) as converted,
        sum(orders) as orders,
        sum(revenue) as revenue,
        sum(margin) as margin,
        sum(contact_cost) as contact_cost,
        sum(incentive_cost) as incentive_cost,
        count(*) filter (where is_unsubscribed) as unsubscribed,
        count(*) filter (where is_complained) as complained,
        bool_and(is_matured) as matured
    from {{ ref("int_touch_outcome") }}
    group by
        as_of_date, campaign_id, journey, step, template_id, guide_class, dormancy_reason, value_tier, channel,
        offer_id

)

select
    as_of_date,
    cast(date_trunc('month', as_of_date) as date) as period_start,
    campaign_id,
    journey,
    cast(step as integer) as step,
    template_id,
    guide_class,
    dormancy_reason,
    value_tier,
    channel,
    offer_id,
    cast(targeted as bigint) as targeted,
    cast(sent as bigint) as sent,
    cast(delivered as bigint) as delivered,
    cast(opened as bigint) as opened,
    cast(clicked as bigint) as clicked,
    cast(responded as bigint) as responded,
    cast(woken as bigint) as woken,
    cast(converted as bigint) as converted,
    cast(orders as bigint) as orders,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(margin as decimal(18, 2)) as margin,
    cast(contact_cost + incentive_cost as decimal(18, 2)) as cost,
    cast(contact_cost as decimal(18, 2)) as contact_cost,
    cast(incentive_cost as decimal(18, 2)) as incentive_cost,
    cast(unsubscribed as bigint) as unsubscribed,
    cast(complained as bigint) as complained,
    cast(responded as double) / nullif(delivered, 0) as response_rate,
    cast(woken as double) / targeted as wake_up_rate,
    cast(converted as double) / targeted as conversion_rate,
    cast(cast(revenue as double) / nullif(orders, 0) as decimal(18, 2)) as average_order_value,
    cast(margin - contact_cost - incentive_cost as double) / nullif(cast(contact_cost + incentive_cost as double), 0)
        as roi,
    cast(unsubscribed as double) / nullif(delivered, 0) as unsubscribe_rate,
    matured
from counted
