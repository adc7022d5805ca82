with newest as (

    {{ newest_by_key(source("raw", "survey_responses"), ["response_id"], ["answered_at"]) }}

)

select
    newest.response_id,
    newest.account_id,
    newest.member_id,
    coalesce(emails.form, phones.form, newest.address) as address,
    newest.touch_id,
    newest.answered_at,
    cast(newest.answered_at as date) as answered_on,
    newest.reason_code,
    newest.score
from newest
left join {{ source("identity", "email_form") }} as emails on newest.address = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.address = phones.spelling
