with newest as (

    {{ newest_by_key(source("raw", "ecommerce_customers"), ["account_id"], ["updated_at", "registered_at"]) }}

)

select
    newest.account_id,
    emails.form as email,
    phones.form as phone,
    newest.name,
    newest.email_verified,
    newest.birth_date,
    newest.sex,
    cast(extract(year from newest.birth_date) as integer) as birth_year,
    newest.city,
    cast(newest.registered_at as date) as registered_on,
    newest.registered_at,
    newest.updated_at
from newest
left join {{ source("identity", "email_form") }} as emails on newest.email = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.phone = phones.spelling
