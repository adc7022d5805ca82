-- Dormancy of every known customer on the run's dates and their eves, by the tuned X of the category.
-- The rule is the honest baseline: X is what separated past sleepers best, per category, and no model yet.
with dates as (

    select as_of_date from {{ ref("int_as_of_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

fits as (

    select * from {{ source("control", "dormancy_fit") }}

),

date_fit as (

    -- The newest fit that was known on the date.
    select
        dates.as_of_date,
        max(fits.fitted_on) as fitted_on
    from dates
    left join fits on dates.as_of_date >= fits.fitted_on
    group by dates.as_of_date

),

purchases as (

    select
        dates.as_of_date,
        days.customer_id,
        min(days.purchased_on) as first_purchase_on,
        max(days.purchased_on) as last_purchase_on,
        count(*) as purchase_days
    from dates
    inner join {{ ref("int_kept_day") }} as days
        on
            dates.as_of_date >= days.purchased_on
            and (days.emptied_on is null or dates.as_of_date < days.emptied_on)
    group by dates.as_of_date, days.customer_id

),

activity as (

    select
        dates.as_of_date,
        days.customer_id,
        max(days.active_on) as last_active_on
    from dates
    inner join {{ ref("int_activity_day") }} as days on dates.as_of_date >= days.active_on
    group by dates.as_of_date, days.customer_id

),

category_days as (

    select
        dates.as_of_date,
        days.customer_id,
        days.category,
        count(*) as days,
        max(days.purchased_on) as last_on
    from dates
    inner join {{ ref("int_kept_category_day") }} as days
        on
            dates.as_of_date >= days.purchased_on
            and days.purchased_on > {{ add_days("dates.as_of_date", -730) }}
            and (days.emptied_on is null or dates.as_of_date < days.emptied_on)
    group by dates.as_of_date, days.customer_id, days.category

),

main_category as (

    select
        as_of_date,
        customer_id,
        category
    from category_days
    qualify row_number() over (
        partition by as_of_date, customer_id order by days desc, last_on desc, category asc
    ) = 1

),

last_year as (

    -- Historical value: net margin in the 365 days up to the last purchase.
    select
        purchases.as_of_date,
        purchases.customer_id,
        sum(booked.margin_amount) as margin,
        sum(booked.net_amount) as net_amount
    from purchases
    inner join {{ ref("int_revenue_day") }} as booked
        on
            purchases.customer_id = booked.customer_id
            and purchases.as_of_date >= booked.booked_on
            and booked.booked_on > {{ add_days("purchases.last_purchase_on", -365) }}
    group by purchases.as_of_date, purchases.customer_id

),

tiers as (

    select
        purchases.as_of_date,
        purchases.customer_id,
        coalesce(last_year.margin, 0) as margin,
        count(*) over (partition by purchases.as_of_date) as buyers,
        rank() over (
            partition by purchases.as_of_date order by coalesce(last_year.margin, 0) desc
        ) as value_rank
    from purchases
    left join last_year
        on
            purchases.as_of_date = last_year.as_of_date
            and purchases.customer_id = last_year.customer_id

),

buyers as (

    select
        purchases.as_of_date,
        purchases.customer_id,
        purchases.purchase_days,
        purchases.first_purchase_on,
        purchases.last_purchase_on,
        activity.last_active_on,
        date_fit.fitted_on,
        coalesce(own.model_category, pooled.model_category) as model_category,
        coalesce(own.model_version, pooled.model_version) as model_version,
        coalesce(own.tuned_x_days, pooled.tuned_x_days) as tuned_x_days,
        -- Two gaps of the category count as much as the customer's own history.
        (
            2 * coalesce(own.median_gap_days, pooled.median_gap_days)
            + {{ days_between("purchases.first_purchase_on", "purchases.last_purchase_on") }}
        ) / (2.0 + purchases.purchase_days - 1) as expected_gap_days,
        tiers.margin,
        case
            when 10 * (tiers.value_rank - 1) < 2 * tiers.buyers then 'high'
            when 10 * (tiers.value_rank - 1) < 5 * tiers.buyers then 'mid'
            else 'low'
        end as value_tier
    from purchases
    inner join date_fit on purchases.as_of_date = date_fit.as_of_date
    left join activity
        on purchases.as_of_date = activity.as_of_date and purchases.customer_id = activity.customer_id
    left join main_category
        on
            purchases.as_of_date = main_category.as_of_date
            and purchases.customer_id = main_category.customer_id
    left join fits as own
        on
            date_fit.fitted_on = own.fitted_on
            and main_category.category = own.model_category
            and own.method = 'tuned_x'
    left join fits as pooled
        on
            date_fit.fitted_on = pooled.fitted_on
            and pooled.model_category = 'all'
            and pooled.method = 'tuned_x'
    left join tiers
        on
            purchases.as_of_date = tiers.as_of_date
            and purchases.customer_id = tiers.customer_id

),

dated_buyers as (

    select
        buyers.*,
        cast(least(
            greatest(
                ceil(2 * expected_gap_days), settings.min_horizon_days
            ), settings.max_horizon_days
        ) as integer) as horizon_days,
        {{ add_days("last_purchase_on", "tuned_x_days") }} as dormant_from_date,
        -- Two thirds of the way to sleep.
        {{ add_days("last_purchase_on", "ceil(2 * tuned_x_days / 3.0)") }} as cooling_from_date
    from buyers
    cross join settings

),

non_buyers as (

    select
        dates.as_of_date,
        customers.customer_id,
        -- Who bought after the date had registered by then, or had at least been seen.
        case when customers.customer_kind = 'enquirer' then 'enquirer' else 'registrant' end as customer_kind,
        coalesce(activity.last_active_on, customers.first_seen_on) as last_activity_on,
        settings.activity_x_days
    from dates
    inner join {{ ref("customer") }} as customers on dates.as_of_date >= customers.first_seen_on
    left join activity
        on dates.as_of_date = activity.as_of_date and customers.customer_id = activity.customer_id
    left join purchases
        on dates.as_of_date = purchases.as_of_date and customers.customer_id = purchases.customer_id
    cross join settings
    where purchases.customer_id is null

),

everybody as (

    select
        as_of_date,
        customer_id,
        'buyer' as customer_kind,
        'tuned_x' as method,
        model_version,
        model_category,
        purchase_days,
        expected_gap_days,
        {{ add_days("last_purchase_on", "round(expected_gap_days)") }} as expected_next_purchase_on,
        last_purchase_on,
        greatest(last_purchase_on, last_active_on) as last_activity_on,
        tuned_x_days as x_days,
        horizon_days,
        dormant_from_date,
        cooling_from_date,
        value_tier,
        -- What one horizon is worth at the customer's own rhythm.
        cast(greatest(margin, 0) / purchase_days * horizon_days / expected_gap_days as decimal(18, 2))
            as expected_value,
        last_purchase_on as episode_anchor_on
    from dated_buyers
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
        null as expected_next_purchase_on,
        null as last_purchase_on,
        last_activity_on,
        activity_x_days as x_days,
        activity_x_days as horizon_days,
        {{ add_days("last_activity_on", "activity_x_days") }} as dormant_from_date,
        {{ add_days("last_activity_on", "ceil(2 * activity_x_days / 3.0)") }} as cooling_from_date,
        'low' as value_tier,
        cast(0 as decimal(18, 2)) as expected_value,
        last_activity_on as episode_anchor_on
    from non_buyers

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
    from everybody

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
    expected_next_purchase_on,
    cast(days_since_purchase as integer) as days_since_purchase,
    cast(days_since_activity as integer) as days_since_activity,
    cast(null as double) as p_alive,
    cast(null as double) as p_active,
    cast(horizon_days as integer) as horizon_days,
    cast(null as double) as theta,
    dormant_from_date,
    cooling_from_date,
    last_purchase_on,
    last_activity_on,
    dormancy_state,
    case when as_of_date >= dormant_from_date then dormant_from_date end as dormant_since,
    cast(case
        when as_of_date >= dormant_from_date
            then {{ days_between("dormant_from_date", "as_of_date") }}
    end as integer) as dormancy_days,
    value_tier,
    expected_value,
    {{ stable_id("e_", ["customer_id", "episode_anchor_on"]) }} as episode_id,
    case
        when customer_kind != 'buyer'
            then
                case when customer_kind = 'registrant' then 'registered' else 'asked' end
                || ', never bought; last seen ' || days_since_activity || ' days ago'
        else
            'bought on ' || purchase_days || case when purchase_days = 1 then ' day' else ' days' end
            || case
                when purchase_days > 1 then ', about every ' || cast(round(expected_gap_days) as integer) || ' days'
                else ''
            end
            || '; silent for ' || days_since_purchase
            || '; buyers' || case when model_category = 'all' then '' else ' of ' || model_category end
            || ' sleep from day ' || x_days || ' on'
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
            || '；已沉默 ' || days_since_purchase
            || ' 天；' || case when model_category = 'all' then '' else model_category || ' 类' end
            || '买家自第 ' || x_days || ' 天起视为沉睡'
    end
    || case
        when as_of_date >= dormant_from_date then '；沉睡始于 ' else '；清醒至 '
    end || dormant_from_date as explanation_zh
from judged
