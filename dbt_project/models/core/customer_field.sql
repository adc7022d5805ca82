select
    customer_id,
    field,
    field_value as value_class,
    source,
    account_key,
    rule
from {{ ref("int_customer_field") }}
-- Names and days of birth are the shop's alone: the published copy has no clear personal data.
where field not in ('name', 'birth_date')
