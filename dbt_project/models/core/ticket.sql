-- Contacts with the help desk and whose they are: the account's, else the member's, else who owns the address.
with tickets as (

    select
        *,
        case
            when account_id is not null then 'ecommerce'
            when member_id is not null then 'pos'
            else 'service'
        end as source,
        coalesce(account_id, member_id, contact_key) as account_key
    from {{ ref("stg_service__tickets") }}

)

select
    tickets.ticket_id,
    accounts.customer_id,
    tickets.channel,
    tickets.kind,
    tickets.topic,
    cast(tickets.opened_at as timestamp) as opened_at,
    cast(tickets.closed_at as timestamp) as closed_at,
    tickets.product_id,
    tickets.order_id,
    tickets.rating
from tickets
left join {{ ref("customer_account") }} as accounts
    on tickets.source = accounts.source and tickets.account_key = accounts.account_key
