-- What gives cause to write to a customer on a date, apart from sleep: one cause, the most pressing. Everything
-- is looked up among what was known at the end of the date, so a simulated past date sees what a real one saw.
with dates as (

    select * from {{ control("decision_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

dormancy as (

    select
        dormancy.as_of_date,
        dormancy.customer_id,
        dormancy.days_since_purchase,
        dormancy.episode_id,
        dormancy.dormant_since,
        dormancy.purchase_days
    from {{ ref("customer_dormancy") }} as dormancy
    inner join dates on dormancy.as_of_date = dates.as_of_date

),

-- A purchase that ended a sleep: seen as a movement between two days, or as a purchase after a touch of ours to
-- who slept then.
woken as (

    select
        dormancy.as_of_date,
        dormancy.customer_id
    from dormancy
    cross join settings
    inner join {{ ref("segment_movement") }} as movements
        on
            dormancy.customer_id = movements.customer_id
            and movements.scheme = 'dormancy_state'
            and movements.from_segment in ('dormant', 'deep_dormant', 'lost')
            and movements.to_segment in ('active', 'cooling')
            and dormancy.as_of_date >= movements.moved_on
            and movements.moved_on > {{ add_days("dormancy.as_of_date", "-settings.woken_days") }}
    where
        dormancy.dormant_since is null
        and {{ add_days("dormancy.as_of_date", "-dormancy.days_since_purchase") }}
        >= {{ add_days("movements.moved_on", -7) }}
    union
    select
        dormancy.as_of_date,
        dormancy.customer_id
    from dormancy
    cross join settings
    inner join {{ ref("int_own_touch") }} as touches
        on
            dormancy.as_of_date = touches.as_of_date
            and dormancy.customer_id = touches.customer_id
            and touches.is_of_sleep
            and dormancy.episode_id != touches.episode_id
    where
        dormancy.dormant_since is null
        and dormancy.days_since_purchase < settings.woken_days
        and {{ add_days("dormancy.as_of_date", "-dormancy.days_since_purchase") }} > touches.touched_on

),

ahead as (

    {%- for days in range(1, 15) %}
        select {{ days }} as days {{ "union all" if not loop.last }}
    {%- endfor %}

),

coming as (

    select
        dates.as_of_date,
        {{ add_days("dates.as_of_date", "ahead.days") }} as coming_on
    from dates
    cross join settings
    inner join ahead on settings.birthday_lead_days >= ahead.days

),

-- Who was born on the 29th of February is greeted on the 28th in the other years.
anniversaries as (

    select
        as_of_date,
        {{ month_and_day("coming_on") }} as month_and_day
    from coming
    union
    select
        as_of_date,
        '02-29' as month_and_day
    from coming
    where
        {{ month_and_day("coming_on") }} = '02-28'
        and {{ month_and_day(add_days("coming_on", 1)) }} = '03-01'

),

birthdays as (

    select
        anniversaries.as_of_date,
        fields.customer_id
    from {{ ref("int_customer_field") }} as fields
    inner join anniversaries on substr(fields.field_value, 6, 5) = anniversaries.month_and_day
    where fields.field = 'birth_date'

),

member_days as (

    select distinct
        coming.as_of_date,
        accounts.customer_id
    from coming
    inner join {{ ref("occasion") }} as occasions
        on
            extract(day from coming.coming_on) = occasions.day
            and extract(month from coming.coming_on) = coalesce(occasions.month, extract(month from coming.coming_on))
    inner join {{ ref("customer_account") }} as accounts on accounts.source = 'pos'

),

-- Who put something into the cart, or looked at several goods, and has not bought since.
browsed as (

    select distinct
        dormancy.as_of_date,
        dormancy.customer_id
    from dormancy
    cross join settings
    inner join {{ ref("session") }} as sessions
        on
            dormancy.customer_id = sessions.customer_id
            and dormancy.as_of_date >= cast(sessions.started_at as date)
            and cast(sessions.started_at as date) > {{ add_days("dormancy.as_of_date", "-settings.browsed_days") }}
    where
        not sessions.is_through_touch
        and (sessions.carts > 0 or sessions.views >= 3)
        and coalesce(
            cast(sessions.started_at as date)
            > {{ add_days("dormancy.as_of_date", "-dormancy.days_since_purchase") }},
            true
        )

),

causes as (

    select
        as_of_date,
        customer_id,
        'woken' as trigger,
        1 as precedence
    from woken
    union all
    select
        as_of_date,
        customer_id,
        'birthday' as trigger,
        2 as precedence
    from birthdays
    union all
    select
        as_of_date,
        customer_id,
        'member_day' as trigger,
        3 as precedence
    from member_days
    union all
    select
        as_of_date,
        customer_id,
        'browsed' as trigger,
        4 as precedence
    from browsed

)

select
    as_of_date,
    customer_id,
    trigger
from causes
qualify row_number() over (partition by as_of_date, customer_id order by precedence asc) = 1
