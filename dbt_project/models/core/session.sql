-- Visits: events of a visitor with no more than half an hour between them. A visit belongs to the customer who
-- logged in during it, else to the one whose machine it is.
with events as (

    select
        *,
        lag(occurred_at) over (partition by visitor_id order by occurred_at, event_id) as occurred_before
    from {{ ref("stg_web__events") }}

),

marked as (

    select
        *,
        coalesce({{ seconds_between("occurred_before", "occurred_at") }} > 30 * 60, true) as is_first
    from events

),

numbered as (

    select
        *,
        sum(case when is_first then 1 else 0 end) over (
            partition by visitor_id order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as visit_no
    from marked

),

visits as (

    select
        visitor_id,
        visit_no,
        min(case when is_first then event_id end) as first_event_id,
        -- Two people who log in from one machine within one visit: the first one has it.
        arg_min(account_id, occurred_at) filter (where account_id is not null) as account_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as events,
        count(*) filter (where kind = 'view') as views,
        count(*) filter (where kind = 'cart') as carts,
        count(*) filter (where touch_id is not null) > 0 as is_through_touch
    from numbered
    group by visitor_id, visit_no

)

select
    'v:' || visits.first_event_id as session_id,
    coalesce(accounts.customer_id, visitors.customer_id) as customer_id,
    cast(visits.started_at as timestamp) as started_at,
    cast(visits.ended_at as timestamp) as ended_at,
    cast(visits.events as integer) as events,
    cast(visits.views as integer) as views,
    cast(visits.carts as integer) as carts,
    visits.is_through_touch
from visits
left join {{ ref("customer_account") }} as accounts
    on accounts.source = 'ecommerce' and visits.account_id = accounts.account_key
left join {{ ref("int_visitor") }} as visitors on visits.visitor_id = visitors.visitor_id
