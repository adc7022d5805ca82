with newest as (

    {{ newest_by_key(source("raw", "service_tickets"), ["ticket_id"], ["updated_at", "opened_at"]) }}

)

select
    newest.ticket_id,
    newest.account_id,
    newest.member_id,
    emails.form as email,
    phones.form as phone,
    case
        when newest.account_id is null and newest.member_id is null and coalesce(emails.form, phones.form) is not null
            then {{ stable_id("s_", ["secrets.private_key", "coalesce(emails.form, phones.form)"]) }}
    end as contact_key,
    newest.channel,
    newest.kind,
    newest.topic,
    newest.opened_at,
    cast(newest.opened_at as date) as opened_on,
    newest.closed_at,
    newest.product_id,
    newest.order_id,
    cast(newest.rating as integer) as rating
from newest
cross join {{ control("private_key") }} as secrets
left join {{ source("identity", "email_form") }} as emails on newest.email = emails.spelling
left join {{ source("identity", "phone_form") }} as phones on newest.phone = phones.spelling
