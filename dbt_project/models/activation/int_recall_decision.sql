-- One decision per known customer and date of the run. Whoever has a channel is weighed by the margin that the
-- message is expected to bring beyond what would have been bought anyway; then the budgets are spent from the
-- best on. Held-out customers pass every step as ghosts: they take a place in each ranking, and only sends spend.
-- Frozen dates are computed too, for comparison; what was really decided on them stays in recall_decision.
with dates as (

    select * from {{ control("decision_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

candidates as (

    select
        judged.as_of_date,
        judged.customer_id,
        chosen.channel,
        chosen.address_key,
        chosen.address_left,
        chosen.maker,
        chosen.contact_cost,
        chosen.purchase_margin,
        chosen.lift,
        -- Who comes anyway redeems too.
        chosen.take_up * (chosen.base_rate + chosen.lift) * chosen.incentive as expected_incentive,
        channels.daily_limit,
        channels.minimum_list,
        arms.arm = 'treated' and not arms.is_mixed as is_treated
    from {{ ref("int_decision_journey") }} as judged
    inner join {{ ref("int_decision_channel") }} as chosen
        on judged.as_of_date = chosen.as_of_date and judged.customer_id = chosen.customer_id
    inner join {{ ref("int_decision_arm") }} as arms
        on judged.as_of_date = arms.as_of_date and judged.customer_id = arms.customer_id
    inner join {{ ref("channel") }} as channels on chosen.channel = channels.channel
    where judged.reason_code is null and chosen.reason_code is null

),

costed as (

    select
        *,
        cast(round(contact_cost + expected_incentive, 2) as decimal(18, 2)) as expected_cost,
        cast(round(lift * purchase_margin - expected_incentive, 2) as decimal(18, 2)) as expected_margin
    from candidates

),

ranked as (

    select
        costed.*,
        -- What costs nothing comes first if it brings anything.
        case
            when expected_cost > 0 then cast(expected_margin as double) / cast(expected_cost as double)
            when expected_margin >= 0 then 1e9
            else -1e9
        end as margin_per_cost,
        {{ stable_share(["draw.salt", "as_of_date", "customer_id"]) }} as lot
    from costed
    cross join {{ ref("holdout") }} as draw

),

floored as (

    select
        ranked.*,
        limits.daily_amount,
        ranked.margin_per_cost < limits.min_margin_per_cost as is_not_worth
    from ranked
    cross join {{ ref("budget") }} as limits
    where limits.scope = 'all'

),

-- Two customers at one address share its cap.
at_address as (

    select
        *,
        address_left < row_number() over (
            partition by as_of_date, address_key order by margin_per_cost desc, lot asc
        ) as is_over_cap
    from floored
    where not is_not_worth

),

spent as (

    select
        *,
        {{ spent_before("is_treated", "expected_cost", ["as_of_date"]) }} + expected_cost > daily_amount
            as is_over_budget
    from at_address
    where not is_over_cap

),

spent_by_channel as (

    select
        spent.*,
        {{ spent_before("is_treated", "expected_cost", ["as_of_date", "spent.channel"]) }} + expected_cost
        > coalesce(limits.daily_amount, 1e15) as is_over_channel_budget
    from spent
    left join {{ ref("budget") }} as limits on spent.channel = limits.scope
    where not spent.is_over_budget

),

served as (

    select
        spent_by_channel.*,
        {{ spent_before("is_treated", "1", ["as_of_date", "channel"]) }} + 1
        > coalesce(spent_by_channel.daily_limit, 1e15)
        or {{ spent_before("is_treated", "1", ["as_of_date", "channel", "maker"]) }} + 1
        > coalesce(makers.daily_limit, 1e15) as is_full
    from spent_by_channel
    left join {{ ref("push_vendor") }} as makers on spent_by_channel.maker = makers.vendor
    where not spent_by_channel.is_over_channel_budget

),

-- A list that is too small for its platform does not go out; ghosts stand in for themselves.
sizes as (

    select
        as_of_date,
        channel,
        count(*) as customers
    from served
    where not is_full
    group by as_of_date, channel

),

listed as (

    select
        served.*,
        sizes.customers < coalesce(served.minimum_list, 0) as is_too_few
    from served
    inner join sizes on served.as_of_date = sizes.as_of_date and served.channel = sizes.channel
    where not served.is_full

),

weighed as (

    select
        ranked.as_of_date,
        ranked.customer_id,
        ranked.expected_cost,
        ranked.expected_margin,
        ranked.contact_cost,
        ranked.margin_per_cost,
        ranked.lot,
        case
            when at_address.customer_id is null then 'not_worth_it'
            when at_address.is_over_cap then 'frequency_cap'
            when spent.is_over_budget or spent_by_channel.is_over_channel_budget then 'budget_spent'
            when served.is_full then 'channel_full'
            when listed.is_too_few then 'list_too_small'
        end as reason_code
    from ranked
    left join at_address
        on ranked.as_of_date = at_address.as_of_date and ranked.customer_id = at_address.customer_id
    left join spent on ranked.as_of_date = spent.as_of_date and ranked.customer_id = spent.customer_id
    left join spent_by_channel
        on ranked.as_of_date = spent_by_channel.as_of_date and ranked.customer_id = spent_by_channel.customer_id
    left join served on ranked.as_of_date = served.as_of_date and ranked.customer_id = served.customer_id
    left join listed on ranked.as_of_date = listed.as_of_date and ranked.customer_id = listed.customer_id

),

judged as (

    select
        journeys.* exclude (offer_id, other_offers),
        chosen.channel,
        chosen.offer_id,
        chosen.choice,
        chosen.address_key,
        chosen.send_on,
        chosen.send_after,
        chosen.send_before,
        weighed.expected_cost,
        weighed.expected_margin,
        weighed.contact_cost,
        weighed.margin_per_cost,
        weighed.lot,
        arms.arm,
        arms.unit_id,
        arms.holdout_period,
        arms.control_share,
        coalesce(
            journeys.reason_code,
            chosen.reason_code,
            weighed.reason_code,
            case
                when arms.is_mixed then 'mixed_arms'
                when arms.arm = 'treated' then journeys.send_reason
                else arms.arm
            end
        ) as final_code
    from {{ ref("int_decision_journey") }} as journeys
    left join {{ ref("int_decision_channel") }} as chosen
        on journeys.as_of_date = chosen.as_of_date and journeys.customer_id = chosen.customer_id
    left join weighed
        on journeys.as_of_date = weighed.as_of_date and journeys.customer_id = weighed.customer_id
    left join {{ ref("int_decision_arm") }} as arms
        on journeys.as_of_date = arms.as_of_date and journeys.customer_id = arms.customer_id

),

decided as (

    select
        judged.*,
        reasons.decision,
        reasons.decision in ('send', 'holdout') as is_selected,
        case
            when kinds.kind in ('reminder', 'greeting', 'retain', 'member')
                then strftime(judged.as_of_date, '%Y-%m')
            else judged.episode_id
        end as occasion
    from judged
    left join {{ ref("reason_code") }} as reasons on judged.final_code = reasons.reason_code
    left join {{ ref("journey") }} as kinds on judged.journey = kinds.journey

)

select
    decided.as_of_date,
    dates.is_frozen,
    decided.customer_id,
    decided.customer_kind,
    decided.episode_id,
    decided.decision,
    decided.final_code as reason_code,
    decided.arm,
    case
        when decided.is_selected
            then coalesce(decided.campaign_id, decided.journey || '_' || strftime(decided.as_of_date, '%Y_%m'))
    end as campaign_id,
    case
        when decided.is_selected
            then {{ stable_id("t_", ["decided.as_of_date", "decided.customer_id", "decided.channel"]) }}
    end as touch_id,
    case when decided.is_selected then decided.journey end as journey,
    cast(case when decided.is_selected then decided.step end as integer) as step,
    case when decided.is_selected then decided.channel end as channel,
    case when decided.is_selected then decided.offer_id end as offer_id,
    -- One code per customer, offer and occasion: a reminder carries the code of the first message.
    case
        when decided.is_selected and offers.coupon_prefix is not null
            then offers.coupon_prefix || upper(substr(md5(
                holdout.salt || '|' || decided.customer_id || '|' || offers.offer_id || '|' || decided.occasion
            ), 1, 10))
    end as coupon_code,
    case when decided.is_selected then decided.template_id end as template_id,
    case when decided.is_selected then decided.send_after end as send_after,
    case when decided.is_selected then decided.send_before end as send_before,
    case when decided.is_selected then {{ add_days("decided.send_on", "settings.valid_days") }} end as valid_until,
    cast(case
        when decided.is_selected
            then row_number() over (
                partition by decided.as_of_date, decided.is_selected
                order by decided.expected_margin desc, decided.lot asc
            )
    end as integer) as priority,
    case when decided.is_selected then decided.expected_cost end as expected_cost,
    case when decided.is_selected then decided.expected_margin end as expected_margin,
    cast(case when decided.is_selected then decided.contact_cost end as decimal(18, 2)) as contact_cost,
    case when decided.is_selected then decided.choice end as choice,
    -- What the customer was on the date: the snapshots that say it are not kept for ever.
    decided.guide_class,
    decided.primary_reason as dormancy_reason,
    decided.value_tier,
    case when decided.is_selected then decided.address_key end as address_key,
    case when decided.is_selected then decided.unit_id end as unit_id,
    case when decided.is_selected then decided.holdout_period end as holdout_period,
    case when decided.is_selected then decided.control_share end as control_share,
    settings.policy_version,
    dates.simulated,
    dates.run_id
from decided
inner join dates on decided.as_of_date = dates.as_of_date
cross join settings
cross join {{ ref("holdout") }} as holdout
left join {{ ref("offer") }} as offers on decided.offer_id = offers.offer_id
