-- The arm of each customer whom a step is due for, or who sleeps: the one drawn before, as long as its outcome is
-- awaited, else a draw by the contact unit (people who share an address) and the year in which the sleep began.
-- Somebody in whom two arms have merged is left alone.
with dates as (

    select * from {{ control("decision_date") }}

),

units as (

    select
        customers.customer_id,
        coalesce(shared.unit_id, customers.customer_id) as unit_id
    from {{ ref("customer") }} as customers
    left join {{ control("contact_unit") }} as shared on customers.customer_id = shared.customer_id

),

people as (

    select
        journeys.as_of_date,
        journeys.customer_id,
        journeys.episode_id,
        units.unit_id,
        cast(extract(year from coalesce(journeys.dormant_since, journeys.as_of_date)) as varchar) as holdout_period
    from {{ ref("int_decision_journey") }} as journeys
    inner join units on journeys.customer_id = units.customer_id
    where journeys.reason_code is null or journeys.dormant_since is not null

),

assigned as (

    select
        dates.as_of_date,
        coalesce(aliases.customer_id, assignments.customer_id) as customer_id,
        assignments.episode_id,
        assignments.arm,
        assignments.assigned_on,
        {{ add_days("assignments.assigned_on", "holdout.outcome_days") }} >= dates.as_of_date as is_awaited
    from dates
    cross join {{ ref("holdout") }} as holdout
    inner join {{ control("arm_assignment") }} as assignments on dates.as_of_date > assignments.assigned_on
    left join {{ ref("customer_alias") }} as aliases on assignments.customer_id = aliases.alias_id

),

own as (

    select
        people.as_of_date,
        people.customer_id,
        min(assigned.arm) as arm,
        count(distinct assigned.arm) as arms
    from people
    inner join assigned
        on
            people.as_of_date = assigned.as_of_date
            and people.customer_id = assigned.customer_id
            and (assigned.is_awaited or people.episode_id = assigned.episode_id)
    group by people.as_of_date, people.customer_id

),

-- Who joins a unit whose members have an arm already, has theirs.
of_unit as (

    select
        assigned.as_of_date,
        units.unit_id,
        min(assigned.arm) as arm
    from assigned
    inner join units on assigned.customer_id = units.customer_id
    where assigned.is_awaited
    group by assigned.as_of_date, units.unit_id
    having count(distinct assigned.arm) = 1

)

select
    people.as_of_date,
    people.customer_id,
    people.unit_id,
    people.holdout_period,
    -- With which probability somebody drawn on the date is held out.
    cast(holdout.universal_share + (1 - holdout.universal_share) * holdout.share as double) as control_share,
    coalesce(own.arms > 1, false) as is_mixed,
    coalesce(
        own.arm,
        of_unit.arm,
        case
            when
                {{ stable_share([
                    "holdout.salt", "'universal'", "extract(year from people.as_of_date)", "people.unit_id",
                ]) }} < holdout.universal_share
                then 'universal_control'
            when
                {{ stable_share(["holdout.salt", "people.holdout_period", "people.unit_id"]) }} < holdout.share
                then 'holdout'
            else 'treated'
        end
    ) as arm
from people
cross join {{ ref("holdout") }} as holdout
left join own on people.as_of_date = own.as_of_date and people.customer_id = own.customer_id
left join of_unit on people.as_of_date = of_unit.as_of_date and people.unit_id = of_unit.unit_id
