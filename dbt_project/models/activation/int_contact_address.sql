-- Where each customer would be contacted in each channel: one address, the one of the source that is nearest to
-- the customer and was stated last, and what stands against using it. An audience for advertising is matched by
-- e-mail address or phone number, with a permission of its own; the shop's CRM knows its own members.
with channels as (

    select
        channel,
        reach
    from {{ ref("channel") }}

),

ranked as (

    select
        customer_id,
        kind,
        address,
        account_key,
        row_number() over (
            partition by customer_id, kind
            order by
                case source
                    when 'ecommerce' then 1
                    when 'pos' then 2
                    when 'social' then 3
                    else 4
                end asc,
                stated_at desc nulls last, address asc, account_key asc
        ) as place
    from {{ ref("int_address") }}

),

addresses as (

    select
        customer_id,
        kind,
        address,
        account_key,
        {{ address_key("kind", "address") }} as address_key
    from ranked
    where place = 1
    union all
    -- The CRM's address is the customer: the export names all accounts.
    select
        customer_id,
        'account' as kind,
        customer_id as address,
        customer_id as account_key,
        {{ address_key("'account'", "customer_id") }} as address_key
    from {{ ref("customer") }}

),

-- What a reach needs.
kinds as (

    {%- for reach, kind in [
        ("email", "email"), ("sms", "phone"), ("phone", "phone"), ("push", "push"), ("crm", "account"),
        ("social", "social"),
    ] %}
        {{ "union all" if not loop.first }}
        select
            '{{ reach }}' as reach,
            '{{ kind }}' as kind
    {%- endfor %}

),

emails as (

    select customer_id
    from addresses
    where kind = 'email'

),

chosen as (

    select
        channels.channel,
        channels.reach,
        addresses.*
    from addresses
    inner join kinds on addresses.kind = kinds.kind
    inner join channels on kinds.reach = channels.reach and channels.channel != 'social_ads'
    union all
    -- For advertising the e-mail address, and the number of who has none.
    select
        channels.channel,
        channels.reach,
        addresses.*
    from addresses
    inner join channels on channels.channel = 'social_ads'
    left join emails on addresses.customer_id = emails.customer_id
    where addresses.kind = 'email' or (addresses.kind = 'phone' and emails.customer_id is null)

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
    chosen.address_key,
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
