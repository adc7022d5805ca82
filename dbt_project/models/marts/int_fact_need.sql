-- What the goods say about the need: the last thing lasts, is of the season, or a category was left. How a
-- category is bought is judged by all buyers up to the end of the month before the as-of date.
with sleepers as (

    select * from {{ ref("int_sleeper") }}
    where last_purchase_on is not null

),

dates as (

    select distinct
        as_of_date,
        {{ add_days("cast(date_trunc('month', as_of_date) as date)", -1) }} as judged_on
    from sleepers

),

judged_dates as (

    select distinct judged_on from dates

),

category_days as (

    select
        judged_dates.judged_on,
        days.customer_id,
        days.category,
        days.purchased_on,
        lead(days.purchased_on) over (
            partition by judged_dates.judged_on, days.customer_id, days.category order by days.purchased_on
        ) as next_on
    from judged_dates
    inner join {{ ref("int_kept_category_day") }} as days
        on
            judged_dates.judged_on >= days.purchased_on
            and (days.emptied_on is null or judged_dates.judged_on < days.emptied_on)
    where days.category != 'all'

),

followed as (

    -- Only days that had half a year in which to be followed by another.
    select
        judged_on,
        category,
        count(*) as purchase_days,
        avg(case when next_on <= {{ add_days("purchased_on", 180) }} then 0.0 else 1.0 end) as not_again_share
    from category_days
    where purchased_on <= {{ add_days("judged_on", -180) }}
    group by judged_on, category

),

calendar_month as (

    select
        judged_on,
        category,
        extract(month from purchased_on) as month_no,
        count(*) as purchase_days
    from category_days
    group by judged_on, category, extract(month from purchased_on)

),

running as (

    select
        *,
        sum(purchase_days) over (
            partition by judged_on, category order by purchase_days desc, month_no asc
            rows between unbounded preceding and current row
        ) - purchase_days as days_before,
        sum(purchase_days) over (partition by judged_on, category) as days_in_all
    from calendar_month

),

season as (

    -- The fewest calendar months that hold nine tenths of the purchases.
    select
        judged_on,
        category,
        count(*) filter (where days_before < 0.9 * days_in_all) as season_months
    from running
    group by judged_on, category

),

history as (

    select
        judged_on,
        min(purchased_on) as first_on
    from category_days
    group by judged_on

),

trait as (

    select
        dates.as_of_date,
        followed.category,
        followed.not_again_share,
        season.season_months,
        season.season_months <= 5 as is_seasonal
    from dates
    inner join followed on dates.judged_on = followed.judged_on
    inner join season on followed.judged_on = season.judged_on and followed.category = season.category
    inner join history on dates.judged_on = history.judged_on
    -- Some thirty purchases, and a whole year: a category would look seasonal for want of a past.
    where followed.purchase_days >= 30 and history.first_on <= {{ add_days("dates.judged_on", -365) }}

),

bought as (

    select
        sleepers.as_of_date,
        sleepers.customer_id,
        sleepers.last_purchase_on,
        lines.category,
        lines.purchased_on,
        min(lines.line_id) as line_id
    from sleepers
    inner join {{ ref("int_purchase_line") }} as lines
        on
            sleepers.customer_id = lines.customer_id
            and sleepers.last_purchase_on >= lines.purchased_on
            and (lines.emptied_on is null or sleepers.as_of_date < lines.emptied_on)
    where lines.category != 'all'
    group by
        sleepers.as_of_date, sleepers.customer_id, sleepers.last_purchase_on, lines.category, lines.purchased_on

),

last_in_category as (

    select
        as_of_date,
        customer_id,
        category,
        last_purchase_on,
        count(*) as purchase_days,
        min(purchased_on) as first_on,
        max(purchased_on) as last_on,
        arg_max(line_id, purchased_on) as line_id
    from bought
    group by as_of_date, customer_id, category, last_purchase_on

),

left_category as (

    -- A category of one's own (three purchase-days) that two of its usual gaps did not bring back.
    select
        last_in_category.as_of_date,
        last_in_category.customer_id,
        last_in_category.last_on,
        last_in_category.line_id,
        {{ days_between("last_in_category.last_on", "last_in_category.last_purchase_on") }} as days_since
    from last_in_category
    inner join bought
        on
            last_in_category.as_of_date = bought.as_of_date
            and last_in_category.customer_id = bought.customer_id
            and last_in_category.category != bought.category
            and last_in_category.last_on < bought.purchased_on
    where last_in_category.purchase_days >= 3
    group by all
    having
        count(distinct bought.purchased_on) >= 2
        and {{ days_between("last_in_category.last_on", "last_in_category.last_purchase_on") }}
        > 2 * {{ days_between("any_value(last_in_category.first_on)", "last_in_category.last_on") }}
        / any_value(last_in_category.purchase_days - 1)

)

select
    bought.as_of_date,
    bought.customer_id,
    case when trait.is_seasonal then 'seasonal_bought' else 'durable_bought' end as fact,
    bought.purchased_on as happened_on,
    cast(case when trait.is_seasonal then trait.season_months else trait.not_again_share end as double)
        as fact_value,
    'core.order_line' as source_table,
    bought.line_id as source_key
from bought
inner join trait on bought.as_of_date = trait.as_of_date and bought.category = trait.category
union all
select
    as_of_date,
    customer_id,
    'category_left' as fact,
    last_on as happened_on,
    cast(days_since as double) as fact_value,
    'core.order_line' as source_table,
    line_id as source_key
from left_category
