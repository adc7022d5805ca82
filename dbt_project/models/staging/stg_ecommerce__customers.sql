with newest as (

    {{ newest_by_key(source("raw", "ecommerce_customers"), ["account_id"], ["updated_at", "registered_at"]) }}

)

select
    account_id,
    {{ normal_address("email") }} as email,
    {{ normal_address("phone") }} as phone,
    sex,
    cast(extract(year from birth_date) as integer) as birth_year,
    city,
    cast(registered_at as date) as registered_on
from newest
