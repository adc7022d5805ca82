with newest as (

    {{ newest_by_key(source("raw", "service_tickets"), ["ticket_id"], ["updated_at", "opened_at"]) }}

)

select
    ticket_id,
    account_id,
    member_id,
    {{ normal_address("email") }} as email,
    {{ normal_address("phone") }} as phone,
    channel,
    kind,
    topic,
    opened_at,
    cast(opened_at as date) as opened_on,
    closed_at,
    product_id,
    order_id,
    cast(rating as integer) as rating
from newest
