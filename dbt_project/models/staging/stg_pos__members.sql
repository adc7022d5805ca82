with newest as (

    {{ newest_by_key(source("raw", "pos_members"), ["member_id"], ["updated_at", "joined_at"]) }}

)

select
    member_id,
    {{ normal_address("email") }} as email,
    {{ normal_address("phone") }} as phone,
    sex,
    coalesce(birth_year, cast(extract(year from birth_date) as integer)) as birth_year,
    city,
    home_store,
    tier,
    points as points_balance,
    points_expiring_on,
    spend_to_next_tier,
    cast(joined_at as date) as joined_on
from newest
