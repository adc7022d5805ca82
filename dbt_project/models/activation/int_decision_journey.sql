-- Every known customer on each date of the run, judged alone: whether anybody may write at all, which journey the
-- playbook names, and which of its steps is next. `reason_code` is empty for who has a step that is due.
with dates as (

    select * from {{ control("decision_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

reach as (

    select
        customer_id,
        bool_or(not is_suppressed) as is_open,
        bool_or(not is_suppressed and (may_market or may_serve)) as is_permitted
    from {{ ref("int_contact_address") }}
    group by customer_id

),

-- Something was bought or brought back after the date and before the decision.
traded as (

    select distinct
        dates.as_of_date,
        revenue.customer_id
    from dates
    inner join {{ ref("int_revenue_day") }} as revenue
        on dates.as_of_date < revenue.booked_on and dates.known_until > revenue.booked_on

),

-- An open complaint, or whatever was written to the help desk since.
tickets as (

    select distinct
        dates.as_of_date,
        tickets.customer_id
    from dates
    cross join settings
    inner join {{ ref("ticket") }} as tickets
        on
            dates.known_until > tickets.opened_at
            and (tickets.closed_at is null or dates.known_until <= tickets.closed_at)
            and tickets.opened_at >= {{ add_days("dates.as_of_date", "-settings.complaint_open_days") }}
    where
        tickets.customer_id is not null
        and (tickets.kind = 'complaint' or tickets.opened_at >= {{ add_days("dates.as_of_date", 1) }})

),

known as (

    select
        dates.as_of_date,
        customers.customer_id,
        dormancy.customer_id is not null as has_history,
        coalesce(dormancy.customer_kind, 'registrant') as customer_kind,
        dormancy.episode_id,
        dormancy.dormancy_state,
        dormancy.dormant_since,
        coalesce(dormancy.value_tier, 'low') as value_tier,
        case when dormancy.dormant_since is null then 'none' else coalesce(dormancy.primary_reason, 'unknown') end
            as primary_reason,
        dormancy.p_active,
        dormancy.horizon_days,
        dormancy.purchase_margin,
        coalesce(rfm.guide_class, 'none') as guide_class,
        cast(rfm.monetary as double) / nullif(rfm.frequency, 0) as order_value,
        coalesce(triggers.trigger, 'none') as trigger,
        coalesce(reach.is_open, false) as is_open,
        coalesce(reach.is_permitted, false) as is_permitted,
        reach.customer_id is not null as has_address,
        traded.customer_id is not null as has_traded,
        tickets.customer_id is not null as has_complaint
    from dates
    inner join {{ ref("customer") }} as customers
        on dates.as_of_date >= customers.first_seen_on or customers.first_seen_on is null
    left join {{ ref("customer_dormancy") }} as dormancy
        on dates.as_of_date = dormancy.as_of_date and customers.customer_id = dormancy.customer_id
    left join {{ ref("customer_rfm") }} as rfm
        on dates.as_of_date = rfm.as_of_date and customers.customer_id = rfm.customer_id
    left join {{ ref("int_decision_trigger") }} as triggers
        on dates.as_of_date = triggers.as_of_date and customers.customer_id = triggers.customer_id
    left join reach on customers.customer_id = reach.customer_id
    left join traded on dates.as_of_date = traded.as_of_date and customers.customer_id = traded.customer_id
    left join tickets on dates.as_of_date = tickets.as_of_date and customers.customer_id = tickets.customer_id

),

-- The playbook is asked once for each combination that occurs, not for each customer.
combinations as (

    select distinct
        trigger,
        customer_kind,
        dormancy_state,
        value_tier,
        primary_reason,
        guide_class
    from known
    where has_history

),

rules as (

    select
        combinations.*,
        playbook.rule,
        playbook.journey,
        playbook.reason_code
    from combinations
    inner join {{ ref("playbook") }} as playbook
        on
            {{ cell_holds("playbook.trigger", "combinations.trigger") }}
            and {{ cell_holds("playbook.customer_kind", "combinations.customer_kind") }}
            and {{ cell_holds("playbook.dormancy_state", "combinations.dormancy_state") }}
            and {{ cell_holds("playbook.value_tier", "combinations.value_tier") }}
            and {{ cell_holds("playbook.primary_reason", "combinations.primary_reason") }}
            and {{ cell_holds("playbook.guide_class", "combinations.guide_class") }}
    qualify row_number() over (
        partition by
            combinations.trigger, combinations.customer_kind, combinations.dormancy_state,
            combinations.value_tier, combinations.primary_reason, combinations.guide_class
        order by playbook.priority asc, playbook.rule asc
    ) = 1

),

planned as (

    select
        known.*,
        rules.rule,
        rules.journey as planned_journey,
        rules.reason_code as planned_reason,
        journeys.kind not in ('reminder', 'greeting', 'retain', 'member') as is_of_sleep
    from known
    left join rules
        on
            known.trigger = rules.trigger
            and known.customer_kind = rules.customer_kind
            and known.dormancy_state = rules.dormancy_state
            and known.value_tier = rules.value_tier
            and known.primary_reason = rules.primary_reason
            and known.guide_class = rules.guide_class
    left join {{ ref("journey") }} as journeys on rules.journey = journeys.journey

),

-- The last touch of the journey under way. A spell of sleep has one journey at a time, and what was begun is
-- finished even if the playbook would name another by now.
last_touch as (

    select
        planned.as_of_date,
        planned.customer_id,
        touches.* exclude (as_of_date, customer_id, is_of_sleep)
    from planned
    inner join {{ ref("int_own_touch") }} as touches
        on planned.as_of_date = touches.as_of_date and planned.customer_id = touches.customer_id
    inner join {{ ref("journey") }} as journeys on touches.journey = journeys.journey
    where
        planned.planned_journey is not null
        and case
            when planned.is_of_sleep
                then
                    touches.is_of_sleep
                    and (
                        planned.episode_id = touches.episode_id
                        or coalesce(planned.dormant_since <= touches.touched_on, false)
                    )
            else
                planned.planned_journey = touches.journey
                and coalesce(
                    touches.send_on > {{ add_days("planned.as_of_date", "-journeys.repeat_after_days") }}, true
                )
        end
    qualify row_number() over (
        partition by planned.as_of_date, planned.customer_id
        order by touches.touched_on desc, touches.step desc, touches.touch_id asc
    ) = 1

),

-- Of the next step's conditions the first that holds; what tells more is asked first.
next_step as (

    select
        last_touch.as_of_date,
        last_touch.customer_id,
        steps.step,
        steps.condition,
        steps.channels,
        steps.offer_id,
        steps.template_id,
        {{ add_days("last_touch.send_on", "steps.wait_days") }}
        <= {{ add_days("last_touch.as_of_date", 1) }} as is_due
    from last_touch
    inner join {{ ref("journey_step") }} as steps
        on last_touch.journey = steps.journey and last_touch.step + 1 = steps.step
    where
        case steps.condition
            when 'replied_no' then last_touch.is_declined
            when 'clicked_not_bought' then last_touch.is_clicked
            when 'opened_not_clicked' then last_touch.is_opened and not last_touch.is_clicked
            when 'not_delivered' then last_touch.is_bounced
            when 'no_answer' then last_touch.channel = 'phone' and not last_touch.is_answered
            -- Of other channels nobody learns whether a message was opened.
            when 'not_opened'
                then last_touch.channel in ('email', 'push', 'social_dm') and not last_touch.is_opened
            else true
        end
    qualify row_number() over (
        partition by last_touch.as_of_date, last_touch.customer_id
        order by
            case steps.condition
                when 'replied_no' then 1
                when 'clicked_not_bought' then 2
                when 'opened_not_clicked' then 3
                when 'not_delivered' then 4
                when 'no_answer' then 5
                when 'not_opened' then 6
                when 'not_bought' then 7
                else 8
            end asc
    ) = 1

),

last_steps as (

    select
        journey,
        max(step) as last_step
    from {{ ref("journey_step") }}
    group by journey

),

placed as (

    select
        planned.*,
        last_touch.touch_id as last_touch_id,
        last_touch.campaign_id as last_campaign_id,
        last_touch.journey as last_journey,
        next_step.step as next_step,
        next_step.condition as next_condition,
        coalesce(next_step.is_due, false) as is_due,
        -- Over when it has no further step, when the customer has bought, or when nothing came of it for long.
        last_touch.touch_id is not null
        and (
            last_touch.is_bought
            or last_touch.step >= coalesce(last_steps.last_step, 0)
            or last_touch.send_on < {{ add_days("planned.as_of_date", "-holdout.outcome_days") }}
        ) as is_over,
        coalesce(
            {{ add_days("last_touch.send_on", "journeys.repeat_after_days") }} <= planned.as_of_date, false
        ) as may_repeat
    from planned
    cross join {{ ref("holdout") }} as holdout
    left join last_touch
        on planned.as_of_date = last_touch.as_of_date and planned.customer_id = last_touch.customer_id
    left join next_step
        on planned.as_of_date = next_step.as_of_date and planned.customer_id = next_step.customer_id
    left join last_steps on last_touch.journey = last_steps.journey
    left join {{ ref("journey") }} as journeys on last_touch.journey = journeys.journey

),

staged as (

    select
        *,
        case
            when last_touch_id is null or (is_over and may_repeat) then 'begin'
            when is_over then 'done'
            when is_due then 'go_on'
            else 'wait'
        end as stage
    from placed

)

select
    staged.as_of_date,
    staged.customer_id,
    staged.customer_kind,
    staged.episode_id,
    staged.dormancy_state,
    staged.dormant_since,
    staged.value_tier,
    staged.primary_reason,
    staged.guide_class,
    staged.trigger,
    staged.rule,
    staged.p_active,
    staged.horizon_days,
    staged.purchase_margin,
    staged.order_value,
    steps.journey,
    steps.step,
    steps.channels,
    steps.offer_id,
    steps.other_offers,
    steps.template_id,
    case when staged.stage = 'go_on' then staged.last_campaign_id end as campaign_id,
    case
        when not staged.has_history then 'no_history'
        when not staged.has_address then 'not_reachable'
        when not staged.is_open then 'suppressed'
        when not staged.is_permitted then 'no_consent'
        when staged.has_complaint then 'open_complaint'
        when staged.planned_journey is null then staged.planned_reason
        when staged.has_traded then 'bought_since'
        when staged.stage = 'done' then 'journey_done'
        when staged.stage = 'wait' then 'journey_waiting'
        when
            offers.offer_id is not null
            and not {{ cell_holds("offers.eligible_classes", "staged.guide_class") }}
            then 'not_eligible'
    end as reason_code,
    case when staged.stage = 'go_on' then 'follow_up' else staged.planned_reason end as send_reason
from staged
left join {{ ref("journey_step") }} as steps
    on
        case when staged.stage = 'begin' then staged.planned_journey else staged.last_journey end = steps.journey
        and case when staged.stage = 'begin' then 1 else staged.next_step end = steps.step
        and case when staged.stage = 'begin' then 'start' else staged.next_condition end = steps.condition
        and staged.stage in ('begin', 'go_on')
left join {{ ref("offer") }} as offers on steps.offer_id = offers.offer_id
