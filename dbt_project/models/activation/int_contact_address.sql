-- Where each customer would be contacted in each channel: one address, the one of the source that is nearest to
-- the customer and was stated last, and what stands against using it. An audience for advertising is matched by
-- e-mail address or phone number, with a permission of its own; the shop's CRM knows its own members.
with channels as (

    select
        channel,
        reach
    from {{ ref("channel") }}

),

-- What a reach needs; for advertising either of two.
kinds as (

    {%- for reach, kind, precedence in [
        ("email", "email", 1), ("sms", "phone", 1), ("phone", "phone", 1), ("push", "push", 1),
        ("crm", "account", 1), ("social", "social", 1), ("social_ads", "email", 1), ("social_ads", "phone", 2),
    ] %}
        {{ "union all" if not loop.first }}
        select
            '{{ reach }}' as reach,
            '{{ kind }}' as kind,
            {{ precedence }} as precedence
    {%- endfor %}

),

wanted as (

    select
        channels.channel,
        channels.reach,
        kinds.kind,
        kinds.precedence
    from channels
    inner join kinds
        on case when channels.channel = 'social_ads' then 'social_ads' else channels.reach end = kinds.reach

),

addresses as (

    select
        customer_id,
        source,
        account_key,
        kind,
        address,
        stated_at
    from {{ ref("int_address") }}
    union all
    -- The CRM's address is the customer: the export names all accounts.
    select
        customer_id,
        'account' as source,
        customer_id as account_key,
        'account' as kind,
        customer_id as address,
        cast(null as timestamp) as stated_at
    from {{ ref("customer") }}

),

chosen as (

    select
        wanted.channel,
        wanted.reach,
        addresses.*
    from addresses
    inner join wanted on addresses.kind = wanted.kind
    qualify row_number() over (
        partition by addresses.customer_id, wanted.channel
        order by
            wanted.precedence asc,
            case addresses.source
                when 'ecommerce' then 1
                when 'pos' then 2
                when 'social' then 3
                else 4
            end asc,
            addresses.stated_at desc nulls last, addresses.address asc
    ) = 1

),

permissions as (

    select
        customer_id,
        channel as reach,
        bool_and(is_granted) filter (where purpose = 'marketing') as marketing,
        bool_and(is_granted) filter (where purpose = 'service') as service,
        bool_and(is_granted) filter (where purpose = 'social_export') as social_export
    from {{ ref("int_permission") }}
    group by customer_id, channel

),

-- The kind is a column of both sides: a constant in the condition would make it a comparison of all with all.
devices as (

    select
        'push' as kind,
        push_token,
        max(vendor) as vendor
    from {{ ref("stg_web__devices") }}
    group by push_token

),

social as (

    select
        'social' as kind,
        account_key,
        max(platform) as platform,
        bool_or(group_member) as group_member
    from {{ ref("stg_social__accounts") }}
    group by account_key

)

select
    chosen.customer_id,
    chosen.channel,
    chosen.reach,
    chosen.kind as address_kind,
    chosen.address,
    {{ address_key("chosen.kind", "chosen.address") }} as address_key,
    lower(devices.vendor) as vendor,
    social.platform,
    social.group_member,
    suppressions.customer_id is not null as is_suppressed,
    case
        when chosen.channel = 'social_ads' then coalesce(permissions.social_export, false)
        else coalesce(permissions.marketing, chosen.reach = 'crm')
    end as may_market,
    -- A word about an order or a complaint needs no permission for advertising, but a "no" to it counts.
    case
        when chosen.channel = 'social_ads' then false
        else coalesce(permissions.service, permissions.marketing, chosen.reach = 'crm')
    end as may_serve
from chosen
left join permissions on chosen.customer_id = permissions.customer_id and chosen.reach = permissions.reach
left join {{ ref("int_suppression") }} as suppressions
    on chosen.customer_id = suppressions.customer_id and chosen.reach = suppressions.channel
left join devices on chosen.kind = devices.kind and chosen.address = devices.push_token
left join social on chosen.kind = social.kind and chosen.account_key = social.account_key
