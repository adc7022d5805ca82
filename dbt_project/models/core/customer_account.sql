-- One account is one customer here; links between accounts are the identity stage's business.
-- Accounts that only orders or receipts name are accounts too: a profile may bind sales alone.
with accounts as (

    select
        'ecommerce' as source,
        account_id as account_key
    from {{ ref("stg_ecommerce__customers") }}
    union
    select
        'ecommerce' as source,
        account_id as account_key
    from {{ ref("stg_ecommerce__orders") }}
    where account_id is not null
    union
    select
        'pos' as source,
        member_id as account_key
    from {{ ref("stg_pos__members") }}
    union
    select
        'pos' as source,
        member_id as account_key
    from {{ ref("stg_pos__sales") }}
    where member_id is not null

)

select
    source,
    account_key,
    {{ stable_id("c_", ["source", "account_key"]) }} as customer_id
from accounts
