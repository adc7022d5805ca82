{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

select
    dormancy.as_of_date,
    dormancy.dormancy_state,
    dormancy.value_tier,
    dormancy.primary_reason,
    cast(count(*) as bigint) as customers,
    cast(sum(dormancy.expected_value) as decimal(18, 2)) as expected_value
from {{ ref("customer_dormancy") }} as dormancy
inner join {{ ref("int_reported_date") }} as dates on dormancy.as_of_date = dates.as_of_date
group by dormancy.as_of_date, dormancy.dormancy_state, dormancy.value_tier, dormancy.primary_reason
