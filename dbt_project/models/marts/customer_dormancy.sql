{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

select dormancy.*
from {{ ref("int_customer_dormancy") }} as dormancy
inner join {{ ref("int_reported_date") }} as dates on dormancy.as_of_date = dates.as_of_date
