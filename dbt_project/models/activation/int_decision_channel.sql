-- Through which channel, and with which offer, each customer with a due step is written to: of the step's channels
-- that nothing stands against, the one the customer prefers, else the first. Where something may be tried out (seed
-- learning), the first message takes what has been learned to bring more, and a share of them draws among all that
-- the step allows. Where none is left, `reason_code` says how far the best channel came. Caps count whatever lies
-- less than their window before or after the day of sending.
with dates as (

    select * from {{ control("decision_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

means as (

    select
        as_of_date,
        avg(cast(purchase_margin as double)) as purchase_margin,
        avg(order_value) as order_value
    from {{ ref("int_decision_journey") }}
    group by as_of_date

),

due as (

    select
        journeys.as_of_date,
        journeys.customer_id,
        journeys.episode_id,
        journeys.journey,
        journeys.step,
        journeys.guide_class,
        journeys.offer_id,
        journeys.other_offers,
        journeys.channels,
        kinds.prior_lift,
        journeys.p_active,
        journeys.horizon_days,
        coalesce(journeys.purchase_margin, means.purchase_margin, 0) as purchase_margin,
        coalesce(journeys.order_value, means.order_value, 0) as order_value,
        -- What carries an offer is advertising, whatever the journey is for.
        case when journeys.offer_id is null then kinds.purpose else 'marketing' end as purpose,
        kinds.other_channel
    from {{ ref("int_decision_journey") }} as journeys
    inner join {{ ref("journey") }} as kinds on journeys.journey = kinds.journey
    left join means on journeys.as_of_date = means.as_of_date
    where journeys.reason_code is null

),

options as (

    select
        due.as_of_date,
        dates.known_until,
        due.customer_id,
        due.other_channel,
        channels.channel,
        channels.reach,
        channels.intrusive,
        coalesce(channels.minimum_list, 0) as minimum_list,
        -- Its place among the step's channels.
        strpos('|' || due.channels || '|', '|' || channels.channel || '|') as place,
        addresses.address_key,
        addresses.vendor,
        case when channels.channel = 'push' then coalesce(makers.vendor, 'other') end as maker,
        addresses.customer_id is not null as has_address,
        coalesce(addresses.is_suppressed, false) as is_suppressed,
        coalesce(case due.purpose when 'service' then addresses.may_serve else addresses.may_market end, false)
            as is_permitted,
        slots.send_on is not null as has_window,
        coalesce(slots.send_on, {{ add_days("due.as_of_date", 1) }}) as send_on,
        slots.send_after,
        slots.send_before
    from due
    inner join dates on due.as_of_date = dates.as_of_date
    inner join {{ ref("channel") }} as channels
        on '|' || due.channels || '|' like '%|' || channels.channel || '|%'
    left join {{ ref("int_contact_address") }} as addresses
        on due.customer_id = addresses.customer_id and channels.channel = addresses.channel
    left join {{ ref("push_vendor") }} as makers on addresses.vendor = makers.vendor
    left join {{ ref("int_send_slot") }} as slots
        on due.as_of_date = slots.as_of_date and channels.channel = slots.channel

),

history as (

    select * from {{ ref("int_contact_history") }}

),

-- Contacts around the day of sending: of the customer, and to the address, whoever else has it.
of_person as (

    select
        options.as_of_date,
        options.customer_id,
        options.channel,
        'person' as scope,
        history.channel as past_channel,
        abs({{ days_between("history.send_on", "options.send_on") }}) as days_apart
    from options
    inner join history
        on
            options.customer_id = history.customer_id
            and (options.as_of_date >= history.counts_from or options.known_until > history.sent_at)
    where options.has_address

),

of_address as (

    select
        options.as_of_date,
        options.customer_id,
        options.channel,
        'address' as scope,
        history.channel as past_channel,
        abs({{ days_between("history.send_on", "options.send_on") }}) as days_apart
    from options
    inner join history
        on
            options.address_key = history.address_key
            and (options.as_of_date >= history.counts_from or options.known_until > history.sent_at)

),

caps as (

    select
        scope,
        channel,
        days,
        messages
    from {{ ref("contact_cap") }}

),

used as (

    select
        past.as_of_date,
        past.customer_id,
        past.channel,
        past.scope,
        caps.messages - count(*) as messages_left
    from (
        select * from of_person
        union all
        select * from of_address
    ) as past
    inner join caps
        on
            past.scope = caps.scope
            and (caps.channel = 'all' or (past.channel = caps.channel and past.past_channel = caps.channel))
            and past.days_apart < caps.days
    group by
        past.as_of_date, past.customer_id, past.channel, past.scope, caps.channel, caps.days, caps.messages

),

left_over as (

    select
        as_of_date,
        customer_id,
        channel,
        min(messages_left) filter (where scope = 'person') as person_left,
        min(messages_left) filter (where scope = 'address') as address_left
    from used
    group by as_of_date, customer_id, channel

),

-- What the caps allow somebody who was never written to.
untouched as (

    select
        channels.channel,
        min(caps.messages) filter (where caps.scope = 'person') as person_left,
        min(caps.messages) filter (where caps.scope = 'address') as address_left
    from {{ ref("channel") }} as channels
    inner join caps on caps.channel in ('all', channels.channel)
    group by channels.channel

),

vendors as (

    select
        options.as_of_date,
        options.customer_id,
        options.channel,
        limits.device_limit - count(of_address.channel) as vendor_left
    from options
    inner join {{ ref("push_vendor") }} as limits
        on options.maker = limits.vendor and limits.device_limit is not null
    left join of_address
        on
            options.as_of_date = of_address.as_of_date
            and options.customer_id = of_address.customer_id
            and options.channel = of_address.channel
            and of_address.past_channel = 'push'
            and of_address.days_apart < 1
    group by options.as_of_date, options.customer_id, options.channel, limits.device_limit

),

usual as (

    -- Where somebody was written to most of late: who is tired of it is not written to there.
    select
        dates.as_of_date,
        history.customer_id,
        history.channel
    from dates
    inner join history
        on
            dates.as_of_date >= history.counts_from
            and history.send_on > {{ add_days("dates.as_of_date", -90) }}
    group by dates.as_of_date, history.customer_id, history.channel
    qualify row_number() over (
        partition by dates.as_of_date, history.customer_id order by count(*) desc, history.channel asc
    ) = 1

),

judged as (

    select
        options.*,
        coalesce(customers.preferred_channel = options.reach, false) as is_preferred,
        least(
            coalesce(left_over.person_left, untouched.person_left, 1),
            coalesce(untouched.person_left, 1)
        ) as person_left,
        least(
            coalesce(left_over.address_left, untouched.address_left, 1000000),
            coalesce(untouched.address_left, 1000000),
            coalesce(vendors.vendor_left, 1000000)
        ) as address_left,
        options.other_channel and coalesce(usual.channel = options.channel, false) as is_tired_of
    from options
    inner join {{ ref("customer") }} as customers on options.customer_id = customers.customer_id
    left join left_over
        on
            options.as_of_date = left_over.as_of_date
            and options.customer_id = left_over.customer_id
            and options.channel = left_over.channel
    left join untouched on options.channel = untouched.channel
    left join vendors
        on
            options.as_of_date = vendors.as_of_date
            and options.customer_id = vendors.customer_id
            and options.channel = vendors.channel
    left join usual
        on options.as_of_date = usual.as_of_date and options.customer_id = usual.customer_id

),

-- Who prefers another channel that is open too is not called or texted instead.
wanted as (

    select
        *,
        intrusive and not is_preferred and bool_or(
            is_preferred and has_address and not is_suppressed and is_permitted and not is_tired_of
        ) over (partition by as_of_date, customer_id) as is_unwanted
    from judged

),

staged as (

    select
        *,
        case
            when not has_address then 1
            when is_suppressed then 2
            when not is_permitted then 3
            when is_tired_of or is_unwanted then 4
            when person_left < 1 or address_left < 1 then 5
            when not has_window then 6
            else 8
        end as stage
    from wanted

),

-- A platform that takes no list so small is passed over for the step's next channel.
sizes as (

    select
        as_of_date,
        channel,
        count(*) as customers
    from staged
    where stage = 8
    group by as_of_date, channel

),

listed as (

    select
        staged.* exclude (stage),
        case when staged.stage = 8 and sizes.customers < staged.minimum_list then 7 else staged.stage end as stage
    from staged
    left join sizes on staged.as_of_date = sizes.as_of_date and staged.channel = sizes.channel

),

-- The channel by preference and order, or, where the customer has none that is preferred, all that are open.
ordered as (

    select
        *,
        row_number() over (partition by as_of_date, customer_id order by stage desc, is_preferred desc, place asc)
            as position,
        bool_or(is_preferred and stage = 8) over (partition by as_of_date, customer_id) as has_preferred
    from listed

),

offered as (

    select
        ordered.*,
        due.* exclude (as_of_date, customer_id, offer_id, other_offers, channels, purpose, other_channel),
        offers.offer_id,
        channels.unit_cost + channels.labour_cost as contact_cost,
        ordered.position = 1 and coalesce(due.offer_id, '') = coalesce(offers.offer_id, '') as is_listed,
        due.step = 1 and learning.exploration_share > 0 as may_learn,
        {{ stable_share(["draw.salt", "'explore'", "due.customer_id", "due.episode_id", "due.journey"]) }}
        < learning.exploration_share as is_exploring,
        learning.minimum_episodes,
        case when due.step = 1 then learned.lift end as learned_lift,
        due.prior_lift * channels.lift_factor as assumed_lift,
        learned.arm_sd,
        coalesce(learned.episodes, 0) as episodes,
        -- Who comes within the offer's validity anyway redeems it too.
        coalesce(
            1 - pow(1 - due.p_active, coalesce(offers.valid_days, settings.valid_days) / due.horizon_days),
            due.prior_lift
        ) as base_rate,
        coalesce(offers.take_up, 0) as take_up,
        case offers.cost_rule
            when 'share_of_order' then offers.cost * due.order_value
            when 'fixed' then offers.cost
            else 0
        end as incentive
    from ordered
    cross join settings
    cross join {{ ref("learning") }} as learning
    cross join {{ ref("holdout") }} as draw
    inner join due on ordered.as_of_date = due.as_of_date and ordered.customer_id = due.customer_id
    inner join {{ ref("channel") }} as channels on ordered.channel = channels.channel
    left join {{ ref("offer") }} as offers
        on
            due.offer_id = offers.offer_id
            or (
                '|' || due.other_offers || '|' like '%|' || offers.offer_id || '|%'
                and {{ cell_holds("offers.eligible_classes", "due.guide_class") }}
            )
    left join {{ ref("int_learned_arm") }} as learned
        on
            due.as_of_date = learned.as_of_date
            and due.journey = learned.journey
            and ordered.channel = learned.channel
            and coalesce(offers.offer_id, 'none') = learned.offer_id
    where
        ordered.position = 1
        or (
            ordered.stage = 8
            and due.step = 1
            and learning.exploration_share > 0
            and (ordered.is_preferred or not ordered.has_preferred)
        )

),

lifted as (

    select
        *,
        least(coalesce(learned_lift, assumed_lift), 1 - base_rate) as lift,
        -- A draw of what the lift may be (Thompson sampling): what is little known comes up now and then.
        case
            when may_learn and is_exploring
                then
                    least(learned_lift + arm_sd * {{ stable_normal([
                        "draw.salt", "as_of_date", "customer_id", "journey", "channel", "offer_id",
                    ]) }}, 1 - base_rate)
        end as drawn_lift
    from offered
    cross join {{ ref("holdout") }} as draw
    where is_listed or may_learn

),

weighed as (

    select
        *,
        case
            when not may_learn or is_listed or is_exploring or episodes >= minimum_episodes
                then
                    coalesce(drawn_lift, lift) * purchase_margin
                    - take_up * (base_rate + coalesce(drawn_lift, lift)) * incentive
                    - contact_cost
        end as worth
    from lifted

)

select
    as_of_date,
    customer_id,
    channel,
    address_key,
    address_left,
    maker,
    send_on,
    send_after,
    send_before,
    offer_id,
    case when may_learn and is_exploring then 'explored' when is_listed then 'listed' else 'learned' end as choice,
    contact_cost,
    purchase_margin,
    lift,
    base_rate,
    take_up,
    incentive,
    case stage
        when 1 then 'not_reachable'
        when 2 then 'suppressed'
        when 3 then 'no_consent'
        when 4 then 'prefers_other_channel'
        when 5 then 'frequency_cap'
        when 6 then 'no_window'
        when 7 then 'list_too_small'
    end as reason_code
from weighed
qualify row_number() over (
    partition by as_of_date, customer_id
    order by worth desc nulls last, is_listed desc, channel asc, offer_id asc
) = 1
