with newest as (

    {{ newest_by_key(source("raw", "devices"), ["device_id"], ["updated_at"]) }}

)

select
    device_id,
    account_id,
    member_id,
    push_token,
    vendor,
    enabled,
    updated_at
from newest
