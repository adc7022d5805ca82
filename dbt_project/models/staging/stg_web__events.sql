with newest as (

    {{ newest_by_key(source("raw", "web_events"), ["event_id"], ["occurred_at"]) }}

)

select
    event_id,
    visitor_id,
    account_id,
    occurred_at,
    cast(occurred_at as date) as occurred_on,
    kind,
    product_id,
    category,
    cast(dwell_seconds as integer) as dwell_seconds,
    touch_id
from newest
