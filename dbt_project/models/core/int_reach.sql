-- Whether a customer can be reached in a channel: there is an address, the permission is granted, and nothing
-- suppresses it. The shop's CRM knows its own members' permissions, so there only a recorded "no" counts.
with channels as (

    select distinct
        channel,
        address_kind
    from {{ ref("reach_channel") }}

),

addressed as (

    select distinct
        addresses.customer_id,
        channels.channel
    from {{ ref("int_address") }} as addresses
    inner join channels on addresses.kind = channels.address_kind
    union
    select
        customers.customer_id,
        channels.channel
    from {{ ref("customer_account") }} as customers
    cross join channels
    where channels.address_kind = 'account'

)

select
    addressed.customer_id,
    addressed.channel,
    coalesce(permissions.is_granted, addressed.channel = 'crm') and suppressions.customer_id is null
        as is_reachable
from addressed
left join {{ ref("int_permission") }} as permissions
    on
        addressed.customer_id = permissions.customer_id
        and addressed.channel = permissions.channel
        and permissions.purpose = 'marketing'
left join {{ ref("int_suppression") }} as suppressions
    on addressed.customer_id = suppressions.customer_id and addressed.channel = suppressions.channel
