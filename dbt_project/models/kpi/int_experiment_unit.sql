-- Everybody who was drawn for an arm of a campaign: held out or not, counted from the day of the first contact or
-- of the one that was kept back. What follows in a window of fixed length is the outcome, later messages included.
-- Our own recalls of sleepers are told three times: by campaign, of the month and of the year (`scope`).
with measured as (

    select * from {{ control("measured_until") }}

),

settings as (

    select * from {{ control("profile") }}

),

own_first as (

    select
        touches.*,
        coalesce(aliases.customer_id, touches.customer_id) as current_id
    from {{ control("recall_touch") }} as touches
    left join {{ ref("customer_alias") }} as aliases on touches.customer_id = aliases.alias_id
    -- One row per customer as drawn, so that who was merged since keeps both arms.
    qualify row_number() over (
        partition by touches.customer_id, touches.episode_id, touches.campaign_id
        order by touches.as_of_date asc, touches.touch_id asc
    ) = 1

),

own as (

    select
        first.campaign_id,
        first.current_id as customer_id,
        coalesce(draws.unit_id, first.customer_id) as unit_id,
        draws.holdout_period,
        case when first.arm = 'treated' then 'treated' else 'holdout' end as arm,
        first.arm != 'treated' as is_control,
        case when first.arm = 'treated' then 1 - draws.control_share else draws.control_share end as planned_share,
        first.send_on as anchored_on,
        holdout.outcome_days as window_days,
        first.journey,
        first.channel,
        first.offer_id,
        first.guide_class,
        first.dormancy_reason,
        first.value_tier,
        journeys.kind not in ('reminder', 'greeting', 'retain', 'member') as is_of_sleep,
        true as is_own
    from own_first as first
    cross join {{ ref("holdout") }} as holdout
    left join {{ control("arm_assignment") }} as draws
        on first.customer_id = draws.customer_id and first.episode_id = draws.episode_id
    left join {{ ref("journey") }} as journeys on first.journey = journeys.journey

),

planned as (

    select
        campaign_id,
        coalesce(arm, case when is_control then 'control' else 'treated' end) as arm,
        min(planned_share) as planned_share
    from {{ ref("stg_campaign__members") }}
    group by campaign_id, coalesce(arm, case when is_control then 'control' else 'treated' end)

),

others as (

    select
        touches.campaign_id,
        touches.customer_id,
        touches.customer_id as unit_id,
        cast(null as varchar) as holdout_period,
        arg_min(touches.arm, touches.touch_id) as arm,
        arg_min(touches.is_control, touches.touch_id) as is_control,
        cast(min(touches.assigned_at) as date) as anchored_on,
        case when count(distinct touches.channel) < 2 then min(touches.channel) end as channel,
        case when count(distinct touches.offer_id) < 2 then min(touches.offer_id) end as offer_id
    from {{ ref("touch") }} as touches
    left join {{ control("recall_touch") }} as recalled on touches.touch_id = recalled.touch_id
    where recalled.touch_id is null and touches.assigned_at is not null
    group by touches.campaign_id, touches.customer_id

),

units as (

    select * from own
    union all
    select
        others.campaign_id,
        others.customer_id,
        others.unit_id,
        others.holdout_period,
        others.arm,
        others.is_control,
        planned.planned_share,
        others.anchored_on,
        settings.campaign_days as window_days,
        cast(null as varchar) as journey,
        others.channel,
        others.offer_id,
        cast(null as varchar) as guide_class,
        cast(null as varchar) as dormancy_reason,
        cast(null as varchar) as value_tier,
        true as is_of_sleep,
        false as is_own
    from others
    cross join settings
    left join planned on others.campaign_id = planned.campaign_id and others.arm = planned.arm

),

windowed as (

    select
        units.*,
        {{ stable_id("u_", ["units.campaign_id", "units.customer_id", "units.arm", "units.unit_id"]) }} as row_id,
        {{ add_days("units.anchored_on", "units.window_days") }} as ends_on,
        {{ add_days("units.anchored_on", "units.window_days") }} <= measured.known_until as is_matured,
        count(*) over (partition by units.campaign_id, units.customer_id) > 1 as is_merged
    from units
    cross join measured
    where units.anchored_on < measured.known_until

),

bought as (

    select distinct windowed.row_id
    from windowed
    cross join measured
    inner join {{ ref("int_kept_day") }} as days
        on
            windowed.customer_id = days.customer_id
            and windowed.anchored_on <= days.purchased_on
            and windowed.ends_on > days.purchased_on
    where coalesce(days.emptied_on >= measured.known_until, true)

),

booked as (

    select
        windowed.row_id,
        sum(revenue.net_amount) as revenue,
        sum(revenue.margin_amount) as margin
    from windowed
    inner join {{ ref("int_revenue_day") }} as revenue
        on
            windowed.customer_id = revenue.customer_id
            and windowed.anchored_on <= revenue.booked_on
            and windowed.ends_on > revenue.booked_on
    group by windowed.row_id

),

awake as (

    select distinct windowed.row_id
    from windowed
    inner join {{ ref("int_activity_day") }} as acts
        on
            windowed.customer_id = acts.customer_id
            and windowed.anchored_on <= acts.active_on
            and windowed.ends_on > acts.active_on
    where acts.kind != 'registration'

),

-- Opt-outs and complaints of both arms: the held-out write to the help desk too.
unsubscribed as (

    select distinct windowed.row_id
    from windowed
    inner join {{ ref("int_subject") }} as subjects on windowed.customer_id = subjects.customer_id
    inner join {{ ref("stg_consent__consents") }} as consents
        on
            subjects.subject_key = {{ subject_key() }}
            and consents.status = 'withdrawn'
            and windowed.anchored_on <= consents.recorded_at
            and windowed.ends_on > consents.recorded_at
    union
    select distinct windowed.row_id
    from windowed
    inner join {{ ref("touch") }} as touches
        on
            windowed.customer_id = touches.customer_id
            and windowed.anchored_on <= touches.unsubscribed_at
            and windowed.ends_on > touches.unsubscribed_at

),

complained as (

    select distinct windowed.row_id
    from windowed
    inner join {{ ref("ticket") }} as tickets
        on
            windowed.customer_id = tickets.customer_id
            and tickets.kind = 'complaint'
            and windowed.anchored_on <= tickets.opened_at
            and windowed.ends_on > tickets.opened_at
    union
    select distinct windowed.row_id
    from windowed
    inner join {{ ref("touch") }} as touches
        on
            windowed.customer_id = touches.customer_id
            and windowed.anchored_on <= touches.complained_at
            and windowed.ends_on > touches.complained_at

),

-- What the campaign's contacts within the window cost, of whoever was contacted.
spent as (

    select
        windowed.row_id,
        sum(outcomes.contact_cost) as contact_cost,
        sum(outcomes.incentive_cost) as incentive_cost
    from windowed
    inner join {{ ref("int_touch_outcome") }} as outcomes
        on
            windowed.customer_id = outcomes.customer_id
            and windowed.campaign_id = outcomes.campaign_id
            and windowed.ends_on > outcomes.sent_at
    where not windowed.is_control
    group by windowed.row_id

),

outcomes as (

    select
        windowed.*,
        bought.row_id is not null as is_converted,
        bought.row_id is not null or awake.row_id is not null as is_woken,
        unsubscribed.row_id is not null as is_unsubscribed,
        complained.row_id is not null as is_complained,
        coalesce(booked.revenue, 0) as revenue,
        coalesce(booked.margin, 0) - coalesce(spent.incentive_cost, 0) as net_margin,
        coalesce(spent.contact_cost, 0) as contact_cost,
        coalesce(spent.incentive_cost, 0) as incentive_cost
    from windowed
    left join bought on windowed.row_id = bought.row_id
    left join booked on windowed.row_id = booked.row_id
    left join awake on windowed.row_id = awake.row_id
    left join unsubscribed on windowed.row_id = unsubscribed.row_id
    left join complained on windowed.row_id = complained.row_id
    left join spent on windowed.row_id = spent.row_id
    union all
    -- Of people who were erased the outcome stays, so that their arm has as many as were drawn.
    select
        erased.campaign_id,
        erased.unit_id as customer_id,
        erased.unit_id,
        erased.holdout_period,
        erased.arm,
        erased.is_control,
        erased.planned_share,
        erased.anchored_on,
        erased.window_days,
        erased.journey,
        erased.channel,
        erased.offer_id,
        erased.guide_class,
        erased.dormancy_reason,
        erased.value_tier,
        erased.is_of_sleep,
        erased.is_own,
        {{ stable_id("u_", ["erased.campaign_id", "erased.unit_id", "erased.arm"]) }} as row_id,
        {{ add_days("erased.anchored_on", "erased.window_days") }} as ends_on,
        {{ add_days("erased.anchored_on", "erased.window_days") }} <= measured.known_until as is_matured,
        erased.is_merged,
        erased.is_converted,
        erased.is_woken,
        erased.is_unsubscribed,
        erased.is_complained,
        erased.revenue,
        erased.net_margin,
        erased.contact_cost,
        erased.incentive_cost
    from {{ control("erased_unit") }} as erased
    cross join measured
    where erased.anchored_on < measured.known_until

),

scoped as (

    select
        'campaign' as scope,
        outcomes.campaign_id,
        outcomes.* exclude (campaign_id)
    from outcomes
    union all
    select
        'month' as scope,
        'recall_' || strftime(outcomes.anchored_on, '%Y_%m') as campaign_id,
        outcomes.* exclude (campaign_id)
    from outcomes
    where outcomes.is_own and outcomes.is_of_sleep
    union all
    select
        'year' as scope,
        'recall_' || strftime(outcomes.anchored_on, '%Y') as campaign_id,
        outcomes.* exclude (campaign_id)
    from outcomes
    where outcomes.is_own and outcomes.is_of_sleep

)

select * from scoped
