-- Messages and calls of other tools: a row per customer chosen for a campaign and channel, the held-out ones
-- too (their arm is all there is of them), with the first time of whatever happened. A tool that reports no
-- sends has contacted whom it chose, on the day it chose them. Events of a campaign without a list of members
-- make their own touch.
with members as (

    select
        members.campaign_id,
        subjects.customer_id,
        members.channel,
        min(coalesce(members.arm, case when members.is_control then 'control' else 'treated' end)) as arm,
        min(members.offer_id) as offer_id,
        bool_or(members.is_control) as is_control,
        min(members.assigned_at) as assigned_at
    from {{ ref("stg_campaign__members") }} as members
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key and subjects.is_owner
    group by members.campaign_id, subjects.customer_id, members.channel

),

events as (

    select
        events.campaign_id,
        subjects.customer_id,
        events.channel,
        events.kind,
        min(events.occurred_at) as first_at
    from {{ ref("stg_campaign__events") }} as events
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key and subjects.is_owner
    where events.campaign_id is not null
    group by events.campaign_id, subjects.customer_id, events.channel, events.kind

),

-- An event without a channel (a coupon at the till) belongs to the customer's only touch of the campaign.
only_channel as (

    select
        campaign_id,
        customer_id,
        min(channel) as channel
    from members
    group by campaign_id, customer_id
    having count(*) = 1

),

happened as (

    select
        events.campaign_id,
        events.customer_id,
        coalesce(events.channel, only_channel.channel) as channel,
        {%- for kind in [
            "sent", "delivered", "opened", "clicked", "replied", "answered", "redeemed", "unsubscribed",
            "bounced", "complained",
        ] %}
        min(events.first_at) filter (where events.kind = '{{ kind }}') as {{ kind }}_at{{ "," if not loop.last }}
    {%- endfor %}
    from events
    left join only_channel
        on events.campaign_id = only_channel.campaign_id and events.customer_id = only_channel.customer_id
    group by events.campaign_id, events.customer_id, coalesce(events.channel, only_channel.channel)

),

reporting as (

    select distinct campaign_id from happened where sent_at is not null

),

touches as (

    select
        coalesce(members.campaign_id, happened.campaign_id) as campaign_id,
        coalesce(members.customer_id, happened.customer_id) as customer_id,
        coalesce(members.channel, happened.channel) as channel,
        coalesce(members.arm, 'treated') as arm,
        coalesce(members.is_control, false) as is_control,
        members.offer_id,
        members.assigned_at,
        happened.* exclude (campaign_id, customer_id, channel)
    from members
    full outer join happened
        on
            members.campaign_id = happened.campaign_id
            and members.customer_id = happened.customer_id
            and coalesce(members.channel, '') = coalesce(happened.channel, '')

)

select
    {{ stable_id("x_", ["touches.campaign_id", "touches.customer_id", "touches.channel"]) }} as touch_id,
    touches.campaign_id,
    touches.customer_id,
    touches.arm,
    touches.is_control,
    touches.channel,
    touches.offer_id,
    cast(touches.assigned_at as timestamp) as assigned_at,
    cast(coalesce(
        touches.sent_at,
        case when not touches.is_control and reporting.campaign_id is null then touches.assigned_at end
    ) as timestamp) as sent_at,
    {%- for kind in [
        "delivered", "opened", "clicked", "replied", "answered", "redeemed", "unsubscribed", "bounced",
        "complained",
    ] %}
    cast(touches.{{ kind }}_at as timestamp) as {{ kind }}_at{{ "," if not loop.last }}
{%- endfor %}
from touches
left join reporting on touches.campaign_id = reporting.campaign_id
