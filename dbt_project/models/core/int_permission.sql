-- The permissions of each customer by channel and purpose: the newest word of each account and address counts, a
-- word for all channels counts for each, and of several the most restrictive wins.
with channels as (

    select distinct channel from {{ ref("reach_channel") }}

),

records as (

    select
        {{ subject_key() }} as subject_key,
        channel,
        purpose,
        status,
        recorded_at
    from {{ ref("stg_consent__consents") }}

),

newest as (

    select
        records.subject_key,
        channels.channel,
        records.purpose,
        records.status
    from records
    inner join channels on records.channel = channels.channel or records.channel = 'all'
    qualify row_number() over (
        partition by records.subject_key, channels.channel, records.purpose
        -- Withdrawn sorts last: of two words at one moment the restrictive one counts.
        order by records.recorded_at desc, records.status desc
    ) = 1

)

select
    subjects.customer_id,
    newest.channel,
    newest.purpose,
    max(newest.status) = 'granted' as is_granted
from newest
inner join {{ ref("int_subject") }} as subjects on newest.subject_key = subjects.subject_key
group by subjects.customer_id, newest.channel, newest.purpose
