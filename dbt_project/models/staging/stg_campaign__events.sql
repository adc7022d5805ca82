with newest as (

    {{ newest_by_key(source("raw", "campaign_events"), ["event_id"], ["occurred_at"]) }}

)

select
    newest.event_id,
    newest.touch_id,
    newest.campaign_id,
    newest.account_id,
    newest.member_id,
    coalesce(emails.form, phones.form, newest.address) as address,
    newest.channel,
    newest.occurred_at,
    newest.kind,
    newest.disposition,
    newest.coupon_code,
    newest.amount
from newest
left join {{ source("identity", "email_form") }} as emails on newest.address = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.address = phones.spelling
