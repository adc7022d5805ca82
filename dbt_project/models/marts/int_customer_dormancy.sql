-- Dormancy of every known customer on the run's dates and their eves: by the fit that judges the customer, or
-- for those who never bought by days without activity. Reasons come after it, in marts.dormancy_reason.
with dates as (

    select as_of_date from {{ ref("int_as_of_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

booked as (

    select
        buyers.as_of_date,
        buyers.customer_id,
        sum(revenue.margin_amount) as life_margin,
        -- Historical value: net margin in the 365 days up to the last purchase.
        sum(revenue.margin_amount) filter (
            where revenue.booked_on > {{ add_days("buyers.last_purchase_on", -365) }}
        ) as year_margin
    from {{ ref("int_buyer") }} as buyers
    inner join {{ ref("int_revenue_day") }} as revenue
        on buyers.customer_id = revenue.customer_id and buyers.as_of_date >= revenue.booked_on
    group by buyers.as_of_date, buyers.customer_id

),

buyers as (

    select
        buyers.as_of_date,
        buyers.customer_id,
        buyers.purchase_days,
        buyers.first_purchase_on,
        buyers.last_purchase_on,
        buyers.repeats,
        buyers.age_at_last_days,
        buyers.age_at_last_days + {{ days_between("buyers.last_purchase_on", "buyers.as_of_date") }} as age_days,
        buyers.model_version,
        buyers.model_category,
        own_x.expected_gap_days,
        own_x.horizon_days,
        own_x.dormant_after_days,
        own_x.cooling_after_days,
        coalesce(booked.life_margin, 0) as life_margin,
        coalesce(booked.year_margin, 0) as year_margin,
        count(*) over (partition by buyers.as_of_date) as all_buyers,
        rank() over (
            partition by buyers.as_of_date order by coalesce(booked.year_margin, 0) desc
        ) as value_rank,
        case
            when
                {{ is_seasonal(
                    "buyers.season_cosines", "buyers.season_sines", "buyers.purchase_days",
                    "buyers.first_purchase_on", "buyers.last_purchase_on",
                ) }}
                then {{ days_to_next_season(
                    "buyers.season_cosines", "buyers.season_sines", "buyers.last_purchase_on"
                ) }}
            -- A category of one season: who bought in it once has shown no season of their own yet.
            when seasons.category is not null
                then {{ days_to_next_season(
                    "seasons.season_cosines", "seasons.season_sines", "buyers.last_purchase_on"
                ) }}
        end as next_season_days
    from {{ ref("int_buyer") }} as buyers
    inner join {{ ref("int_own_x") }} as own_x
        on
            buyers.model_version = own_x.model_version
            and buyers.model_category = own_x.model_category
            and buyers.repeats = own_x.repeats
            and buyers.age_at_last_days = own_x.age_at_last_days
    left join {{ ref("int_category_season") }} as seasons
        on buyers.as_of_date = seasons.as_of_date and buyers.main_category = seasons.category
    left join booked
        on buyers.as_of_date = booked.as_of_date and buyers.customer_id = booked.customer_id

),

judged_by as (

    select
        buyers.*,
        fits.k,
        fits.r,
        fits.alpha,
        fits.method,
        fits.theta,
        fits.tuned_x_days,
        fits.value_weight,
        fits.value_mean,
        case
            when fits.method = 'mbg_cnbd'
                then {{ mbg_cnbd_p_alive(
                    "fits.k", "fits.r", "fits.alpha", "fits.a", "fits.b",
                    "buyers.repeats", "buyers.age_at_last_days", "buyers.age_days",
                ) }}
        end as p_alive,
        -- The method's score: log-odds of a purchase, or for a rule minus the log of the silence.
        {{ probability_of(
            "fits.calibration_intercept + fits.calibration_slope * case when fits.method = 'mbg_cnbd' then "
            ~ log_odds(mbg_cnbd_p_active(
                "fits.k", "fits.r", "fits.alpha", "fits.a", "fits.b",
                "buyers.repeats", "buyers.age_at_last_days", "buyers.age_days", "buyers.horizon_days",
            ))
            ~ " else -ln(1 + buyers.age_days - buyers.age_at_last_days) end"
        ) }} as p_active
    from buyers
    inner join {{ source("control", "dormancy_fit") }} as fits
        on
            buyers.model_version = fits.model_version
            and buyers.model_category = fits.model_category

),

scored as (

    select
        *,
        -- A model: if still a customer, at the rate that the silence until now leaves likely. A rule: at the
        -- expected gap, as far as the past says that silence is no sleep.
        case
            when method = 'mbg_cnbd'
                then p_alive * horizon_days * (r + k * repeats) / (k * (alpha + age_days))
            else coalesce(p_active, 1) * horizon_days / expected_gap_days
        end as expected_purchase_days,
        -- Margin of one purchase-day, the customer's own mean shrunk towards the category's.
        (value_weight * value_mean + life_margin) / (value_weight + purchase_days) as purchase_margin
    from judged_by

),

non_buyers as (

    select
        dates.as_of_date,
        customers.customer_id,
        -- Who bought after the date had registered by then, or had at least been seen.
        case when customers.customer_kind = 'enquirer' then 'enquirer' else 'registrant' end as customer_kind,
        customers.first_seen_on,
        settings.activity_x_days
    from dates
    inner join {{ ref("customer") }} as customers on dates.as_of_date >= customers.first_seen_on
    left join {{ ref("int_buyer") }} as buyers
        on dates.as_of_date = buyers.as_of_date and customers.customer_id = buyers.customer_id
    cross join settings
    where buyers.customer_id is null

),

-- Everybody, and the day on which sleep begins if nothing happens after the purchase or registration.
everybody as (

    select
        as_of_date,
        customer_id,
        'buyer' as customer_kind,
        method,
        model_version,
        model_category,
        purchase_days,
        expected_gap_days,
        first_purchase_on,
        last_purchase_on,
        last_purchase_on as silent_from_date,
        p_alive,
        p_active,
        theta,
        tuned_x_days as x_days,
        horizon_days,
        next_season_days is not null as seasonal,
        -- The season passes six weeks after its middle.
        {{ add_days(
            "last_purchase_on", "greatest(dormant_after_days, coalesce(next_season_days + 45, 0))"
        ) }} as asleep_from_date,
        {{ add_days(
            "last_purchase_on", "greatest(cooling_after_days, coalesce(next_season_days, 0))"
        ) }} as cool_from_date,
        cast(0 as integer) as activity_x_days,
        case
            when 10 * (value_rank - 1) < 2 * all_buyers then 'high'
            when 10 * (value_rank - 1) < 5 * all_buyers then 'mid'
            else 'low'
        end as value_tier,
        -- Margin of one horizon if nothing is done: purchase-days to be expected times what one is worth.
        cast(greatest(expected_purchase_days * purchase_margin, 0) as decimal(18, 2)) as expected_value,
        purchase_margin
    from scored
    union all
    select
        as_of_date,
        customer_id,
        customer_kind,
        'activity_x' as method,
        null as model_version,
        'all' as model_category,
        0 as purchase_days,
        null as expected_gap_days,
        null as first_purchase_on,
        null as last_purchase_on,
        first_seen_on as silent_from_date,
        null as p_alive,
        null as p_active,
        null as theta,
        activity_x_days as x_days,
        activity_x_days as horizon_days,
        false as seasonal,
        {{ add_days("first_seen_on", "activity_x_days") }} as asleep_from_date,
        {{ add_days("first_seen_on", "ceil(2 * activity_x_days / 3.0)") }} as cool_from_date,
        activity_x_days,
        'low' as value_tier,
        cast(0 as decimal(18, 2)) as expected_value,
        null as purchase_margin
    from non_buyers

),

activity_days as (

    select
        days.customer_id,
        days.active_on,
        max(grace.grace_days) as grace_days
    from {{ ref("int_activity_day") }} as days
    inner join {{ ref("activity_grace") }} as grace on days.kind = grace.kind
    group by days.customer_id, days.active_on

),

-- Each active day since the purchase, and until when the earlier ones kept the customer awake: an act wakes
-- who was asleep by then.
acts as (

    select
        everybody.as_of_date,
        everybody.customer_id,
        activity_days.active_on,
        {{ add_days(
            "activity_days.active_on", "greatest(activity_days.grace_days, everybody.activity_x_days)"
        ) }} as awake_until_date,
        max({{ add_days(
            "activity_days.active_on", "greatest(activity_days.grace_days, everybody.activity_x_days)"
        ) }}) over (
            partition by everybody.as_of_date, everybody.customer_id
            order by activity_days.active_on
            rows between unbounded preceding and 1 preceding
        ) as earlier_until_date,
        everybody.asleep_from_date
    from everybody
    inner join activity_days
        on
            everybody.customer_id = activity_days.customer_id
            and everybody.as_of_date >= activity_days.active_on
            and everybody.silent_from_date < activity_days.active_on

),

activity as (

    select
        as_of_date,
        customer_id,
        max(active_on) as last_active_on,
        max(awake_until_date) as awake_until_date,
        max(active_on) filter (
            where active_on >= greatest(asleep_from_date, coalesce(earlier_until_date, asleep_from_date))
        ) as woken_on
    from acts
    group by as_of_date, customer_id

),

dated as (

    select
        everybody.*,
        greatest(everybody.silent_from_date, coalesce(activity.last_active_on, everybody.silent_from_date))
            as last_activity_on,
        greatest(
            everybody.asleep_from_date, coalesce(activity.awake_until_date, everybody.asleep_from_date)
        ) as dormant_from_date,
        case
            when everybody.customer_kind = 'buyer'
                then
                    greatest(
                        everybody.cool_from_date, coalesce(activity.awake_until_date, everybody.cool_from_date)
                    )
            else
                greatest(
                    everybody.cool_from_date,
                    {{ add_days(
                        "coalesce(activity.last_active_on, everybody.silent_from_date)",
                        "ceil(2 * everybody.activity_x_days / 3.0)",
                    ) }}
                )
        end as cooling_from_date,
        coalesce(activity.woken_on, everybody.silent_from_date) as episode_anchor_on
    from everybody
    left join activity
        on
            everybody.as_of_date = activity.as_of_date
            and everybody.customer_id = activity.customer_id

),

judged as (

    select
        *,
        {{ days_between("last_purchase_on", "as_of_date") }} as days_since_purchase,
        {{ days_between("last_activity_on", "as_of_date") }} as days_since_activity,
        case
            when as_of_date >= {{ add_days("dormant_from_date", "3 * horizon_days") }} then 'lost'
            when as_of_date >= {{ add_days("dormant_from_date", "horizon_days") }} then 'deep_dormant'
            when as_of_date >= dormant_from_date then 'dormant'
            when as_of_date >= cooling_from_date then 'cooling'
            else 'active'
        end as dormancy_state
    from dated

)

select
    as_of_date,
    customer_id,
    customer_kind,
    method,
    model_version,
    model_category,
    cast(purchase_days as integer) as purchase_days,
    cast(expected_gap_days as double) as expected_gap_days,
    {{ add_days("last_purchase_on", "round(expected_gap_days)") }} as expected_next_purchase_on,
    first_purchase_on,
    last_purchase_on,
    last_activity_on,
    cast(days_since_purchase as integer) as days_since_purchase,
    cast(days_since_activity as integer) as days_since_activity,
    cast(p_alive as double) as p_alive,
    cast(p_active as double) as p_active,
    cast(horizon_days as integer) as horizon_days,
    cast(theta as double) as theta,
    seasonal,
    cooling_from_date,
    dormant_from_date,
    dormancy_state,
    case when as_of_date >= dormant_from_date then dormant_from_date end as dormant_since,
    cast(case
        when as_of_date >= dormant_from_date
            then {{ days_between("dormant_from_date", "as_of_date") }}
    end as integer) as dormancy_days,
    value_tier,
    expected_value,
    cast(purchase_margin as decimal(18, 2)) as purchase_margin,
    {{ stable_id("e_", ["customer_id", "episode_anchor_on"]) }} as episode_id,
    case
        when customer_kind != 'buyer'
            then
                case when customer_kind = 'registrant' then 'registered' else 'asked' end
                || ', never bought; last seen ' || days_since_activity || ' days ago'
        else
            'bought '
            || case
                when purchase_days > 1 then 'every ' || cast(round(expected_gap_days) as integer) || ' days '
                else ''
            end
            || 'on ' || purchase_days || case when purchase_days = 1 then ' day' else ' days' end
            || case when seasonal then ', in season' else '' end
            || '; silent for ' || days_since_purchase
            || case
                when method = 'mbg_cnbd'
                    then
                        '; ' || cast(round(100 * p_active) as integer) || ' % likely to buy within '
                        || horizon_days || ' days'
                else
                    '; buyers' || case when model_category = 'all' then '' else ' of ' || model_category end
                    || ' sleep from day ' || x_days || ' on'
            end
    end
    || case
        when as_of_date >= dormant_from_date then '; asleep since ' else '; awake until '
    end || dormant_from_date as explanation,
    case
        when customer_kind != 'buyer'
            then
                case when customer_kind = 'registrant' then '已注册' else '曾咨询' end
                || '，从未购买；最近一次活动在 ' || days_since_activity || ' 天前'
        else
            '共 ' || purchase_days || ' 个购买日'
            || case
                when purchase_days > 1 then '，约每 ' || cast(round(expected_gap_days) as integer) || ' 天一次'
                else ''
            end
            || case when seasonal then '，季节性购买' else '' end
            || '；已沉默 ' || days_since_purchase || ' 天；'
            || case
                when method = 'mbg_cnbd'
                    then
                        horizon_days || ' 天内再次购买的概率约 ' || cast(round(100 * p_active) as integer) || '%'
                else
                    case when model_category = 'all' then '' else model_category || ' 类' end
                    || '买家自第 ' || x_days || ' 天起视为沉睡'
            end
    end
    || case
        when as_of_date >= dormant_from_date then '；沉睡始于 ' else '；清醒至 '
    end || dormant_from_date as explanation_zh
from judged
