-- Who sleeps on the run's dates, and the days at which evidence is looked for: the last purchase of the
-- customer's own accord, the last purchase, and the day of falling asleep. A purchase that a recall of ours
-- brought after a long silence, and what followed it soon, is no new beginning: the causes lie before it. Who
-- never bought may have been put off at any time since they were first seen.
with sleepers as (

    select
        dormancy.as_of_date,
        dormancy.customer_id,
        dormancy.last_purchase_on,
        dormancy.dormant_from_date as asleep_on
    from {{ ref("int_customer_dormancy") }} as dormancy
    inner join {{ ref("int_reported_date") }} as dates on dormancy.as_of_date = dates.as_of_date
    where dormancy.dormancy_state in ('dormant', 'deep_dormant', 'lost')

),

purchases as (

    select
        sleepers.as_of_date,
        sleepers.customer_id,
        days.purchased_on,
        lag(days.purchased_on) over (
            partition by sleepers.as_of_date, sleepers.customer_id order by days.purchased_on
        ) as before_on
    from sleepers
    inner join {{ ref("int_kept_day") }} as days
        on
            sleepers.customer_id = days.customer_id
            and sleepers.as_of_date >= days.purchased_on
            and (days.emptied_on is null or sleepers.as_of_date < days.emptied_on)

),

recalls as (

    select
        customer_id,
        cast(sent_at as date) as recalled_on
    from {{ ref("touch") }}
    where assigned_at is not null and sent_at is not null and not is_control

),

brought as (

    select distinct
        purchases.as_of_date,
        purchases.customer_id,
        purchases.purchased_on
    from purchases
    inner join recalls
        on
            purchases.customer_id = recalls.customer_id
            and purchases.purchased_on >= recalls.recalled_on
            and purchases.purchased_on <= {{ add_days("recalls.recalled_on", 30) }}
            and purchases.before_on < {{ add_days("recalls.recalled_on", -45) }}

),

own as (

    select
        purchases.as_of_date,
        purchases.customer_id,
        max(purchases.purchased_on) as own_purchase_on
    from purchases
    left join brought
        on
            purchases.as_of_date = brought.as_of_date
            and purchases.customer_id = brought.customer_id
            and purchases.purchased_on >= brought.purchased_on
            and purchases.purchased_on <= {{ add_days("brought.purchased_on", 80) }}
    where brought.customer_id is null
    group by purchases.as_of_date, purchases.customer_id

)

select
    sleepers.as_of_date,
    sleepers.customer_id,
    coalesce(own.own_purchase_on, sleepers.last_purchase_on, customers.first_seen_on) as anchor_on,
    sleepers.last_purchase_on,
    sleepers.asleep_on,
    -- The end of the windows that go by falling asleep.
    case when sleepers.last_purchase_on is null then sleepers.as_of_date else sleepers.asleep_on end as until_on
from sleepers
inner join {{ ref("customer") }} as customers on sleepers.customer_id = customers.customer_id
left join own
    on sleepers.as_of_date = own.as_of_date and sleepers.customer_id = own.customer_id
