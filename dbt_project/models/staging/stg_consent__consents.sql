with newest as (

    {{ newest_by_key(source("raw", "consents"), ["consent_id"], ["recorded_at"]) }}

)

select
    newest.consent_id,
    newest.account_id,
    newest.member_id,
    coalesce(emails.form, phones.form, newest.address) as address,
    newest.channel,
    newest.purpose,
    newest.status,
    newest.basis,
    newest.recorded_at
from newest
left join {{ source("identity", "email_form") }} as emails on newest.address = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.address = phones.spelling
