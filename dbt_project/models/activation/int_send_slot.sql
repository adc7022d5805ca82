-- For each date and channel the next time at which a message may go out: within the active hours, outside the
-- quiet ones, and on weekends and holidays only where the channel allows it. No row: none within two weeks.
with dates as (

    select as_of_date from {{ control("decision_date") }}

),

ahead as (

    {%- for days in range(1, 15) %}
        select {{ days }} as days {{ "union all" if not loop.last }}
    {%- endfor %}

),

days as (

    select
        dates.as_of_date,
        {{ add_days("dates.as_of_date", "ahead.days") }} as send_on
    from dates
    cross join ahead

),

allowed as (

    select
        days.as_of_date,
        channels.channel,
        days.send_on,
        channels.active_from,
        -- Quiet hours that begin within the active ones end them.
        case
            when channels.quiet_from > channels.active_from then least(channels.active_to, channels.quiet_from)
            else channels.active_to
        end as active_to
    from days
    cross join {{ ref("channel") }} as channels
    left join {{ ref("holiday") }} as holidays on days.send_on = holidays.holiday_on
    where
        (channels.on_weekends or extract(isodow from days.send_on) < 6)
        and (channels.on_holidays or holidays.holiday_on is null)

)

select
    as_of_date,
    channel,
    send_on,
    {{ at_time("send_on", "active_from") }} as send_after,
    {{ at_time("send_on", "active_to") }} as send_before
from allowed
qualify row_number() over (partition by as_of_date, channel order by send_on asc) = 1
