-- Reasons of each sleeper on the run's dates, the primary one first. Where no reason reaches the score that it
-- needs (seed reason), `unknown` comes first: thin evidence is shown after it and decides nothing.
with sleepers as (

    select * from {{ ref("int_sleeper") }}

),

reasons as (

    select * from {{ ref("reason") }}

),

pieces as (

    select
        *,
        sum(contribution) over (
            partition by as_of_date, customer_id, reason, sub_reason
        ) as sub_reason_score
    from {{ ref("int_reason_evidence") }}

),

scored as (

    -- The finer reason is the one with most evidence among those that say one.
    select
        as_of_date,
        customer_id,
        reason,
        first(sub_reason order by sub_reason is null asc, sub_reason_score desc, sub_reason asc) as sub_reason,
        sum(contribution) as score,
        {{ evidence_list() }} as evidence
    from pieces
    group by as_of_date, customer_id, reason

),

judged as (

    select
        scored.as_of_date,
        scored.customer_id,
        scored.reason,
        scored.sub_reason,
        scored.score,
        scored.evidence,
        scored.score >= reasons.min_score as suffices,
        reasons.precedence
    from scored
    inner join reasons on scored.reason = reasons.reason

),

known as (

    select distinct
        as_of_date,
        customer_id
    from judged
    where suffices

),

everyone as (

    select
        as_of_date,
        customer_id,
        reason,
        sub_reason,
        score,
        evidence,
        case when suffices then 1 else 3 end as tier,
        precedence
    from judged
    union all
    select
        sleepers.as_of_date,
        sleepers.customer_id,
        'unknown' as reason,
        cast(null as varchar) as sub_reason,
        cast(0 as decimal(6, 4)) as score,
        '[]' as evidence,
        2 as tier,
        0 as precedence
    from sleepers
    left join known
        on sleepers.as_of_date = known.as_of_date and sleepers.customer_id = known.customer_id
    where known.customer_id is null

)

select
    as_of_date,
    customer_id,
    reason,
    sub_reason,
    cast(score as double) as score,
    cast(row_number() over (
        partition by as_of_date, customer_id order by tier asc, score desc, precedence asc
    ) as integer) as rank,
    evidence
from everyone
