-- One account is one customer here; links between accounts are the identity stage's business.
-- Accounts that only orders, receipts, tickets or campaigns name are accounts too: a profile may bind any
-- subset of the feeds. Who wrote to the help desk without an account is an account of the help desk; its key is
-- a hash of the address, since analysts see the keys. A social account without another one is an account of its
-- platform.
with named as (

    select
        account_id,
        member_id
    from {{ ref("stg_service__tickets") }}
    union all
    select
        account_id,
        member_id
    from {{ ref("stg_web__devices") }}
    union all
    select
        account_id,
        member_id
    from {{ ref("stg_social__accounts") }}
    union all
    select
        account_id,
        member_id
    from {{ ref("stg_campaign__members") }}
    union all
    select
        account_id,
        member_id
    from {{ ref("stg_campaign__events") }}
    union all
    select
        account_id,
        member_id
    from {{ ref("stg_consent__consents") }}
    union all
    select
        account_id,
        member_id
    from {{ ref("stg_survey__responses") }}
    union all
    select
        account_id,
        null as member_id
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        account_id,
        null as member_id
    from {{ ref("stg_ecommerce__orders") }}
    union all
    select
        account_id,
        null as member_id
    from {{ ref("stg_web__events") }}
    union all
    select
        null as account_id,
        member_id
    from {{ ref("stg_pos__members") }}
    union all
    select
        null as account_id,
        member_id
    from {{ ref("stg_pos__sales") }}

),

accounts as (

    select
        'ecommerce' as source,
        account_id as account_key
    from named where account_id is not null
    union
    select
        'pos' as source,
        member_id as account_key
    from named where member_id is not null
    union
    select
        'service' as source,
        {{ stable_id("s_", ["coalesce(email, phone)"]) }} as account_key
    from {{ ref("stg_service__tickets") }}
    where account_id is null and member_id is null and coalesce(email, phone) is not null
    union
    select
        'social' as source,
        platform || ':' || social_id as account_key
    from {{ ref("stg_social__accounts") }}
    where account_id is null and member_id is null

)

select
    source,
    account_key,
    {{ stable_id("c_", ["source", "account_key"]) }} as customer_id
from accounts
