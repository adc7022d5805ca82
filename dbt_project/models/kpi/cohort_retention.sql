-- How many of those who first bought in a month bought in each month after it, until the month that is not over yet.
with measured as (

    select * from {{ control("measured_until") }}

),

bought as (

    select
        days.customer_id,
        cast(date_trunc('month', days.purchased_on) as date) as bought_in
    from {{ ref("int_kept_day") }} as days
    cross join measured
    where
        days.purchased_on < measured.known_until
        and coalesce(days.emptied_on >= measured.known_until, true)
    group by days.customer_id, cast(date_trunc('month', days.purchased_on) as date)

),

cohorts as (

    select
        customer_id,
        min(bought_in) as cohort_month
    from bought
    group by customer_id

),

sizes as (

    select
        cohort_month,
        count(*) as customers
    from cohorts
    group by cohort_month

),

later as (

    select unnest(range(0, 1200)) as month

),

-- Every month up to now has a row, also one in which nobody bought.
months as (

    select
        sizes.cohort_month,
        sizes.customers,
        later.month
    from sizes
    cross join measured
    cross join later
    where {{ months_later("sizes.cohort_month", "later.month") }} < measured.known_until

),

active as (

    select
        cohorts.cohort_month,
        {{ months_between("cohorts.cohort_month", "bought.bought_in") }} as month,
        count(*) as customers
    from bought
    inner join cohorts on bought.customer_id = cohorts.customer_id
    group by cohorts.cohort_month, bought.bought_in

),

revenue as (

    select
        cohorts.cohort_month,
        {{ months_between("cohorts.cohort_month", "cast(date_trunc('month', days.booked_on) as date)") }} as month,
        sum(days.net_amount) as net_revenue
    from {{ ref("int_revenue_day") }} as days
    cross join measured
    inner join cohorts on days.customer_id = cohorts.customer_id
    where days.booked_on < measured.known_until
    group by
        cohorts.cohort_month,
        {{ months_between("cohorts.cohort_month", "cast(date_trunc('month', days.booked_on) as date)") }}

)

select
    months.cohort_month,
    cast(months.month as integer) as month,
    cast(months.customers as bigint) as customers,
    cast(coalesce(active.customers, 0) as bigint) as active,
    cast(coalesce(revenue.net_revenue, 0) as decimal(18, 2)) as net_revenue
from months
left join active on months.cohort_month = active.cohort_month and months.month = active.month
left join revenue on months.cohort_month = revenue.cohort_month and months.month = revenue.month
