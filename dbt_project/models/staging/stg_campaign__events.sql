with newest as (

    {{ newest_by_key(source("raw", "campaign_events"), ["event_id"], ["occurred_at"]) }}

)

select
    event_id,
    touch_id,
    campaign_id,
    account_id,
    member_id,
    {{ normal_address("address") }} as address,
    channel,
    occurred_at,
    kind,
    disposition,
    coupon_code,
    amount
from newest
