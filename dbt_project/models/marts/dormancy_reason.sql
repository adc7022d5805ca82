{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

-- With its evidence, for the run's newest date and month-ends: the others have their primary reason in
-- customer_dormancy. The newest date stops being it with the next one, and goes then (pipelines/history.py).
with kept_dates as (

    select as_of_date
    from {{ ref("int_reported_date") }}
    where
        as_of_date = (select max(as_of_date) from {{ ref("int_reported_date") }})
        or as_of_date = last_day(as_of_date)

)

select
    reasons.as_of_date,
    reasons.customer_id,
    reasons.reason,
    reasons.sub_reason,
    reasons.score,
    reasons.rank,
    reasons.evidence
from {{ ref("int_dormancy_reason") }} as reasons
inner join kept_dates on reasons.as_of_date = kept_dates.as_of_date
