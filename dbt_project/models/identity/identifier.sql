-- What accounts can be told to be one person's by. An identifier of kind `account` is an account itself: it is
-- carried by that account and by those that the shop's own records name together with it.
with named_together as (

    {%- for model in [
        "stg_service__tickets", "stg_web__devices", "stg_social__accounts", "stg_campaign__members",
        "stg_campaign__events", "stg_consent__consents", "stg_survey__responses",
    ] %}
        {{ "union" if not loop.first }}
        select
            account_id,
            member_id
        from {{ ref(model) }}
        where account_id is not null and member_id is not null
    {%- endfor %}

),

carried as (

    select
        'ecommerce:' || account_id as account_id,
        'email' as kind,
        email as value,
        coalesce(email_verified, false) as is_verified
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'ecommerce:' || account_id as account_id,
        'phone' as kind,
        phone as value,
        false as is_verified
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'pos:' || member_id as account_id,
        'email' as kind,
        email as value,
        false as is_verified
    from {{ ref("stg_pos__members") }}
    union all
    select
        'pos:' || member_id as account_id,
        'phone' as kind,
        phone as value,
        false as is_verified
    from {{ ref("stg_pos__members") }}
    union all
    select
        'pos:' || member_id as account_id,
        'card' as kind,
        card_no as value,
        true as is_verified
    from {{ ref("stg_pos__members") }}
    {%- for kind in ["email", "phone"] %}
        union all
        -- Who writes from an address has it; who calls from a number has it in the hand.
        select
            case
                when account_id is not null then 'ecommerce:' || account_id
                when member_id is not null then 'pos:' || member_id
                else 'service:' || contact_key
            end as account_id,
            '{{ kind }}' as kind,
            {{ kind }} as value,
            {{ "true" if kind == "email" else "false" }} as is_verified
        from {{ ref("stg_service__tickets") }}
    {%- endfor %}
    union all
    select
        'ecommerce:' || account_id as account_id,
        'device' as kind,
        'app:' || device_id as value,
        true as is_verified
    from {{ ref("stg_web__devices") }}
    union all
    select
        'pos:' || member_id as account_id,
        'device' as kind,
        'app:' || device_id as value,
        true as is_verified
    from {{ ref("stg_web__devices") }}
    union all
    select
        'ecommerce:' || account_id as account_id,
        'device' as kind,
        'browser:' || visitor_id as value,
        true as is_verified
    from {{ ref("stg_web__events") }}
    union all
    select
        'ecommerce:' || account_id as account_id,
        'account' as kind,
        'ecommerce:' || account_id as value,
        true as is_verified
    from named_together
    union all
    select
        'pos:' || member_id as account_id,
        'account' as kind,
        'ecommerce:' || account_id as value,
        true as is_verified
    from named_together
    {%- for source, key in [("ecommerce", "account_id"), ("pos", "member_id")] %}
        union all
        select
            'social:' || account_key as account_id,
            'account' as kind,
            '{{ source }}:' || {{ key }} as value,
            verified as is_verified
        from {{ ref("stg_social__accounts") }}
        union all
        select
            '{{ source }}:' || {{ key }} as account_id,
            'account' as kind,
            '{{ source }}:' || {{ key }} as value,
            true as is_verified
        from {{ ref("stg_social__accounts") }}
    {%- endfor %}

)

select
    account_id,
    kind,
    value,
    bool_or(is_verified) as is_verified
from carried
where account_id is not null and value is not null and value <> ''
group by account_id, kind, value
