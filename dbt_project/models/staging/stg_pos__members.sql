with newest as (

    {{ newest_by_key(source("raw", "pos_members"), ["member_id"], ["updated_at", "joined_at"]) }}

)

select
    newest.member_id,
    emails.form as email,
    phones.form as phone,
    newest.name,
    newest.card_no,
    newest.birth_date,
    newest.sex,
    coalesce(newest.birth_year, cast(extract(year from newest.birth_date) as integer)) as birth_year,
    newest.city,
    newest.home_store,
    newest.tier,
    newest.points as points_balance,
    newest.points_expiring_on,
    newest.spend_to_next_tier,
    cast(newest.joined_at as date) as joined_on,
    newest.joined_at,
    newest.updated_at
from newest
left join {{ source("identity", "email_form") }} as emails on newest.email = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.phone = phones.spelling
