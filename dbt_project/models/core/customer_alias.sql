select
    alias_id,
    customer_id,
    cast(merged_at as timestamp) as merged_at
from {{ source("identity", "alias") }}
