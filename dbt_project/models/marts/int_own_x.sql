-- The days of silence after which somebody with such a history sleeps, and those after which the history
-- cools: one row per fit and history, as customers with equal histories have the same X.
-- For a model, the last day on which the probability of a purchase within the horizon still reaches the
-- threshold; for a rule, its X.
with settings as (

    select * from {{ control("profile") }}

),

histories as (

    select distinct
        model_version,
        model_category,
        repeats,
        age_at_last_days
    from {{ ref("int_buyer") }}

),

expected as (

    select
        histories.*,
        fits.method,
        cast(fits.k as double) as k,
        fits.r,
        fits.alpha,
        fits.a,
        fits.b,
        fits.theta,
        fits.tuned_x_days,
        coalesce(fits.calibration_intercept, 0) as calibration_intercept,
        coalesce(fits.calibration_slope, 1) as calibration_slope,
        case
            when fits.method = 'mbg_cnbd'
                then {{ mbg_cnbd_gap_days(
                    "fits.k", "fits.r", "fits.alpha", "histories.repeats", "histories.age_at_last_days"
                ) }}
            -- Two gaps of the category count as much as the customer's own history.
            else (2 * fits.median_gap_days + histories.age_at_last_days) / (2.0 + histories.repeats)
        end as expected_gap_days
    from histories
    inner join {{ source("control", "dormancy_fit") }} as fits
        on
            histories.model_version = fits.model_version
            and histories.model_category = fits.model_category

),

framed as (

    select
        expected.*,
        cast(least(
            greatest(ceil(2 * expected.expected_gap_days), settings.min_horizon_days),
            settings.max_horizon_days
        ) as integer) as horizon_days
    from expected
    cross join settings

),

-- The thresholds on the model's own probability: those on the recalibrated one, taken back.
thresholds as (

    select
        *,
        'dormant' as threshold,
        {{ probability_of("(" ~ log_odds("theta") ~ " - calibration_intercept) / calibration_slope") }}
            as p_threshold
    from framed
    where method = 'mbg_cnbd'
    union all
    select
        *,
        'cooling' as threshold,
        -- At θ = .5 two thirds.
        {{ probability_of(
            "(" ~ log_odds("(theta + 0.34 * (1 - theta))") ~ " - calibration_intercept) / calibration_slope"
        ) }} as p_threshold
    from framed
    where method = 'mbg_cnbd'

),

solved as (

    select
        model_version,
        model_category,
        repeats,
        age_at_last_days,
        max(last_likely_day) filter (where threshold = 'dormant') as last_likely_day,
        max(last_likely_day) filter (where threshold = 'cooling') as last_warm_day
    from {{ last_likely_day("thresholds") }}
    group by model_version, model_category, repeats, age_at_last_days

)

select
    framed.model_version,
    framed.model_category,
    framed.repeats,
    framed.age_at_last_days,
    framed.expected_gap_days,
    framed.horizon_days,
    -- A purchase is followed by one and a half expected gaps of grace: without it one-time buyers, of whom the
    -- model knows least, would sleep as they leave the shop.
    cast(case
        when framed.method = 'mbg_cnbd'
            then greatest(solved.last_likely_day + 1, ceil(1.5 * framed.expected_gap_days))
        else greatest(framed.tuned_x_days, 1)
    end as integer) as dormant_after_days,
    cast(case
        when framed.method = 'mbg_cnbd'
            then greatest(solved.last_warm_day + 1, ceil(framed.expected_gap_days))
        -- Two thirds of the way to sleep.
        else greatest(ceil(2 * framed.tuned_x_days / 3.0), 1)
    end as integer) as cooling_after_days
from framed
left join solved
    on
        framed.model_version = solved.model_version
        and framed.model_category = solved.model_category
        and framed.repeats = solved.repeats
        and framed.age_at_last_days = solved.age_at_last_days
