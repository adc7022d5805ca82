with newest as (

    {{ newest_by_key(
        source("raw", "campaign_members"), ["campaign_id", "account_id", "member_id", "address"], ["assigned_at"]
    ) }}

)

select
    newest.campaign_id,
    newest.account_id,
    newest.member_id,
    coalesce(emails.form, phones.form, newest.address) as address,
    newest.arm,
    newest.planned_share,
    newest.is_control,
    newest.channel,
    newest.offer_id,
    newest.assigned_at,
    newest.cost
from newest
left join {{ source("identity", "email_form") }} as emails on newest.address = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.address = phones.spelling
