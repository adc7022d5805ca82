-- What our messages say: bounces, silence of the reader, permission taken back, and how many there were. Every
-- touch is there for bounces and openings, the good ones too: rules ask for shares.
with touches as (

    select
        touch_id,
        customer_id,
        channel,
        cast(sent_at as date) as sent_on,
        cast(bounced_at as date) as bounced_on,
        cast(delivered_at as date) as delivered_on,
        cast(least(opened_at, clicked_at, replied_at) as date) as opened_on,
        cast(unsubscribed_at as date) as unsubscribed_on,
        cast(complained_at as date) as complained_on
    from {{ ref("touch") }}
    where customer_id is not null

),

-- Where a channel tells nothing of openings, their absence means nothing.
opening_channel as (

    select
        channel,
        min(opened_on) as opened_from
    from touches
    where opened_on is not null
    group by channel

),

days as (

    select
        *,
        sum(messages) over (
            partition by customer_id order by contacted_on
            range between interval 27 days preceding and current row
        ) as messages_in_28_days
    from {{ ref("int_contact_day") }}

),

month_total as (

    select
        cast(date_trunc('month', contacted_on) as date) as month_on,
        sum(messages) as messages,
        count(distinct customer_id) as customers
    from {{ ref("int_contact_day") }}
    group by cast(date_trunc('month', contacted_on) as date)

),

usual as (

    -- Messages to a customer within a month that had any, over the twelve months with contacts before it.
    select
        month_on,
        sum(messages) over earlier / sum(customers) over earlier as usual_messages
    from month_total
    window earlier as (order by month_on rows between 12 preceding and 1 preceding)

)

select
    customer_id,
    'bounce' as fact,
    coalesce(bounced_on, sent_on) as happened_on,
    -- A message may go out twice under one touch: what arrived once has not bounced.
    cast(case when bounced_on is not null and delivered_on is null then 1 else 0 end as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.touch' as source_table,
    touch_id as source_key
from touches
where coalesce(bounced_on, sent_on) is not null
union all
select
    touches.customer_id,
    'days_unopened' as fact,
    touches.sent_on as happened_on,
    cast(null as double) as fact_value,
    touches.opened_on as ends_on,
    cast(null as varchar) as sub_reason,
    'core.touch' as source_table,
    touches.touch_id as source_key
from touches
inner join opening_channel
    on touches.channel = opening_channel.channel and touches.sent_on >= opening_channel.opened_from
where touches.bounced_on is null
union all
select
    customer_id,
    'unsubscribed' as fact,
    unsubscribed_on as happened_on,
    cast(1 as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.touch' as source_table,
    touch_id as source_key
from touches
where unsubscribed_on is not null
union all
select
    customer_id,
    'spam_complaint' as fact,
    complained_on as happened_on,
    cast(1 as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.touch' as source_table,
    touch_id as source_key
from touches
where complained_on is not null
union all
select
    days.customer_id,
    'messages_in_28_days' as fact,
    days.contacted_on as happened_on,
    cast(days.messages_in_28_days as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.touch' as source_table,
    days.touch_id as source_key
from days
left join usual on date_trunc('month', days.contacted_on) = usual.month_on
where days.messages_in_28_days > 2 * coalesce(usual.usual_messages, 0)
