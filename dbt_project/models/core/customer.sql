with accounts as (

    select * from {{ ref("customer_account") }}

),

profiles as (

    select
        'ecommerce' as source,
        account_id as account_key,
        cast(null as integer) as points_balance,
        cast(null as date) as points_expiring_on,
        registered_on as joined_on
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        points_balance,
        points_expiring_on,
        joined_on
    from {{ ref("stg_pos__members") }}

),

people as (

    select
        accounts.customer_id,
        count(*) as account_count,
        list(distinct accounts.source order by accounts.source) as account_sources,
        min(profiles.joined_on) as joined_on,
        sum(profiles.points_balance) as points_balance,
        min(profiles.points_expiring_on) as points_expiring_on
    from accounts
    left join profiles
        on accounts.source = profiles.source and accounts.account_key = profiles.account_key
    group by accounts.customer_id

),

stated as (

    select
        customer_id,
        {%- for field in [
            "sex", "birth_year", "city", "home_store", "tier", "spend_to_next_tier", "email_domain"
        ] %}
        max(field_value) filter (where field = '{{ field }}') as {{ field }}{{ "," if not loop.last }}
    {%- endfor %}
    from {{ ref("int_customer_field") }}
    group by customer_id

),

purchases as (

    select
        customer_id,
        count(*) filter (where emptied_on is null) as purchase_days,
        min(purchased_on) as first_purchase_on,
        max(purchased_on) filter (where emptied_on is null) as last_purchase_on,
        min(purchased_on) filter (where emptied_on is null) as first_kept_on,
        {{ whole_sum("case when emptied_on is null then cos(" ~ season_angle("purchased_on") ~ ") end") }}
            as season_cosines,
        {{ whole_sum("case when emptied_on is null then sin(" ~ season_angle("purchased_on") ~ ") end") }}
            as season_sines
    from {{ ref("int_kept_day") }}
    group by customer_id

),

activity as (

    select
        customer_id,
        min(active_on) as first_active_on,
        max(active_on) as last_active_on
    from {{ ref("int_activity_day") }}
    group by customer_id

),

contacted as (

    select
        customer_id,
        min(cast(coalesce(assigned_at, sent_at) as date)) as first_contacted_on
    from {{ ref("touch") }}
    group by customer_id

),

-- How often somebody answers in a channel, drawn towards the shop's rate there by two messages' worth: two
-- answers at least make a preference.
answers as (

    select
        touches.customer_id,
        channels.channel,
        count(*) as messages,
        count(coalesce(
            touches.clicked_at, touches.replied_at, touches.answered_at, touches.redeemed_at
        )) as answered
    from {{ ref("touch") }} as touches
    inner join {{ ref("reach_channel") }} as channels on touches.channel = channels.campaign_channel
    where touches.sent_at is not null
    group by touches.customer_id, channels.channel

),

answer_rates as (

    select
        channel,
        cast(sum(answered) as double) / sum(messages) as rate
    from answers
    group by channel

),

preferences as (

    select
        answers.customer_id,
        answers.channel as preferred_channel
    from answers
    inner join answer_rates on answers.channel = answer_rates.channel
    where answers.answered >= 2
    qualify row_number() over (
        partition by answers.customer_id
        order by
            (answers.answered + 2 * answer_rates.rate) / (answers.messages + 2) desc, answers.answered desc,
            answers.channel asc
    ) = 1

),

reach as (

    select
        customer_id,
    {%- for channel in ["email", "sms", "push", "social", "phone", "crm"] %}
        bool_or(channel = '{{ channel }}' and is_reachable) as reachable_{{ channel }}{{ "," if not loop.last }}
    {%- endfor %}
    from {{ ref("int_reach") }}
    group by customer_id

),

money as (

    select
        customer_id,
        min(purchased_on) as first_booked_on,
        max(purchased_on) as last_booked_on,
        sum(orders) as orders,
        sum(net_amount) as net_revenue,
        sum(discount_amount) / nullif(sum(gross_amount), 0) as price_sensitivity
    from {{ ref("purchase_day") }}
    group by customer_id

),

returns as (

    select
        customer_id,
        sum(returned_units) / sum(units) as return_rate
    from {{ ref("int_purchase_line") }}
    group by customer_id

),

category_days as (

    select
        customer_id,
        category,
        count(*) as days,
        max(purchased_on) as last_on
    from {{ ref("int_kept_category_day") }}
    where emptied_on is null
    group by customer_id, category

),

favourites as (

    select
        customer_id,
        category as favourite_category
    from category_days
    qualify row_number() over (partition by customer_id order by days desc, last_on desc, category asc) = 1

)

select
    people.customer_id,
    case
        when purchases.customer_id is not null then 'buyer'
        when len(list_intersect(people.account_sources, ['ecommerce', 'pos'])) > 0 then 'registrant'
        else 'enquirer'
    end as customer_kind,
    least(
        people.joined_on, purchases.first_purchase_on, money.first_booked_on, activity.first_active_on,
        contacted.first_contacted_on
    ) as first_seen_on,
    people.account_sources as channels,
    stated.sex,
    cast(stated.birth_year as integer) as birth_year,
    stated.city,
    stated.home_store,
    stated.tier,
    cast(people.points_balance as integer) as points_balance,
    people.points_expiring_on,
    cast(stated.spend_to_next_tier as decimal(18, 2)) as spend_to_next_tier,
    stated.email_domain,
    {%- for channel in ["email", "sms", "push", "social", "phone", "crm"] %}
        coalesce(reach.reachable_{{ channel }}, false) as reachable_{{ channel }},
    {%- endfor %}
    purchases.first_purchase_on,
    purchases.last_purchase_on,
    greatest(activity.last_active_on, purchases.last_purchase_on) as last_activity_on,
    cast(coalesce(purchases.purchase_days, 0) as integer) as purchase_days,
    cast(coalesce(money.orders, 0) as integer) as orders,
    cast(coalesce(money.net_revenue, 0) as decimal(18, 2)) as net_revenue,
    cast(returns.return_rate as double) as return_rate,
    favourites.favourite_category,
    coalesce({{ is_seasonal(
        "purchases.season_cosines", "purchases.season_sines", "purchases.purchase_days",
        "purchases.first_kept_on", "purchases.last_purchase_on",
    ) }}, false) as seasonal,
    preferences.preferred_channel,
    cast(money.price_sensitivity as double) as price_sensitivity,
    cast(people.account_count as integer) as account_count
from people
left join stated on people.customer_id = stated.customer_id
left join purchases on people.customer_id = purchases.customer_id
left join activity on people.customer_id = activity.customer_id
left join contacted on people.customer_id = contacted.customer_id
left join reach on people.customer_id = reach.customer_id
left join preferences on people.customer_id = preferences.customer_id
left join money on people.customer_id = money.customer_id
left join returns on people.customer_id = returns.customer_id
left join favourites on people.customer_id = favourites.customer_id
