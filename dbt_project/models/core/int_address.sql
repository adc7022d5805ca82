-- Every address of every account, in normal form. `channel` is the channel that the address serves.
with known as (

    select
        'ecommerce' as source,
        account_id as account_key,
        'email' as kind,
        email as address
    from {{ ref("stg_ecommerce__customers") }}
    union
    select
        'ecommerce' as source,
        account_id as account_key,
        'phone' as kind,
        phone as address
    from {{ ref("stg_ecommerce__customers") }}
    union
    select
        'pos' as source,
        member_id as account_key,
        'email' as kind,
        email as address
    from {{ ref("stg_pos__members") }}
    union
    select
        'pos' as source,
        member_id as account_key,
        'phone' as kind,
        phone as address
    from {{ ref("stg_pos__members") }}
    union
    select
        case when account_id is not null then 'ecommerce' else 'pos' end as source,
        coalesce(account_id, member_id) as account_key,
        'push' as kind,
        push_token as address
    from {{ ref("stg_web__devices") }}
    where enabled
    union
    select
        'social' as source,
        account_key,
        'social' as kind,
        social_id as address
    from {{ ref("stg_social__accounts") }}
    union
    select
        'service' as source,
        contact_key as account_key,
        'email' as kind,
        email as address
    from {{ ref("stg_service__tickets") }}
    where contact_key is not null
    union
    select
        'service' as source,
        contact_key as account_key,
        'phone' as kind,
        phone as address
    from {{ ref("stg_service__tickets") }}
    where contact_key is not null

)

select
    accounts.customer_id,
    known.source,
    known.account_key,
    known.kind,
    known.address
from known
inner join {{ ref("customer_account") }} as accounts
    on known.source = accounts.source and known.account_key = accounts.account_key
where known.address is not null
