{{ config(meta={
    "dagster": {"ref": {"name": "dormancy_overview"}},
    "remedy": "Look in dormancy_overview for a join that repeats customers, or a state that it leaves out.",
    "shown": ["customers_1"],
}) }}

-- The overview counts every customer of customer_dormancy once.
with overview as (
    select
        as_of_date,
        sum(customers) as customers
    from {{ ref("dormancy_overview") }}
    group by as_of_date
),

dormancy as (
    select
        as_of_date,
        count(*) as customers
    from {{ ref("customer_dormancy") }}
    group by as_of_date
)

select *
from overview
full outer join dormancy using (as_of_date)
where overview.customers is distinct from dormancy.customers
