select
    customer_id,
    field,
    field_value as value_class,
    source,
    account_key,
    rule
from {{ ref("int_customer_field") }}
