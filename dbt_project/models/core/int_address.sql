-- Every address of every account, in normal form, with the last time it was stated.
with known as (

    select
        'ecommerce' as source,
        account_id as account_key,
        'email' as kind,
        email as address,
        coalesce(updated_at, registered_at) as stated_at
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'ecommerce' as source,
        account_id as account_key,
        'phone' as kind,
        phone as address,
        coalesce(updated_at, registered_at) as stated_at
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        'email' as kind,
        email as address,
        coalesce(updated_at, joined_at) as stated_at
    from {{ ref("stg_pos__members") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        'phone' as kind,
        phone as address,
        coalesce(updated_at, joined_at) as stated_at
    from {{ ref("stg_pos__members") }}
    union all
    select
        case when account_id is not null then 'ecommerce' else 'pos' end as source,
        coalesce(account_id, member_id) as account_key,
        'push' as kind,
        push_token as address,
        updated_at as stated_at
    from {{ ref("stg_web__devices") }}
    where enabled
    union all
    select
        'social' as source,
        account_key,
        'social' as kind,
        social_id as address,
        updated_at as stated_at
    from {{ ref("stg_social__accounts") }}
    union all
    select
        'service' as source,
        contact_key as account_key,
        'email' as kind,
        email as address,
        opened_at as stated_at
    from {{ ref("stg_service__tickets") }}
    where contact_key is not null
    union all
    select
        'service' as source,
        contact_key as account_key,
        'phone' as kind,
        phone as address,
        opened_at as stated_at
    from {{ ref("stg_service__tickets") }}
    where contact_key is not null

)

select
    accounts.customer_id,
    known.source,
    known.account_key,
    known.kind,
    known.address,
    max(cast(known.stated_at as timestamp)) as stated_at
from known
inner join {{ ref("customer_account") }} as accounts
    on known.source = accounts.source and known.account_key = accounts.account_key
where known.address is not null
group by accounts.customer_id, known.source, known.account_key, known.kind, known.address
