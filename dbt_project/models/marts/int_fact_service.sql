-- What help-desk contacts say about why somebody stays away. A fact with an open end has no value of its own:
-- it counts the days until `ends_on`, or until the as-of date.
with tickets as (

    select
        ticket_id,
        customer_id,
        kind,
        topic,
        rating,
        cast(opened_at as date) as opened_on,
        cast(closed_at as date) as closed_on
    from {{ ref("ticket") }}
    where customer_id is not null

)

select
    customer_id,
    'complaint' as fact,
    opened_on as happened_on,
    cast(1 as double) as fact_value,
    cast(null as date) as ends_on,
    case when topic in ('delivery', 'product', 'service') then topic end as sub_reason,
    'core.ticket' as source_table,
    ticket_id as source_key
from tickets
where kind = 'complaint'
union all
select
    customer_id,
    'ticket_rating' as fact,
    opened_on as happened_on,
    cast(rating as double) as fact_value,
    cast(null as date) as ends_on,
    case when topic in ('delivery', 'product', 'service') then topic end as sub_reason,
    'core.ticket' as source_table,
    ticket_id as source_key
from tickets
where rating is not null
union all
select
    customer_id,
    'days_to_resolution' as fact,
    opened_on as happened_on,
    cast(null as double) as fact_value,
    closed_on as ends_on,
    case when topic in ('delivery', 'product', 'service') then topic end as sub_reason,
    'core.ticket' as source_table,
    ticket_id as source_key
from tickets
union all
select
    customer_id,
    'price_enquiry' as fact,
    opened_on as happened_on,
    cast(1 as double) as fact_value,
    cast(null as date) as ends_on,
    cast(null as varchar) as sub_reason,
    'core.ticket' as source_table,
    ticket_id as source_key
from tickets
where topic = 'price'
