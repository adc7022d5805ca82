{{ config(meta={
    "dagster": {"ref": {"name": "dormancy_reason"}},
    "remedy": "Compare int_dormancy_reason with the states in customer_dormancy for these customers.",
}) }}

-- On the dates that have reasons every sleeper has exactly one of rank 1, the one of customer_dormancy, and nobody
-- who is awake has any.
with primaries as (

    select
        as_of_date,
        customer_id,
        min(reason) as reason,
        count(*) as reasons
    from {{ ref("dormancy_reason") }}
    where rank = 1
    group by as_of_date, customer_id

),

people as (

    select
        as_of_date,
        customer_id,
        dormant_since,
        primary_reason
    from {{ ref("customer_dormancy") }}
    where as_of_date in (select as_of_date from {{ ref("dormancy_reason") }})

)

select
    people.as_of_date,
    people.customer_id,
    people.dormant_since,
    people.primary_reason,
    primaries.reason
from people
left join primaries
    on people.as_of_date = primaries.as_of_date and people.customer_id = primaries.customer_id
where
    (people.dormant_since is null) != (primaries.customer_id is null)
    or primaries.reasons > 1
    or people.primary_reason is distinct from primaries.reason
