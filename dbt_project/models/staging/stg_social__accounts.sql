-- Analysts see the keys of accounts; a name on a platform would tell them the person.
with newest as (

    {{ newest_by_key(source("raw", "social_accounts"), ["platform", "social_id"], ["updated_at"]) }}

)

select
    newest.platform,
    newest.social_id,
    newest.platform
    || ':'
    || {{ stable_id("o_", ["secrets.private_key", "newest.platform", "newest.social_id"]) }} as account_key,
    newest.account_id,
    newest.member_id,
    newest.verified,
    newest.group_member,
    newest.updated_at
from newest
cross join {{ control("private_key") }} as secrets
