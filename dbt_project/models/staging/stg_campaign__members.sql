with newest as (

    {{ newest_by_key(
        source("raw", "campaign_members"), ["campaign_id", "account_id", "member_id", "address"], ["assigned_at"]
    ) }}

)

select
    campaign_id,
    account_id,
    member_id,
    {{ normal_address("address") }} as address,
    arm,
    is_control,
    channel,
    offer_id,
    assigned_at,
    cost
from newest
