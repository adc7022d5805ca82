with newest as (

    {{ newest_by_key(source("raw", "products"), ["product_id"], ["updated_at"]) }}

)

select
    product_id,
    name,
    category,
    price,
    cost,
    stock,
    active,
    replenishment_days
from newest
