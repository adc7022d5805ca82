-- Days on which a customer did something of their own accord, and what: registration, visit with a log-in,
-- cart, ticket. What came through a message of ours is an answer to it and no sign of being awake;
-- opening or clicking one is none either. Purchases are in int_kept_day.
with acts as (

    select
        accounts.customer_id,
        registered.registered_on as active_on,
        'registration' as kind
    from {{ ref("stg_ecommerce__customers") }} as registered
    inner join {{ ref("customer_account") }} as accounts
        on accounts.source = 'ecommerce' and registered.account_id = accounts.account_key
    union
    select
        accounts.customer_id,
        members.joined_on as active_on,
        'registration' as kind
    from {{ ref("stg_pos__members") }} as members
    inner join {{ ref("customer_account") }} as accounts
        on accounts.source = 'pos' and members.member_id = accounts.account_key
    union
    select
        customer_id,
        cast(started_at as date) as active_on,
        case when carts > 0 then 'cart' else 'visit' end as kind
    from {{ ref("session") }}
    where customer_id is not null and not is_through_touch
    union
    select
        customer_id,
        cast(opened_at as date) as active_on,
        'ticket' as kind
    from {{ ref("ticket") }}
    where customer_id is not null

)

select
    customer_id,
    active_on,
    kind
from acts
where active_on is not null
