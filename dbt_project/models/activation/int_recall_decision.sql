-- One decision per customer and date of the run, in the order of the policy. Frozen dates are computed too,
-- for comparison; what was really decided on them stays in recall_decision.
with dates as (

    select * from {{ control("decision_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

known as (

    select
        dates.as_of_date,
        dates.is_frozen,
        dates.simulated,
        dates.run_id,
        customers.customer_id,
        customers.reachable_crm
    from dates
    inner join {{ ref("customer") }} as customers
        on dates.as_of_date >= customers.first_seen_on or customers.first_seen_on is null

),

dormancy as (

    select * from {{ ref("customer_dormancy") }}

),

last_touch as (

    -- Ghosts of the holdout count as touches: an arm keeps its customers for the whole episode. So do touches
    -- under an id that a merge has retired.
    select
        dates.as_of_date,
        coalesce(aliases.customer_id, touches.customer_id) as customer_id,
        max(touches.as_of_date) as touched_on
    from dates
    inner join {{ control("recall_touch") }} as touches on dates.as_of_date > touches.as_of_date
    left join {{ ref("customer_alias") }} as aliases on touches.customer_id = aliases.alias_id
    group by dates.as_of_date, coalesce(aliases.customer_id, touches.customer_id)

),

judged as (

    select
        known.*,
        coalesce(dormancy.customer_kind, 'registrant') as customer_kind,
        dormancy.episode_id,
        dormancy.dormancy_state,
        dormancy.dormant_since,
        dormancy.expected_value,
        playbook.journey,
        channels.channel,
        channels.unit_cost,
        case
            when dormancy.customer_id is null then 'no_history'
            when not known.reachable_crm then 'not_reachable'
            when playbook.journey is null then playbook.reason_code
            when
                last_touch.touched_on > {{ add_days("known.as_of_date", "-settings.episode_days") }}
                then 'recalled_recently'
            when
                {{ stable_share([
                    "holdout.salt", "extract(year from dormancy.dormant_since)", "known.customer_id",
                ]) }} < holdout.share
                then 'holdout'
            else playbook.reason_code
        end as reason_code,
        case
            when
                {{ stable_share([
                    "holdout.salt", "extract(year from dormancy.dormant_since)", "known.customer_id",
                ]) }} < holdout.share
                then 'holdout'
            else 'treated'
        end as episode_arm,
        settings.valid_days,
        settings.policy_version
    from known
    cross join settings
    cross join {{ ref("holdout") }} as holdout
    cross join {{ ref("channel") }} as channels
    left join dormancy
        on known.as_of_date = dormancy.as_of_date and known.customer_id = dormancy.customer_id
    left join {{ ref("playbook") }} as playbook
        on
            dormancy.customer_kind = playbook.customer_kind
            and dormancy.dormancy_state = playbook.dormancy_state
    left join last_touch
        on known.as_of_date = last_touch.as_of_date and known.customer_id = last_touch.customer_id

),

decided as (

    select
        judged.*,
        reasons.decision,
        reasons.decision in ('send', 'holdout') as is_selected
    from judged
    left join {{ ref("reason_code") }} as reasons on judged.reason_code = reasons.reason_code

)

select
    as_of_date,
    is_frozen,
    customer_id,
    customer_kind,
    episode_id,
    decision,
    reason_code,
    -- Only who sleeps has an episode, and with it an arm.
    case when dormant_since is not null then episode_arm end as arm,
    case when is_selected then journey || '_' || strftime(as_of_date, '%Y_%m') end as campaign_id,
    case when is_selected then {{ stable_id("t_", ["as_of_date", "customer_id", "channel"]) }} end as touch_id,
    case when is_selected then journey end as journey,
    cast(case when is_selected then 1 end as integer) as step,
    case when is_selected then channel end as channel,
    cast(null as varchar) as offer_id,
    cast(null as varchar) as coupon_code,
    cast(null as varchar) as template_id,
    case when is_selected then {{ add_days("as_of_date", 1) }} + interval 10 hour end as send_after,
    case when is_selected then {{ add_days("as_of_date", "valid_days") }} end as valid_until,
    cast(case
        when is_selected
            then row_number() over (
                partition by as_of_date, is_selected order by expected_value desc, customer_id asc
            )
    end as integer) as priority,
    case when is_selected then cast(unit_cost as decimal(18, 2)) end as expected_cost,
    cast(null as decimal(18, 2)) as expected_margin,
    policy_version,
    simulated,
    run_id
from decided
