{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

-- Why they sleep, by what they mostly bought and by class of the guide. By state and value tier the reasons are in
-- dormancy_overview.
with sleepers as (

    select
        dormancy.as_of_date,
        dormancy.model_category,
        rfm.guide_class,
        dormancy.primary_reason
    from {{ ref("customer_dormancy") }} as dormancy
    inner join {{ ref("int_reported_date") }} as dates on dormancy.as_of_date = dates.as_of_date
    left join {{ ref("customer_rfm") }} as rfm
        on dormancy.as_of_date = rfm.as_of_date and dormancy.customer_id = rfm.customer_id
    where dormancy.dormant_since is not null

),

counted as (

    select
        as_of_date,
        model_category,
        guide_class,
        primary_reason,
        count(*) as customers
    from sleepers
    group by as_of_date, model_category, guide_class, primary_reason

)

select
    as_of_date,
    model_category,
    guide_class,
    primary_reason,
    cast(customers as bigint) as customers,
    cast(customers as double)
    / cast(sum(customers) over (partition by as_of_date, model_category, guide_class) as double) as share
from counted
