{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="moved_on",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

-- Who changed segment on a date, against the eve of that date as it is known now: a date's movements depend
-- on that date alone, not on which dates were computed before it.
with rfm_schemes as (

    select 'guide_class' as scheme
    union all
    select 'segment_8' as scheme
    union all
    select 'segment_11' as scheme

),

placed as (

    select
        rfm.as_of_date,
        rfm.customer_id,
        rfm_schemes.scheme,
        case rfm_schemes.scheme
            when 'guide_class' then rfm.guide_class
            when 'segment_8' then rfm.segment_8
            else rfm.segment_11
        end as segment
    from {{ ref("int_customer_rfm") }} as rfm
    cross join rfm_schemes
    union all
    select
        as_of_date,
        customer_id,
        'dormancy_state' as scheme,
        dormancy_state as segment
    from {{ ref("int_customer_dormancy") }}

),

today as (

    select placed.*
    from placed
    inner join {{ ref("int_reported_date") }} as dates on placed.as_of_date = dates.as_of_date

),

eve as (

    select
        {{ add_days("placed.as_of_date", 1) }} as as_of_date,
        placed.customer_id,
        placed.scheme,
        placed.segment
    from placed
    inner join {{ ref("int_reported_date") }} as dates
        on {{ add_days("placed.as_of_date", 1) }} = dates.as_of_date

)

select
    customer_id,
    scheme,
    eve.segment as from_segment,
    today.segment as to_segment,
    as_of_date as moved_on
from today
full outer join eve using (as_of_date, customer_id, scheme)
where today.segment is distinct from eve.segment
union all
-- Movements of dates that this warehouse no longer has: they come back from the lake.
select
    customer_id,
    scheme,
    from_segment,
    to_segment,
    moved_on
from {{ control("lost_movement") }}
