-- Channels in which a customer must not be contacted any more: who unsubscribed or complained, and addresses
-- that bounced. An event of one kind of social channel closes all of them.
with closing as (

    select distinct
        subjects.customer_id,
        reach.channel
    from {{ ref("stg_campaign__events") }} as events
    inner join {{ ref("reach_channel") }} as reach on events.channel = reach.campaign_channel
    inner join {{ ref("int_subject") }} as subjects
        on {{ subject_key() }} = subjects.subject_key
    where events.kind in ('unsubscribed', 'complained', 'bounced')

)

select
    customer_id,
    channel
from closing
