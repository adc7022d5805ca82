with newest as (

    {{ newest_by_key(source("raw", "consents"), ["consent_id"], ["recorded_at"]) }}

)

select
    consent_id,
    account_id,
    member_id,
    {{ normal_address("address") }} as address,
    channel,
    purpose,
    status,
    basis,
    recorded_at
from newest
