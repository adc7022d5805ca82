-- A visit belongs to the customer who logged in during it, else to the one whose machine it is.
select
    'v:' || visits.first_event_id as session_id,
    coalesce(accounts.customer_id, visitors.customer_id) as customer_id,
    cast(visits.started_at as timestamp) as started_at,
    cast(visits.ended_at as timestamp) as ended_at,
    cast(visits.events as integer) as events,
    cast(visits.views as integer) as views,
    cast(visits.carts as integer) as carts,
    visits.is_through_touch
from {{ ref("int_visit") }} as visits
left join {{ ref("customer_account") }} as accounts
    on accounts.source = 'ecommerce' and visits.account_id = accounts.account_key
left join {{ ref("int_visitor") }} as visitors on visits.visitor_id = visitors.visitor_id
