-- Categories that are bought in one season of the year, as known on each date: after two seasons at least.
with days as (

    select
        category,
        purchased_on,
        count(*) as customers
    from {{ ref("int_kept_category_day") }}
    group by category, purchased_on

),

direction as (

    select
        dates.as_of_date,
        days.category,
        sum(days.customers) as customer_days,
        {{ whole_sum("days.customers * cos(" ~ season_angle("days.purchased_on") ~ ")") }} as season_cosines,
        {{ whole_sum("days.customers * sin(" ~ season_angle("days.purchased_on") ~ ")") }} as season_sines,
        min(days.purchased_on) as first_on,
        max(days.purchased_on) as last_on
    from {{ ref("int_as_of_date") }} as dates
    inner join days on dates.as_of_date >= days.purchased_on
    group by dates.as_of_date, days.category

)

select
    as_of_date,
    category,
    season_cosines,
    season_sines
from direction
-- Wider than for one customer: a season of a category lasts up to a quarter of the year.
where
    {{ season_concentration("season_cosines", "season_sines", "customer_days") }} >= 0.8
    and {{ days_between("first_on", "last_on") }} >= 300
