-- Every contact that counts for the caps: our sends and ghosts, and what other tools have sent, of a quarter
-- before the run's dates. `counts_from` is the first as-of date that knows of it.
with dates as (

    select
        min(as_of_date) as first_date,
        max(as_of_date) as last_date
    from {{ control("decision_date") }}

),

events as (

    select
        subjects.customer_id,
        events.channel,
        events.address,
        cast(events.occurred_at as timestamp) as sent_at
    from {{ ref("stg_campaign__events") }} as events
    inner join {{ ref("int_subject") }} as subjects on {{ subject_key() }} = subjects.subject_key
    left join {{ control("recall_touch") }} as recalled on events.touch_id = recalled.touch_id
    where events.kind = 'sent' and events.channel is not null and recalled.touch_id is null

),

reporting as (

    select distinct campaign_id
    from {{ ref("stg_campaign__events") }}
    where kind = 'sent'

),

-- Tools that report whom they chose but no sends.
chosen as (

    select
        touches.customer_id,
        touches.channel,
        cast(null as varchar) as address,
        touches.sent_at
    from {{ ref("touch") }} as touches
    left join reporting on touches.campaign_id = reporting.campaign_id
    where
        touches.sent_at is not null
        and touches.channel is not null
        and starts_with(touches.touch_id, 'x_')
        and reporting.campaign_id is null

),

others as (

    select * from events
    union all
    select * from chosen

)

select
    others.customer_id,
    others.channel,
    coalesce(
        case when others.address is not null then {{ address_key("reach.address_kind", "others.address") }} end,
        addresses.address_key
    ) as address_key,
    cast(others.sent_at as date) as send_on,
    cast(others.sent_at as date) as counts_from,
    others.sent_at
from others
cross join dates
left join {{ ref("reach_channel") }} as reach on others.channel = reach.campaign_channel
left join {{ ref("int_contact_address") }} as addresses
    on others.customer_id = addresses.customer_id and others.channel = addresses.channel
where others.sent_at >= {{ add_days("dates.first_date", -91) }}
union all
select
    coalesce(aliases.customer_id, recalled.customer_id) as customer_id,
    recalled.channel,
    recalled.address_key,
    recalled.send_on,
    {{ add_days("recalled.as_of_date", 1) }} as counts_from,
    cast(null as timestamp) as sent_at
from {{ control("recall_touch") }} as recalled
cross join dates
left join {{ ref("customer_alias") }} as aliases on recalled.customer_id = aliases.alias_id
where recalled.send_on >= {{ add_days("dates.first_date", -91) }} and recalled.as_of_date < dates.last_date
