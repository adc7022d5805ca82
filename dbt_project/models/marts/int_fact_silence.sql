-- That nothing happened is a fact only where something would have been seen: silence counts from the first day
-- on which the shop's own logs of contacts and of visits both exist, and from when the customer was first seen.
-- A visit that ended in a purchase is part of the purchase. Who never bought, was never written to and never
-- came by has nothing that could fade.
with sleepers as (

    select * from {{ ref("int_sleeper") }}

),

logged as (

    select
        greatest(
            (select min(contacted_on) from {{ ref("int_contact_day") }}),
            (select min(cast(started_at as date)) from {{ ref("session") }})
        ) as logged_from
    where
        exists (select 1 from {{ ref("int_contact_day") }})
        and exists (select 1 from {{ ref("session") }})

),

signs as (

    select
        customer_id,
        contacted_on as seen_on
    from {{ ref("int_contact_day") }}
    union
    select
        visits.customer_id,
        cast(visits.started_at as date) as seen_on
    from {{ ref("session") }} as visits
    left join {{ ref("int_kept_day") }} as purchases
        on
            visits.customer_id = purchases.customer_id
            and cast(visits.started_at as date) = purchases.purchased_on
    where visits.customer_id is not null and purchases.customer_id is null

),

-- A rule for the silence since then counts only where the one before is long enough.
wanted as (

    select min(threshold) as silent_days
    from {{ ref("reason_rule") }}
    where fact = 'days_silent_before'

),

silence as (

    select
        sleepers.as_of_date,
        sleepers.customer_id,
        sleepers.asleep_on,
        sleepers.last_purchase_on,
        max(signs.seen_on) filter (where signs.seen_on <= sleepers.asleep_on) as last_on,
        count(signs.seen_on) filter (where signs.seen_on > sleepers.asleep_on) as signs_since
    from sleepers
    left join signs
        on sleepers.customer_id = signs.customer_id and sleepers.as_of_date >= signs.seen_on
    group by sleepers.as_of_date, sleepers.customer_id, sleepers.asleep_on, sleepers.last_purchase_on

),

measured as (

    select
        silence.as_of_date,
        silence.customer_id,
        silence.asleep_on,
        silence.signs_since,
        {{ days_between(
            "greatest(silence.last_on, logged.logged_from, customers.first_seen_on)", "silence.asleep_on"
        ) }} as days_before,
        {{ days_between("silence.asleep_on", "silence.as_of_date") }} as days_since
    from silence
    cross join logged
    inner join {{ ref("customer") }} as customers on silence.customer_id = customers.customer_id
    where coalesce(silence.last_purchase_on, silence.last_on) is not null

)

select
    as_of_date,
    customer_id,
    'days_silent_before' as fact,
    asleep_on as happened_on,
    cast(days_before as double) as fact_value,
    'core.customer' as source_table,
    customer_id as source_key
from measured
union all
select
    measured.as_of_date,
    measured.customer_id,
    'days_silent_since' as fact,
    measured.asleep_on as happened_on,
    cast(measured.days_since as double) as fact_value,
    'core.customer' as source_table,
    measured.customer_id as source_key
from measured
inner join wanted on measured.days_before >= wanted.silent_days
where measured.signs_since = 0
union all
-- Not an event, but a silence too: there is no address to which anything could have gone.
select
    sleepers.as_of_date,
    sleepers.customer_id,
    'no_address' as fact,
    sleepers.anchor_on as happened_on,
    cast(1 as double) as fact_value,
    'core.customer' as source_table,
    sleepers.customer_id as source_key
from sleepers
left join {{ ref("int_address") }} as addresses on sleepers.customer_id = addresses.customer_id
where addresses.customer_id is null
