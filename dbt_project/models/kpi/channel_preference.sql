-- What was learned: how many answer, by class and by journey, and what the first messages of a journey bring beyond
-- what would have come anyway. Where there is little to go by, a rate is drawn towards that of its channel and a lift
-- towards what the policy assumes (empirical Bayes; docs/measurement.md).
with learned as (

    {{ learned_arms("(select newest as as_of_date from " ~ control("measured_until") ~ ")") }}

),

kinds as (

    select
        offer_id,
        kind
    from {{ ref("offer") }}

),

dims as (

    select 'guide_class' as segment_dim
    union all
    select 'journey' as segment_dim

),

arrived as (

    select
        dims.segment_dim,
        case dims.segment_dim
            when 'journey' then outcomes.journey
            -- Of another tool's campaign nobody noted the class.
            else coalesce(outcomes.guide_class, 'unknown')
        end as segment,
        coalesce(outcomes.channel, 'unknown') as channel,
        case when outcomes.offer_id is null then 'none' else coalesce(kinds.kind, 'other') end as offer_kind,
        outcomes.is_responded
    from {{ ref("int_touch_outcome") }} as outcomes
    cross join dims
    left join kinds on outcomes.offer_id = kinds.offer_id
    where outcomes.is_delivered and outcomes.is_matured

),

counted as (

    select
        segment_dim,
        segment,
        channel,
        offer_kind,
        count(*) as touches,
        count(*) filter (where is_responded) as responses
    from arrived
    where segment is not null
    group by segment_dim, segment, channel, offer_kind

),

of_channel as (

    -- The channel's rate as the policy assumes it weighs as much as fifty messages.
    select
        counted.segment_dim,
        counted.channel,
        (sum(counted.responses) + 50 * coalesce(min(channels.prior_response), 0.02))
        / (sum(counted.touches) + 50.0) as rate,
        sum(counted.touches) + 50 as weight
    from counted
    left join {{ ref("channel") }} as channels on counted.channel = channels.channel
    group by counted.segment_dim, counted.channel

),

compared as (

    select
        counted.segment_dim as as_of_date,
        counted.segment,
        counted.channel,
        counted.offer_kind,
        counted.touches,
        counted.responses,
        cast(of_channel.rate as double) as rate,
        cast(of_channel.weight as double) as channel_weight,
        cast(of_channel.rate * (1 - of_channel.rate) as double) / counted.touches as variance,
        cast(counted.responses as double) / counted.touches - of_channel.rate as deviation
    from counted
    inner join of_channel on counted.segment_dim = of_channel.segment_dim and counted.channel = of_channel.channel

),

between_cells as (

    {{ between_variance("compared", ["segment", "channel", "offer_kind"]) }}

),

-- The channel's rate counts as so many messages as make the spread between the cells likely, and never as more than
-- it rests on.
weighted as (

    select
        compared.as_of_date as segment_dim,
        compared.segment,
        compared.channel,
        compared.offer_kind,
        compared.touches,
        compared.responses,
        compared.rate,
        greatest(
            least(
                coalesce(
                    compared.rate * (1 - compared.rate) / nullif(between_cells.variance, 0) - 1,
                    case when between_cells.variance = 0 then compared.channel_weight else 50 end
                ),
                compared.channel_weight
            ),
            1
        ) as prior_touches
    from compared
    left join between_cells on compared.as_of_date = between_cells.as_of_date

),

smoothed as (

    select
        *,
        (responses + prior_touches * rate) / (touches + prior_touches) as smoothed_rate,
        touches + prior_touches as weight
    from weighted

),

tried as (

    select
        learned.*,
        case when learned.offer_id = 'none' then 'none' else coalesce(kinds.kind, 'other') end as offer_kind
    from learned
    left join kinds on learned.offer_id = kinds.offer_id
    where learned.episodes > 0

),

of_journey as (

    select
        journey,
        channel,
        offer_kind,
        sum(episodes) as episodes,
        min(holdouts) as holdouts,
        sum(episodes * lift order by offer_id) / sum(episodes) as lift,
        sqrt(sum(pow(episodes * lift_sd, 2) order by offer_id)) / sum(episodes) as lift_sd
    from tried
    group by journey, channel, offer_kind

)

select
    coalesce(smoothed.segment_dim, 'journey') as segment_dim,
    coalesce(smoothed.segment, of_journey.journey) as segment,
    coalesce(smoothed.channel, of_journey.channel) as channel,
    coalesce(smoothed.offer_kind, of_journey.offer_kind) as offer_kind,
    cast(coalesce(smoothed.touches, 0) as bigint) as touches,
    cast(coalesce(smoothed.responses, 0) as bigint) as responses,
    smoothed.smoothed_rate,
    -- Wilson's interval, for the messages and what the prior is worth.
    (
        smoothed_rate + 1.92073 / weight
        - 1.959964 * sqrt(smoothed_rate * (1 - smoothed_rate) / weight + 0.960365 / (weight * weight))
    ) / (1 + 3.841459 / weight) as low,
    (
        smoothed_rate + 1.92073 / weight
        + 1.959964 * sqrt(smoothed_rate * (1 - smoothed_rate) / weight + 0.960365 / (weight * weight))
    ) / (1 + 3.841459 / weight) as high,
    cast(of_journey.episodes as bigint) as episodes,
    cast(of_journey.holdouts as bigint) as holdouts,
    of_journey.lift,
    of_journey.lift - 1.959964 * of_journey.lift_sd as lift_low,
    of_journey.lift + 1.959964 * of_journey.lift_sd as lift_high
from smoothed
full outer join of_journey
    on
        smoothed.segment_dim = 'journey'
        and smoothed.segment = of_journey.journey
        and smoothed.channel = of_journey.channel
        and smoothed.offer_kind = of_journey.offer_kind
