{# Empirical Bayes for what was tried out; see docs/measurement.md. #}

{#
  How much the true deviations of a relation differ, beyond the noise in `variance`: the estimate by moments of
  DerSimonian & Laird (1986, Controlled Clinical Trials 7:177, formula 8). Null for fewer than five.
#}
{% macro between_variance(relation, keys) -%}
    {%- set in_order = "order by " ~ keys | join(", ") -%}
    select
        as_of_date,
        case
            when count(*) >= 5
                then greatest(
                    (
                        sum(deviation * deviation / variance {{ in_order }})
                        - pow(sum(deviation / variance {{ in_order }}), 2) / sum(1 / variance {{ in_order }})
                        - (count(*) - 1)
                    )
                    / (
                        sum(1 / variance {{ in_order }})
                        - sum(1 / (variance * variance) {{ in_order }}) / sum(1 / variance {{ in_order }})
                    ),
                    0
                )
        end as variance
    from {{ relation }}
    group by as_of_date
{%- endmacro %}

{# The estimate, or without one what the policy expects; never nothing, for nothing is taken for certain. #}
{% macro between_or_prior(estimate, prior_variance) -%}
    greatest(coalesce({{ estimate }}, {{ prior_variance }}), {{ prior_variance }} / 16)
{%- endmacro %}

{# How far an observed deviation is believed: its true variance over all of its variance. #}
{% macro shrinkage(estimate, prior_variance, variance) -%}
    {{ between_or_prior(estimate, prior_variance) }}
    / ({{ between_or_prior(estimate, prior_variance) }} + {{ variance }})
{%- endmacro %}

{#
  What the first messages of each journey have taught until each date of the run, by channel and offer:
  purchases beyond what would have come anyway. How well a journey works at all comes from its holdout;
  which channel and offer works better, from comparing those who were contacted: in all journeys together
  first, then in the one. Each is drawn towards what the policy assumes, as far as there is little to go by
  (empirical Bayes).

  dates: a relation with a column as_of_date.
#}
{% macro learned_arms(dates) -%}
with dates as (

    select as_of_date from {{ dates }}

),

settings as (

    select * from {{ ref("learning") }}

),

first_touch as (

    select
        touches.*,
        coalesce(aliases.customer_id, touches.customer_id) as current_id
    from {{ control("recall_touch") }} as touches
    left join {{ ref("customer_alias") }} as aliases on touches.customer_id = aliases.alias_id
    where touches.step = 1

),

closed as (

    select
        dates.as_of_date,
        touches.touch_id,
        touches.current_id,
        touches.journey,
        touches.channel,
        coalesce(touches.offer_id, 'none') as offer_id,
        touches.decision = 'send' as is_treated,
        touches.send_on,
        {{ add_days("touches.send_on", "settings.window_days") }} as ends_on
    from dates
    cross join settings
    inner join first_touch as touches
        on
            {{ add_days("touches.send_on", "settings.window_days") }} <= {{ add_days("dates.as_of_date", 1) }}
            and touches.send_on > {{ add_days("dates.as_of_date", "-settings.look_back_days") }}

),

bought as (

    select distinct
        closed.as_of_date,
        closed.touch_id
    from closed
    inner join {{ ref("int_kept_day") }} as days
        on
            closed.current_id = days.customer_id
            and closed.send_on <= days.purchased_on
            and closed.ends_on > days.purchased_on
            and coalesce(closed.as_of_date < days.emptied_on, true)

),

counted as (

    select
        closed.as_of_date,
        closed.journey,
        closed.channel,
        closed.offer_id,
        count(*) filter (where closed.is_treated) as episodes,
        count(bought.touch_id) filter (where closed.is_treated) as conversions,
        count(*) filter (where not closed.is_treated) as holdouts,
        count(bought.touch_id) filter (where not closed.is_treated) as holdout_conversions
    from closed
    left join bought on closed.as_of_date = bought.as_of_date and closed.touch_id = bought.touch_id
    group by closed.as_of_date, closed.journey, closed.channel, closed.offer_id

),

-- What may be chosen, and whatever else was.
listed as (

    select
        steps.journey,
        channels.channel,
        offers.offer_id
    from {{ ref("journey_step") }} as steps
    inner join {{ ref("channel") }} as channels
        on '|' || steps.channels || '|' like '%|' || channels.channel || '|%'
    inner join (
        select offer_id from {{ ref("offer") }}
        union all
        select 'none' as offer_id
    ) as offers
        on
            coalesce(steps.offer_id, 'none') = offers.offer_id
            or '|' || steps.other_offers || '|' like '%|' || offers.offer_id || '|%'
    where steps.step = 1

),

arms as (

    select
        dates.as_of_date,
        listed.journey,
        listed.channel,
        listed.offer_id
    from dates
    cross join listed
    union
    select
        as_of_date,
        journey,
        channel,
        offer_id
    from counted

),

tried as (

    select
        arms.*,
        cast(journeys.prior_lift * channels.lift_factor as double) as prior_lift,
        coalesce(counted.episodes, 0) as episodes,
        coalesce(counted.conversions, 0) as conversions,
        coalesce(counted.holdouts, 0) as holdouts,
        coalesce(counted.holdout_conversions, 0) as holdout_conversions
    from arms
    inner join {{ ref("journey") }} as journeys on arms.journey = journeys.journey
    inner join {{ ref("channel") }} as channels on arms.channel = channels.channel
    left join counted
        on
            arms.as_of_date = counted.as_of_date
            and arms.journey = counted.journey
            and arms.channel = counted.channel
            and arms.offer_id = counted.offer_id

),

of_journey as (

    select
        as_of_date,
        journey,
        sum(episodes) as episodes,
        sum(holdouts) as holdouts,
        -- Half a purchase is added so that no rate is certain.
        (sum(conversions) + 0.5) / (sum(episodes) + 1) as rate,
        (sum(holdout_conversions) + 0.5) / (sum(holdouts) + 1) as base_rate,
        {{ whole_sum("episodes * prior_lift") }} / nullif(sum(episodes), 0) as prior_level
    from tried
    group by as_of_date, journey

),

levelled as (

    select
        of_journey.*,
        case
            when episodes > 0 and holdouts > 0
                then rate * (1 - rate) / episodes + base_rate * (1 - base_rate) / holdouts
        end as level_variance,
        cast(settings.prior_sd * settings.prior_sd as double) as prior_variance
    from of_journey
    cross join settings

),

-- How far an arm does better than its journey, beyond what the policy assumes of it.
compared as (

    select
        tried.*,
        levelled.holdouts as journey_holdouts,
        levelled.prior_variance,
        coalesce(levelled.prior_level, 0) as prior_level,
        coalesce(
            levelled.prior_level
            + levelled.prior_variance / (levelled.prior_variance + levelled.level_variance)
            * (levelled.rate - levelled.base_rate - levelled.prior_level),
            levelled.prior_level,
            0
        ) as level,
        coalesce(
            levelled.prior_variance * levelled.level_variance
            / (levelled.prior_variance + levelled.level_variance),
            levelled.prior_variance
        ) as level_variance,
        levelled.rate * (1 - levelled.rate) / nullif(tried.episodes, 0) as variance,
        cast(tried.conversions as double) / nullif(tried.episodes, 0) - levelled.rate
        - tried.prior_lift + levelled.prior_level as deviation
    from tried
    inner join levelled on tried.as_of_date = levelled.as_of_date and tried.journey = levelled.journey

),

-- What a channel and offer does in all journeys together, weighted by how much is known.
pooled as (

    select
        as_of_date,
        channel,
        offer_id,
        min(prior_variance) as prior_variance,
        -- In a fixed order: a sum of floats depends on it in its last bits.
        sum(deviation / variance order by journey) / sum(1 / variance order by journey) as deviation,
        1 / sum(1 / variance order by journey) as variance
    from compared
    where variance is not null
    group by as_of_date, channel, offer_id

),

between_pooled as (

    {{ between_variance("pooled", ["channel", "offer_id"]) }}

),

shared as (

    select
        pooled.*,
        {{ shrinkage("between_pooled.variance", "pooled.prior_variance", "pooled.variance") }} as weight
    from pooled
    left join between_pooled on pooled.as_of_date = between_pooled.as_of_date

),

-- And what it does in one journey beyond that.
own as (

    select
        compared.as_of_date,
        compared.journey,
        compared.channel,
        compared.offer_id,
        compared.prior_variance,
        compared.variance,
        compared.deviation - coalesce(shared.weight * shared.deviation, 0) as deviation
    from compared
    inner join shared
        on
            compared.as_of_date = shared.as_of_date
            and compared.channel = shared.channel
            and compared.offer_id = shared.offer_id
    where compared.variance is not null

),

between_own as (

    {{ between_variance("own", ["journey", "channel", "offer_id"]) }}

),

shrunk as (

    select
        compared.*,
        coalesce(shared.weight * shared.deviation, 0) as shared_deviation,
        coalesce(shared.weight * shared.variance, compared.prior_variance) as shared_variance,
        own.deviation as own_deviation,
        {{ shrinkage("between_own.variance", "compared.prior_variance", "compared.variance") }} as weight,
        {{ between_or_prior("between_own.variance", "compared.prior_variance") }} as own_prior_variance
    from compared
    left join shared
        on
            compared.as_of_date = shared.as_of_date
            and compared.channel = shared.channel
            and compared.offer_id = shared.offer_id
    left join own
        on
            compared.as_of_date = own.as_of_date
            and compared.journey = own.journey
            and compared.channel = own.channel
            and compared.offer_id = own.offer_id
    left join between_own on compared.as_of_date = between_own.as_of_date

),

spread as (

    select
        *,
        shared_variance + coalesce(weight * variance, own_prior_variance) as arm_variance
    from shrunk

)

select
    as_of_date,
    journey,
    channel,
    offer_id,
    cast(episodes as bigint) as episodes,
    cast(conversions as bigint) as conversions,
    cast(journey_holdouts as bigint) as holdouts,
    prior_lift,
    level + prior_lift - prior_level + shared_deviation + coalesce(weight * own_deviation, 0) as lift,
    -- Of the comparison between arms, which is what a choice hangs on.
    sqrt(arm_variance) as arm_sd,
    sqrt(arm_variance + level_variance) as lift_sd
from spread
{%- endmacro %}
