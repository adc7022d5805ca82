-- Messages and calls of other tools: a row per customer chosen for a campaign and channel, the held-out ones
-- too (their arm is all there is of them), with the first time of whatever happened. A tool that reports no
-- sends has contacted whom it chose, on the day it chose them. Events of a campaign without a list of members
-- make their own touch. So does each of our own sends and ghosts (ids t_), with the events that name it.
with recalled as (

    select
        touches.*,
        coalesce(aliases.customer_id, touches.customer_id) as current_id
    from {{ control("recall_touch") }} as touches
    left join {{ ref("customer_alias") }} as aliases on touches.customer_id = aliases.alias_id

),

answers as (

    select
        recalled.touch_id,
        {{ first_times("events.kind", "events.occurred_at") }},
        max(events.disposition) filter (where events.kind in ('answered', 'replied')) as disposition,
        sum(events.amount) filter (where events.kind = 'redeemed') as redeemed_amount
    from recalled
    inner join {{ ref("stg_campaign__events") }} as events on recalled.touch_id = events.touch_id
    group by recalled.touch_id

),

-- Where a tool reports sends at all, a send that it does not report has not happened.
reported as (

    select
        recalled.as_of_date,
        recalled.channel
    from recalled
    inner join answers on recalled.touch_id = answers.touch_id
    where answers.sent_at is not null
    group by recalled.as_of_date, recalled.channel

),

others as (

    select events.*
    from {{ ref("stg_campaign__events") }} as events
    left join recalled on events.touch_id = recalled.touch_id
    where events.campaign_id is not null and recalled.touch_id is null

),

members as (

    select
        members.campaign_id,
        subjects.customer_id,
        members.channel,
        min(coalesce(members.arm, case when members.is_control then 'control' else 'treated' end)) as arm,
        min(members.offer_id) as offer_id,
        bool_or(members.is_control) as is_control,
        min(members.assigned_at) as assigned_at,
        sum(members.cost) as contact_cost
    from {{ ref("stg_campaign__members") }} as members
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key and subjects.is_owner
    group by members.campaign_id, subjects.customer_id, members.channel

),

events as (

    select
        others.campaign_id,
        subjects.customer_id,
        others.channel,
        others.kind,
        min(others.occurred_at) as first_at,
        max(others.disposition) filter (where others.kind in ('answered', 'replied')) as disposition,
        sum(others.amount) filter (where others.kind = 'redeemed') as redeemed_amount
    from others
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key and subjects.is_owner
    group by others.campaign_id, subjects.customer_id, others.channel, others.kind

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
        {{ first_times("events.kind", "events.first_at") }},
        max(events.disposition) as disposition,
        sum(events.redeemed_amount) as redeemed_amount
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
        members.contact_cost,
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
        cast(touches.{{ kind }}_at as timestamp) as {{ kind }}_at,
    {%- endfor %}
    touches.disposition,
    cast(case when touches.is_control then 0 else coalesce(touches.contact_cost, 0) end as decimal(18, 2))
        as contact_cost,
    cast(touches.redeemed_amount as decimal(18, 2)) as redeemed_amount
from touches
left join reporting on touches.campaign_id = reporting.campaign_id
union all
select
    recalled.touch_id,
    recalled.campaign_id,
    recalled.current_id as customer_id,
    recalled.arm,
    recalled.decision = 'holdout' as is_control,
    recalled.channel,
    recalled.offer_id,
    cast(recalled.as_of_date as timestamp) as assigned_at,
    cast(coalesce(
        answers.sent_at,
        case when recalled.decision = 'send' and reported.channel is null then recalled.send_on end
    ) as timestamp) as sent_at,
    {%- for kind in [
        "delivered", "opened", "clicked", "replied", "answered", "redeemed", "unsubscribed", "bounced",
        "complained",
    ] %}
        cast(answers.{{ kind }}_at as timestamp) as {{ kind }}_at,
    {%- endfor %}
    answers.disposition,
    -- Messages of earlier versions did not say what they cost.
    cast(case
        when
            recalled.decision = 'send'
            and (answers.sent_at is not null or reported.channel is null)
            then coalesce(recalled.contact_cost, channels.unit_cost + channels.labour_cost)
        else 0
    end as decimal(18, 2)) as contact_cost,
    cast(answers.redeemed_amount as decimal(18, 2)) as redeemed_amount
from recalled
left join {{ ref("channel") }} as channels on recalled.channel = channels.channel
left join answers on recalled.touch_id = answers.touch_id
left join reported
    on recalled.as_of_date = reported.as_of_date and recalled.channel = reported.channel
