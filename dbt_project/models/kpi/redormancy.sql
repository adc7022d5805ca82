-- Who woke, by month and by what woke them, and how many sleep again. Waking and falling asleep are movements
-- between two days: days on which nothing was computed have none.
with measured as (

    select * from {{ control("measured_until") }}

),

moves as (

    select
        movements.customer_id,
        movements.moved_on,
        movements.to_segment in ('active', 'cooling') as is_waking
    from {{ ref("segment_movement") }} as movements
    cross join measured
    where
        movements.scheme = 'dormancy_state'
        and movements.moved_on < measured.known_until
        and movements.from_segment is not null
        and movements.to_segment is not null
        and (movements.from_segment in ('active', 'cooling')) != (movements.to_segment in ('active', 'cooling'))

),

spells as (

    select
        customer_id,
        moved_on as woken_on,
        is_waking,
        lead(moved_on) over (partition by customer_id order by moved_on asc) as asleep_on
    from moves

),

woken as (

    select
        customer_id,
        woken_on,
        asleep_on
    from spells
    where is_waking

),

-- Somebody who came within the window of a contact of ours.
recalled as (

    select
        woken.customer_id,
        woken.woken_on,
        max_by(touches.dormancy_reason, touches.sent_at) as reason
    from woken
    inner join {{ ref("int_recall_touch") }} as touches
        on
            woken.customer_id = touches.customer_id
            and touches.is_sent
            and woken.woken_on >= cast(touches.sent_at as date)
            and woken.woken_on <= cast(touches.window_ends_at as date)
    group by woken.customer_id, woken.woken_on

),

-- Why somebody sleeps now; why they slept before is known of those whom we wrote to.
sleeping as (

    select
        dormancy.customer_id,
        dormancy.primary_reason
    from {{ ref("customer_dormancy") }} as dormancy
    where
        dormancy.as_of_date = (select max(as_of_date) from {{ ref("customer_dormancy") }})
        and dormancy.dormant_since is not null

),

valued as (

    select
        woken.customer_id,
        woken.woken_on,
        sum(revenue.net_amount) as net_revenue
    from woken
    cross join measured
    inner join {{ ref("int_revenue_day") }} as revenue
        on
            woken.customer_id = revenue.customer_id
            and woken.woken_on <= revenue.booked_on
            and coalesce(woken.asleep_on > revenue.booked_on, true)
    where revenue.booked_on < measured.known_until
    group by woken.customer_id, woken.woken_on

),

told as (

    select
        cast(date_trunc('month', woken.woken_on) as date) as cohort,
        case when recalled.customer_id is null then 'own_accord' else 'recall' end as woken_by,
        woken.asleep_on,
        {{ days_between("woken.woken_on", "woken.asleep_on") }} as awake_days,
        coalesce(valued.net_revenue, 0) as net_revenue,
        case
            when woken.asleep_on is not null and sleeping.primary_reason != 'unknown' and recalled.reason != 'unknown'
                then sleeping.primary_reason = recalled.reason
        end as is_same_reason
    from woken
    left join recalled on woken.customer_id = recalled.customer_id and woken.woken_on = recalled.woken_on
    left join sleeping on woken.customer_id = sleeping.customer_id
    left join valued on woken.customer_id = valued.customer_id and woken.woken_on = valued.woken_on

)

select
    cohort,
    woken_by,
    cast(count(*) as bigint) as woken,
    cast(count(asleep_on) as bigint) as asleep_again,
    cast(median(awake_days) as double) as median_days,
    cast(count(*) filter (where is_same_reason) as double) / nullif(count(is_same_reason), 0) as same_reason_share,
    cast(sum(net_revenue) as decimal(18, 2)) as net_revenue
from told
group by cohort, woken_by
