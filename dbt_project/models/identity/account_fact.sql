-- Every account of every channel, with what is known of its holder. Accounts that only orders, receipts,
-- tickets or campaigns name are accounts too: a profile may bind any subset of the feeds. Who wrote to the help
-- desk without an account is a contact of the help desk; its key is a hash of the address, since analysts see
-- the keys.
with mentions as (

    select
        'ecommerce' as source,
        account_id as account_key,
        registered_at as seen_at
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        joined_at as seen_at
    from {{ ref("stg_pos__members") }}
    union all
    select
        'ecommerce' as source,
        account_id as account_key,
        ordered_at as seen_at
    from {{ ref("stg_ecommerce__orders") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        sold_at as seen_at
    from {{ ref("stg_pos__sales") }}
    union all
    select
        'ecommerce' as source,
        account_id as account_key,
        occurred_at as seen_at
    from {{ ref("stg_web__events") }}
    {%- for model, seen_at in [
        ("stg_service__tickets", "opened_at"),
        ("stg_web__devices", "updated_at"),
        ("stg_social__accounts", "updated_at"),
        ("stg_campaign__members", "assigned_at"),
        ("stg_campaign__events", "occurred_at"),
        ("stg_consent__consents", "recorded_at"),
        ("stg_survey__responses", "answered_at"),
    ] %}
        union all
        select
            'ecommerce' as source,
            account_id as account_key,
            {{ seen_at }} as seen_at
        from {{ ref(model) }}
        union all
        select
            'pos' as source,
            member_id as account_key,
            {{ seen_at }} as seen_at
        from {{ ref(model) }}
    {%- endfor %}
    union all
    select
        'service' as source,
        contact_key as account_key,
        opened_at as seen_at
    from {{ ref("stg_service__tickets") }}
    union all
    select
        'social' as source,
        account_key,
        updated_at as seen_at
    from {{ ref("stg_social__accounts") }}

),

accounts as (

    select
        source,
        account_key,
        min(seen_at) as opened_at
    from mentions
    where account_key is not null
    group by source, account_key

),

holders as (

    select
        'ecommerce' as source,
        account_id as account_key,
        name,
        birth_date,
        sex,
        city,
        email,
        phone
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        name,
        birth_date,
        sex,
        city,
        email,
        phone
    from {{ ref("stg_pos__members") }}

)

select
    accounts.source || ':' || accounts.account_key as account_id,
    accounts.source,
    accounts.account_key,
    accounts.opened_at,
    accounts.source = 'service' as is_contact,
    struct_pack(form := names.form, han := names.han, family := names.family, given := names.given) as name,
    holders.birth_date,
    holders.sex,
    holders.city,
    holders.email as email_form,
    holders.phone as phone_form
from accounts
left join holders on accounts.source = holders.source and accounts.account_key = holders.account_key
left join {{ source("identity", "name_form") }} as names on holders.name = names.spelling
