-- Sums of each outcome by arm, for the whole campaign and for its segments: all that the judgement of an effect needs.
-- Who is still within the window is not in them.
with units as (

    select * from {{ ref("int_experiment_unit") }}

),

-- A month or a year goes on gathering until it is over; and journeys of ours have a campaign a month.
dated as (

    select
        units.*,
        case
            when units.scope = 'year'
                then make_date(cast(extract(year from units.anchored_on) as integer) + 1, 1, 1)
            when units.is_own then {{ add_days("last_day(units.anchored_on)", 1) }}
            else units.anchored_on
        end as gathered_until
    from units

),

closed as (

    select
        dated.campaign_id,
        max(dated.ends_on) as matured_on,
        bool_and(dated.is_matured and dated.gathered_until <= measured.known_until) as is_matured,
        any_value(dated.window_days) as window_days,
        bool_or(dated.scope = 'year') as is_year
    from dated
    cross join {{ control("measured_until") }} as measured
    group by dated.campaign_id

),

treated_arms as (

    select
        campaign_id,
        count(*) as arms
    from {{ ref("int_experiment_arm") }}
    where not is_control
    group by campaign_id

),

dims as (

    {%- for name in ["all", "channel", "offer_id", "guide_class", "dormancy_reason", "value_tier"] %}
        select '{{ name }}' as segment_dim
        {{ "union all" if not loop.last }}
    {%- endfor %}

),

segmented as (

    select
        units.*,
        coalesce(treated_arms.arms, 0) as arms,
        dims.segment_dim,
        case dims.segment_dim
            when 'all' then 'all'
            when 'channel' then units.channel
            when 'offer_id' then units.offer_id
            when 'guide_class' then units.guide_class
            when 'dormancy_reason' then units.dormancy_reason
            when 'value_tier' then units.value_tier
        end as segment
    from units
    left join treated_arms on units.campaign_id = treated_arms.campaign_id
    cross join dims
    where
        units.is_matured
        -- A journey of one month is too small to be cut up; the months and years of all of them are.
        and (dims.segment_dim in ('all', 'channel') or units.scope != 'campaign' or not units.is_own)

),

-- Where there are several arms, each is judged as a whole; segments are those of all of them together.
variants as (

    select
        '' as variant,
        arm,
        * exclude (arm)
    from segmented
    where segment is not null and (is_control or arms = 1 or segment_dim = 'all')
    union all
    select
        '' as variant,
        'all' as arm,
        * exclude (arm)
    from segmented
    where segment is not null and not is_control and arms > 1
    union all
    -- How much hangs on those in whom two arms have merged.
    select
        'without_merged' as variant,
        arm,
        * exclude (arm)
    from segmented
    where
        segment_dim = 'all'
        and not is_merged
        and campaign_id in (select campaign_id from units where is_merged)

),

measured as (

    select
        variant,
        campaign_id,
        arm,
        is_control,
        segment_dim,
        segment,
        count(*) as people,
        sum(contact_cost) as contact_cost,
        sum(incentive_cost) as incentive_cost,
        {%- for name in ["converted", "woken", "unsubscribed", "complained"] %}
            count(*) filter (where is_{{ name }}) as {{ name }},
        {%- endfor %}
        {%- for name in ["revenue", "net_margin"] %}
            {{ square_sum(name) }} as {{ name }}_squares,
        {%- endfor %}
        sum(revenue) as revenue,
        sum(net_margin) as net_margin
    from variants
    group by variant, campaign_id, arm, is_control, segment_dim, segment

),

by_metric as (

    {%- for metric, name in [
        ("conversion", "converted"), ("wake_up", "woken"), ("unsubscribed", "unsubscribed"),
        ("complained", "complained"),
    ] %}
        select
            measured.* exclude (revenue, revenue_squares, net_margin, net_margin_squares),
            '{{ metric }}' as metric,
            'share' as kind,
            cast({{ name }} as double) as total,
            cast({{ name }} as double) as squares
        from measured
        union all
    {%- endfor %}
    {%- for name in ["revenue", "net_margin"] %}
        select
            measured.* exclude (revenue, revenue_squares, net_margin, net_margin_squares),
            '{{ name }}' as metric,
            'mean' as kind,
            cast({{ name }} as double) as total,
            cast({{ name }}_squares as double) as squares
        from measured
        {{ "union all" if not loop.last }}
    {%- endfor %}

),

controls as (

    select
        variant,
        campaign_id,
        segment_dim,
        segment,
        metric,
        min(arm) as control_arm,
        sum(people) as people,
        {{ whole_sum("total") }} as total,
        {{ whole_sum("squares") }} as squares
    from by_metric
    where is_control
    group by variant, campaign_id, segment_dim, segment, metric

),

metrics as (

    {%- for metric in ["conversion", "wake_up", "unsubscribed", "complained", "revenue", "net_margin"] %}
        select
            '{{ metric }}' as metric,
            '{{ "mean" if metric in ("revenue", "net_margin") else "share" }}' as kind
        {{ "union all" if not loop.last }}
    {%- endfor %}

),

judged_arms as (

    select
        campaign_id,
        arm
    from {{ ref("int_experiment_arm") }}
    where not is_control
    union all
    select
        campaign_id,
        'all' as arm
    from treated_arms
    where arms > 1

),

control_arms as (

    select
        campaign_id,
        min(arm) as arm
    from {{ ref("int_experiment_arm") }}
    where is_control
    group by campaign_id

),

-- Every treated arm has a row for each metric, also when nobody of it can be measured yet.
asked as (

    select
        '' as variant,
        judged_arms.campaign_id,
        judged_arms.arm,
        'all' as segment_dim,
        'all' as segment,
        metrics.metric,
        metrics.kind
    from judged_arms
    cross join metrics
    union
    select
        variant,
        campaign_id,
        arm,
        segment_dim,
        segment,
        metric,
        kind
    from by_metric
    where not is_control

)

select
    asked.campaign_id,
    asked.arm,
    coalesce(controls.control_arm, control_arms.arm, 'none') as control_arm,
    asked.segment_dim,
    asked.segment,
    asked.metric,
    asked.variant,
    asked.kind,
    case when closed.is_year or settings.looks = 'any' then 'any' else 'once' end as looks,
    closed.window_days,
    closed.matured_on,
    closed.is_matured,
    cast(coalesce(treated.people, 0) as bigint) as treated,
    cast(coalesce(controls.people, 0) as bigint) as holdout,
    coalesce(treated.total, 0) as treated_sum,
    coalesce(treated.squares, 0) as treated_squares,
    coalesce(controls.total, 0) as holdout_sum,
    coalesce(controls.squares, 0) as holdout_squares,
    cast(coalesce(treated.contact_cost, 0) as double) as contact_cost,
    cast(coalesce(treated.incentive_cost, 0) as double) as incentive_cost
from asked
inner join closed on asked.campaign_id = closed.campaign_id
cross join {{ control("profile") }} as settings
left join by_metric as treated
    on
        asked.variant = treated.variant
        and asked.campaign_id = treated.campaign_id
        and asked.arm = treated.arm
        and asked.segment_dim = treated.segment_dim
        and asked.segment = treated.segment
        and asked.metric = treated.metric
left join controls
    on
        asked.variant = controls.variant
        and asked.campaign_id = controls.campaign_id
        and asked.segment_dim = controls.segment_dim
        and asked.segment = controls.segment
        and asked.metric = controls.metric
left join control_arms on asked.campaign_id = control_arms.campaign_id
