-- What was known of every buyer on the run's dates and their eves, and the fit that judges the buyer: the one
-- in force at the last purchase, else the oldest one known. So a customer's own X is settled when the
-- customer buys, and a later fit neither puts anybody to sleep nor wakes anybody.
with dates as (

    select as_of_date from {{ ref("int_as_of_date") }}

),

fits as (

    select * from {{ source("control", "dormancy_fit") }}

),

purchases as (

    select
        dates.as_of_date,
        days.customer_id,
        min(days.purchased_on) as first_purchase_on,
        max(days.purchased_on) as last_purchase_on,
        count(*) as purchase_days,
        {{ whole_sum("cos(" ~ season_angle("days.purchased_on") ~ ")") }} as season_cosines,
        {{ whole_sum("sin(" ~ season_angle("days.purchased_on") ~ ")") }} as season_sines
    from dates
    inner join {{ ref("int_kept_day") }} as days
        on
            dates.as_of_date >= days.purchased_on
            and (days.emptied_on is null or dates.as_of_date < days.emptied_on)
    group by dates.as_of_date, days.customer_id

),

category_days as (

    -- Up to the last purchase: what falls out of the two years while the customer is silent changes nothing.
    select
        purchases.as_of_date,
        purchases.customer_id,
        days.category,
        count(*) as days,
        max(days.purchased_on) as last_on
    from purchases
    inner join {{ ref("int_kept_category_day") }} as days
        on
            purchases.customer_id = days.customer_id
            and purchases.as_of_date >= days.purchased_on
            and days.purchased_on > {{ add_days("purchases.last_purchase_on", -730) }}
            and (days.emptied_on is null or purchases.as_of_date < days.emptied_on)
    group by purchases.as_of_date, purchases.customer_id, days.category

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

newest_fit as (

    select
        dates.as_of_date,
        max(fits.fitted_on) as fitted_on,
        max_by(fits.fit_number, fits.fitted_on) as fit_number
    from dates
    inner join fits on dates.as_of_date >= fits.fitted_on
    group by dates.as_of_date

),

-- A fit that a backfill makes for an older date changes nothing for the dates after it, in whatever order they are
-- run.
known_fit as (

    select distinct
        newest_fit.as_of_date,
        fits.fitted_on
    from newest_fit
    inner join fits
        on
            newest_fit.fitted_on = fits.fitted_on
            or (
                newest_fit.as_of_date >= fits.fitted_on
                and newest_fit.fit_number >= fits.fit_number
                and not fits.backfilled
            )

),

last_days as (

    select distinct
        as_of_date,
        last_purchase_on
    from purchases

),

fit_at_purchase as (

    select
        last_days.as_of_date,
        last_days.last_purchase_on,
        coalesce(
            max(known_fit.fitted_on) filter (where last_days.last_purchase_on >= known_fit.fitted_on),
            min(known_fit.fitted_on)
        ) as fitted_on
    from last_days
    inner join known_fit on last_days.as_of_date = known_fit.as_of_date
    group by last_days.as_of_date, last_days.last_purchase_on

),

dated as (

    select
        purchases.*,
        main_category.category as main_category,
        fit_at_purchase.fitted_on,
        purchases.purchase_days - 1 as repeats,
        {{ days_between("purchases.first_purchase_on", "purchases.last_purchase_on") }} as age_at_last_days
    from purchases
    inner join fit_at_purchase
        on
            purchases.as_of_date = fit_at_purchase.as_of_date
            and purchases.last_purchase_on = fit_at_purchase.last_purchase_on
    left join main_category
        on
            purchases.as_of_date = main_category.as_of_date
            and purchases.customer_id = main_category.customer_id

)

select
    dated.*,
    coalesce(own.model_version, pooled.model_version) as model_version,
    coalesce(own.model_category, pooled.model_category) as model_category
from dated
left join fits as own
    on dated.fitted_on = own.fitted_on and dated.main_category = own.model_category
left join fits as pooled
    on dated.fitted_on = pooled.fitted_on and pooled.model_category = 'all'
