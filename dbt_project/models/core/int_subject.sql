-- Whom rows of the campaign, consent and survey feeds are about: every customer that one of their keys names,
-- and which of them is the owner. An address that several customers share names all of them: what forbids a
-- contact holds for each, while what somebody did belongs to nobody rather than to a guess.
with keys as (

    select
        account_id,
        member_id,
        address
    from {{ ref("stg_campaign__members") }}
    union
    select
        account_id,
        member_id,
        address
    from {{ ref("stg_campaign__events") }}
    union
    select
        account_id,
        member_id,
        address
    from {{ ref("stg_consent__consents") }}
    union
    select
        account_id,
        member_id,
        address
    from {{ ref("stg_survey__responses") }}

),

subjects as (

    select
        account_id,
        member_id,
        address,
        {{ subject_key() }} as subject_key
    from keys

),

named as (

    select
        subjects.subject_key,
        accounts.customer_id,
        1 as precedence
    from subjects
    inner join {{ ref("customer_account") }} as accounts
        on accounts.source = 'ecommerce' and subjects.account_id = accounts.account_key
    union all
    select
        subjects.subject_key,
        accounts.customer_id,
        2 as precedence
    from subjects
    inner join {{ ref("customer_account") }} as accounts
        on accounts.source = 'pos' and subjects.member_id = accounts.account_key
    union all
    select
        subjects.subject_key,
        addresses.customer_id,
        3 as precedence
    from subjects
    inner join {{ ref("int_address") }} as addresses on subjects.address = addresses.address

),

customers as (

    select
        subject_key,
        customer_id,
        min(precedence) as precedence
    from named
    group by subject_key, customer_id

)

select
    subject_key,
    customer_id,
    row_number() over (partition by subject_key order by precedence asc, customer_id asc) = 1
    and (precedence < 3 or count(*) over (partition by subject_key) = 1) as is_owner
from customers
