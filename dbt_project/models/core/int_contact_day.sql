-- Days on which a customer was sent something, and how much: core.touch has the first time of each event only.
-- Touches of tools that report no sends count as one message on their day.
with events as (

    select
        events.campaign_id,
        subjects.customer_id,
        cast(events.occurred_at as date) as contacted_on,
        count(*) as messages
    from {{ ref("stg_campaign__events") }} as events
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key and subjects.is_owner
    where events.kind = 'sent' and events.campaign_id is not null
    group by events.campaign_id, subjects.customer_id, cast(events.occurred_at as date)

),

touches as (

    select
        campaign_id,
        customer_id,
        min(touch_id) as touch_id,
        min(cast(sent_at as date)) as sent_on
    from {{ ref("touch") }}
    where sent_at is not null and starts_with(touch_id, 'x_')
    group by campaign_id, customer_id

),

sent as (

    select
        touches.customer_id,
        touches.touch_id,
        coalesce(events.contacted_on, touches.sent_on) as contacted_on,
        coalesce(events.messages, 1) as messages
    from touches
    left join events
        on touches.campaign_id = events.campaign_id and touches.customer_id = events.customer_id
    union all
    -- Our own, one by one.
    select
        customer_id,
        touch_id,
        cast(sent_at as date) as contacted_on,
        1 as messages
    from {{ ref("touch") }}
    where sent_at is not null and starts_with(touch_id, 't_')

)

select
    customer_id,
    contacted_on,
    min(touch_id) as touch_id,
    sum(messages) as messages
from sent
group by customer_id, contacted_on
