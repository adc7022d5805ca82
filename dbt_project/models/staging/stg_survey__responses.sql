with newest as (

    {{ newest_by_key(source("raw", "survey_responses"), ["response_id"], ["answered_at"]) }}

)

select
    response_id,
    account_id,
    member_id,
    {{ normal_address("address") }} as address,
    touch_id,
    answered_at,
    cast(answered_at as date) as answered_on,
    reason_code,
    score
from newest
