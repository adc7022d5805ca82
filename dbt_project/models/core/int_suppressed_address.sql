-- Addresses that must not be written to any more, as hashes: those that today's events close, and those that
-- earlier runs kept. An address stays closed when its account is gone, and when it comes back under a new one;
-- a later consent does not open it. Who unsubscribes or complains by account closes every address that the
-- channel serves; a bounce is of the one address it names.
with closing as (

    select
        reach.channel,
        reach.address_kind,
        events.kind,
        events.account_id,
        events.member_id,
        events.address,
        cast(events.occurred_at as timestamp) as occurred_at
    from {{ ref("stg_campaign__events") }} as events
    inner join {{ ref("reach_channel") }} as reach on events.channel = reach.campaign_channel
    where events.kind in ('unsubscribed', 'complained', 'bounced')

),

-- Lists for advertisements name people by e-mail address and number too.
served as (

    select distinct
        channel,
        address_kind
    from {{ ref("reach_channel") }}
    union
    select
        'social' as channel,
        unnest(['email', 'phone']) as address_kind

),

owners as (

    select
        closing.channel,
        closing.kind,
        closing.occurred_at,
        accounts.customer_id
    from closing
    inner join {{ ref("customer_account") }} as accounts
        on accounts.source = 'ecommerce' and closing.account_id = accounts.account_key
    where closing.kind != 'bounced'
    union all
    select
        closing.channel,
        closing.kind,
        closing.occurred_at,
        accounts.customer_id
    from closing
    inner join {{ ref("customer_account") }} as accounts
        on accounts.source = 'pos' and closing.member_id = accounts.account_key
    where closing.kind != 'bounced'

),

known as (

    select distinct
        kind,
        address
    from {{ ref("int_address") }}

),

named as (

    select
        closing.channel,
        closing.kind,
        closing.occurred_at,
        closing.address,
        -- Of an address that no account has, its form and else the channel tell the kind.
        coalesce(known.kind, case
            when closing.address like '%_@_%' then 'email'
            when regexp_full_match(closing.address, '\+[0-9]{6,15}') then 'phone'
            else closing.address_kind
        end) as address_kind
    from closing
    left join known on closing.address = known.address
    where closing.address is not null
    union all
    select
        owners.channel,
        owners.kind,
        owners.occurred_at,
        addresses.address,
        addresses.kind as address_kind
    from owners
    inner join {{ ref("int_address") }} as addresses on owners.customer_id = addresses.customer_id
    inner join served on owners.channel = served.channel and addresses.kind = served.address_kind

),

suppressed as (

    select
        {{ address_key("address_kind", "address") }} as address_key,
        channel,
        kind,
        occurred_at as since
    from named
    union all
    -- An answer that names our message alone closes the address that it went to.
    {%- for kind in ["unsubscribed", "complained", "bounced"] %}
        select
            recalled.address_key,
            reach.channel,
            '{{ kind }}' as kind,
            touches.{{ kind }}_at as since
        from {{ control("recall_touch") }} as recalled
        inner join {{ ref("touch") }} as touches on recalled.touch_id = touches.touch_id
        inner join {{ ref("reach_channel") }} as reach on touches.channel = reach.campaign_channel
        where touches.{{ kind }}_at is not null
        union all
    {%- endfor %}
    select
        address_key,
        channel,
        kind,
        since
    from {{ control("suppression") }}

)

select
    address_key,
    channel,
    kind,
    min(since) as since
from suppressed
group by address_key, channel, kind
