with newest as (

    {{ newest_by_key(source("raw", "social_accounts"), ["platform", "social_id"], ["updated_at"]) }}

)

select
    platform,
    social_id,
    platform || ':' || social_id as account_key,
    account_id,
    member_id,
    verified,
    group_member,
    updated_at
from newest
