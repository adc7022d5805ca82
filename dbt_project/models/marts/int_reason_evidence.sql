-- The evidence for each reason of each sleeper: what a rule of the seed reason_rule found within its window, and
-- how much it adds to the score. A rule adds its weight per piece up to its cap; all that is inferred adds up to
-- the reason's limit and no further, so that what the customer said outweighs it; nothing adds beyond 1.
-- Decimals, so that a score is the sum of its evidence to the last digit.
with sleepers as (

    select * from {{ ref("int_sleeper") }}

),

rules as (

    select
        rules.*,
        reasons.max_inferred_score,
        rules.fact = 'survey_answer' as is_stated
    from {{ ref("reason_rule") }} as rules
    inner join {{ ref("reason") }} as reasons on rules.reason = reasons.reason

),

events as (

    {%- for model in ["int_fact_service", "int_fact_order", "int_fact_contact"] %}
        {{ "union all" if not loop.first }}
        select
            customer_id,
            fact,
            happened_on,
            fact_value,
            ends_on,
            sub_reason,
            source_table,
            source_key
        from {{ ref(model) }}
    {%- endfor %}

),

observed as (

    select
        sleepers.as_of_date,
        sleepers.customer_id,
        sleepers.anchor_on,
        coalesce(sleepers.last_purchase_on, sleepers.anchor_on) as last_purchase_on,
        sleepers.until_on,
        cast(null as varchar) as reason,
        events.fact,
        events.happened_on,
        coalesce(
            events.fact_value,
            {{ days_between(
                "events.happened_on",
                "least(coalesce(events.ends_on, sleepers.as_of_date), sleepers.as_of_date)",
            ) }}
        ) as fact_value,
        cast(null as varchar) as fact_text,
        events.sub_reason,
        events.source_table,
        events.source_key
    from sleepers
    inner join events
        on sleepers.customer_id = events.customer_id and sleepers.as_of_date >= events.happened_on
    union all
    select
        sleepers.as_of_date,
        sleepers.customer_id,
        sleepers.anchor_on,
        coalesce(sleepers.last_purchase_on, sleepers.anchor_on) as last_purchase_on,
        sleepers.until_on,
        answers.reason,
        answers.fact,
        answers.happened_on,
        cast(null as double) as fact_value,
        answers.reason_code as fact_text,
        answers.sub_reason,
        answers.source_table,
        answers.source_key
    from sleepers
    inner join {{ ref("int_fact_survey") }} as answers
        on
            sleepers.customer_id = answers.customer_id
            and sleepers.as_of_date >= answers.happened_on
            and (answers.replaced_on is null or sleepers.as_of_date < answers.replaced_on)
    {%- for model in ["int_fact_need", "int_fact_silence"] %}
        union all
        select
            sleepers.as_of_date,
            sleepers.customer_id,
            sleepers.anchor_on,
            coalesce(sleepers.last_purchase_on, sleepers.anchor_on) as last_purchase_on,
            sleepers.until_on,
            cast(null as varchar) as reason,
            facts.fact,
            facts.happened_on,
            facts.fact_value,
            cast(null as varchar) as fact_text,
            cast(null as varchar) as sub_reason,
            facts.source_table,
            facts.source_key
        from sleepers
        inner join {{ ref(model) }} as facts
            on sleepers.as_of_date = facts.as_of_date and sleepers.customer_id = facts.customer_id
    {%- endfor %}

),

within_window as (

    select
        observed.as_of_date,
        observed.customer_id,
        rules.rule,
        rules.reason,
        coalesce(observed.sub_reason, rules.sub_reason) as sub_reason,
        observed.fact,
        observed.happened_on,
        observed.fact_value,
        coalesce(observed.fact_text, cast(round(observed.fact_value, 2) as varchar)) as fact_text,
        observed.source_table,
        observed.source_key,
        rules.is_stated,
        rules.weight,
        rules.loss_per_day,
        rules.cap,
        rules.max_inferred_score,
        rules.min_count,
        rules.min_share,
        -- Of a rating and of a season's length the small values tell something, of the others the large ones.
        coalesce(
            case
                when rules.fact in ('ticket_rating', 'seasonal_bought')
                    then observed.fact_value <= rules.threshold
                else observed.fact_value >= rules.threshold
            end, rules.is_stated
        ) as is_hit
    from observed
    inner join rules
        on
            observed.fact = rules.fact
            and (observed.reason is null or observed.reason = rules.reason)
            and observed.happened_on >= {{ add_days("observed.anchor_on", "rules.from_days") }}
            and observed.happened_on <= {{ add_days(
                "case rules.until_event when 'asleep' then observed.until_on else observed.last_purchase_on end",
                "rules.until_days",
            ) }}

),

counted as (

    select
        *,
        count(*) filter (where is_hit) over one_rule as hits,
        count(*) over one_rule as pieces
    from within_window
    window one_rule as (partition by as_of_date, customer_id, rule)

),

-- Of two events the later one is nearer to the end: an older one loses, by the day, up to three tenths.
aged as (

    select
        * exclude (weight, loss_per_day),
        cast(weight * (1 - least(0.3, loss_per_day * coalesce({{ days_between(
            "happened_on",
            "max(case when loss_per_day > 0 then happened_on end) over (partition by as_of_date, customer_id)",
        ) }}, 0))) as decimal(6, 4)) as weight
    from counted
    where is_hit and hits >= min_count and hits >= coalesce(min_share, 0) * pieces

),

weighed as (

    select
        * exclude (is_hit, hits, pieces, min_count, min_share, weight, cap),
        greatest(
            0,
            least(
                weight,
                cap - coalesce(sum(weight) over (
                    partition by as_of_date, customer_id, rule
                    order by fact_value desc, happened_on desc, source_key asc
                    rows between unbounded preceding and 1 preceding
                ), 0)
            )
        ) as within_cap
    from aged

),

summed as (

    select
        *,
        sum(within_cap) over (
            partition by as_of_date, customer_id, reason, is_stated
            order by within_cap desc, rule asc, happened_on desc, source_key asc
            rows between unbounded preceding and current row
        ) as score_so_far,
        sum(case when is_stated then within_cap else 0 end) over (
            partition by as_of_date, customer_id, reason
        ) as stated_score
    from weighed

),

contributing as (

    select
        as_of_date,
        customer_id,
        reason,
        sub_reason,
        rule,
        fact,
        fact_text as fact_value,
        happened_on,
        source_table,
        source_key,
        -- What is left of the limit when the pieces before it have been counted.
        cast(greatest(
            0,
            least(
                within_cap,
                case when is_stated then 1 else least(max_inferred_score, 1 - stated_score) end
                - (score_so_far - within_cap)
            )
        ) as decimal(6, 4)) as contribution
    from summed

)

select
    as_of_date,
    customer_id,
    reason,
    sub_reason,
    rule,
    fact,
    fact_value,
    happened_on,
    source_table,
    source_key,
    contribution
from contributing
where contribution > 0
