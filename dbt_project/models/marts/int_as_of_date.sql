-- The run's as-of dates, and the day before each: movement compares a date with its eve.
-- A run without a window is a fault of the caller and stops here instead of building empty marts.
with as_of_window as (

    select
        case
            when count(*) = 1 then any_value(as_of_dates)
            else {{ raise_error("control.as_of_window must hold one row: the dates of this run") }}
        end as as_of_dates
    from {{ control("as_of_window") }}

),

reported as (

    select unnest(as_of_dates) as as_of_date
    from as_of_window

),

eves as (

    select {{ add_days("as_of_date", -1) }} as as_of_date
    from reported

)

select
    as_of_date,
    true as is_reported
from reported
union all
select distinct
    as_of_date,
    false as is_reported
from eves
where as_of_date not in (select as_of_date from reported)
