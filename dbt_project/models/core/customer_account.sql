select
    source,
    account_key,
    customer_id
from {{ source("identity", "account") }}
