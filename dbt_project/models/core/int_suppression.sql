-- Channels in which a customer must not be contacted any more, with what closed them first: who unsubscribed or
-- complained, and addresses that bounced, known from today's events or kept from earlier ones. An event of one
-- kind of social channel closes all of them.
with closing as (

    select
        subjects.customer_id,
        reach.channel,
        events.kind,
        cast(events.occurred_at as timestamp) as since
    from {{ ref("stg_campaign__events") }} as events
    inner join {{ ref("reach_channel") }} as reach on events.channel = reach.campaign_channel
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key
    where events.kind in ('unsubscribed', 'complained', 'bounced')
    union all
    -- An answer to a message of ours may name the message alone.
    {%- for kind in ["unsubscribed", "complained", "bounced"] %}
        select
            touches.customer_id,
            reach.channel,
            '{{ kind }}' as kind,
            touches.{{ kind }}_at as since
        from {{ ref("touch") }} as touches
        inner join {{ ref("reach_channel") }} as reach on touches.channel = reach.campaign_channel
        where starts_with(touches.touch_id, 't_') and touches.{{ kind }}_at is not null
        union all
    {%- endfor %}
    select
        addresses.customer_id,
        suppressed.channel,
        suppressed.kind,
        suppressed.since
    from {{ ref("int_address") }} as addresses
    inner join {{ ref("int_suppressed_address") }} as suppressed
        on {{ address_key("addresses.kind", "addresses.address") }} = suppressed.address_key

)

select
    customer_id,
    channel,
    kind,
    since
from closing
qualify row_number() over (partition by customer_id, channel order by since asc, kind asc) = 1
