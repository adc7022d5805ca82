{{ config(meta={
    "dagster": {"ref": {"name": "recall_decision"}},
    "remedy": "Send nothing of this date. Look at the customers' rows in recall_decision, and at contact_cap and channel in the policy.",
    "shown": ["violation"],
}) }}

-- What is selected on the run's open dates keeps the caps around its day, goes out within the channel's hours, and
-- promises nothing to whom a complaint is open. Ghosts are held to the same.
with selected as (

    select
        decisions.as_of_date,
        decisions.customer_id,
        decisions.channel,
        decisions.address_key,
        decisions.send_after,
        cast(decisions.send_after as date) as send_on
    from {{ ref("recall_decision") }} as decisions
    inner join {{ ref("int_open_decision_date") }} as dates on decisions.as_of_date = dates.as_of_date
    where decisions.decision in ('send', 'holdout')

),

-- The date's own choice counts too: two people at one address share its cap.
contacts as (

    select
        selected.as_of_date,
        history.customer_id,
        history.channel,
        history.address_key,
        history.send_on
    from (select distinct as_of_date from selected) as selected
    inner join {{ ref("int_contact_history") }} as history on selected.as_of_date >= history.counts_from
    union all
    select
        as_of_date,
        customer_id,
        channel,
        address_key,
        send_on
    from selected

),

over_caps as (

    {%- for scope, key in [("person", "customer_id"), ("address", "address_key")] %}
        {{ "union all" if not loop.first }}
        select
            selected.as_of_date,
            selected.customer_id,
            'more than the cap per {{ scope }}' as violation
        from selected
        inner join {{ ref("contact_cap") }} as caps
            on caps.scope = '{{ scope }}' and caps.channel in ('all', selected.channel)
        inner join contacts
            on
                selected.as_of_date = contacts.as_of_date
                and selected.{{ key }} = contacts.{{ key }}
                and caps.channel in ('all', contacts.channel)
                and abs({{ days_between("contacts.send_on", "selected.send_on") }}) < caps.days
        group by
            selected.as_of_date, selected.customer_id, selected.channel, caps.channel, caps.days, caps.messages
        having count(*) > caps.messages
    {%- endfor %}

),

off_hours as (

    select
        selected.as_of_date,
        selected.customer_id,
        'outside the hours of the channel' as violation
    from selected
    inner join {{ ref("channel") }} as channels on selected.channel = channels.channel
    left join {{ ref("holiday") }} as holidays on selected.send_on = holidays.holiday_on
    where
        selected.send_after < {{ at_time("selected.send_on", "channels.active_from") }}
        or selected.send_after >= {{ at_time("selected.send_on", "channels.active_to") }}
        or (not channels.on_weekends and extract(isodow from selected.send_on) > 5)
        or (not channels.on_holidays and holidays.holiday_on is not null)

),

complaining as (

    select
        selected.as_of_date,
        selected.customer_id,
        'a complaint is open' as violation
    from selected
    inner join {{ ref("ticket") }} as tickets
        on
            selected.customer_id = tickets.customer_id
            and tickets.kind = 'complaint'
            and tickets.opened_at < {{ add_days("selected.as_of_date", 1) }}
            and (tickets.closed_at is null or tickets.closed_at >= {{ add_days("selected.as_of_date", 1) }})
    cross join {{ control("profile") }} as settings
    inner join {{ control("decision_date") }} as dates on selected.as_of_date = dates.as_of_date
    where
        tickets.opened_at >= {{ add_days("selected.as_of_date", "-settings.complaint_open_days") }}
        and (tickets.closed_at is null or tickets.closed_at >= dates.known_until)

)

select * from over_caps
union all
select * from off_hours
union all
select * from complaining
