-- Our sends and ghosts before each date of the run, whose customer they are of now, and what was known of their
-- outcome when the date was decided. Journeys that answer to something else than sleep may run beside it.
with dates as (

    select * from {{ control("decision_date") }}

),

touches as (

    select
        dates.as_of_date,
        dates.known_until,
        coalesce(aliases.customer_id, recalled.customer_id) as customer_id,
        recalled.as_of_date as touched_on,
        recalled.episode_id,
        recalled.campaign_id,
        recalled.touch_id,
        recalled.journey,
        journeys.kind not in ('reminder', 'greeting', 'retain', 'member') as is_of_sleep,
        recalled.step,
        recalled.channel,
        recalled.send_on,
        recalled.address_key
    from dates
    inner join {{ control("recall_touch") }} as recalled
        on
            dates.as_of_date > recalled.as_of_date
            and recalled.as_of_date > {{ add_days("dates.as_of_date", -400) }}
    left join {{ ref("customer_alias") }} as aliases on recalled.customer_id = aliases.alias_id
    left join {{ ref("journey") }} as journeys on recalled.journey = journeys.journey

),

bought as (

    select distinct
        touches.as_of_date,
        touches.touch_id
    from touches
    inner join {{ ref("int_kept_day") }} as purchases
        on
            touches.customer_id = purchases.customer_id
            and touches.touched_on < purchases.purchased_on
            and touches.known_until > purchases.purchased_on

)

select
    touches.* exclude (known_until),
    coalesce(answers.opened_at < touches.known_until, false)
    or coalesce(answers.clicked_at < touches.known_until, false) as is_opened,
    coalesce(answers.clicked_at < touches.known_until, false) as is_clicked,
    coalesce(answers.delivered_at < touches.known_until, false)
    or coalesce(answers.opened_at < touches.known_until, false) as is_delivered,
    coalesce(answers.bounced_at < touches.known_until, false) as is_bounced,
    coalesce(answers.answered_at < touches.known_until, false)
    and coalesce(answers.disposition not in ('no_answer', 'wrong_number'), true) as is_answered,
    (
        coalesce(answers.answered_at < touches.known_until, false)
        or coalesce(answers.replied_at < touches.known_until, false)
    )
    and coalesce(answers.disposition in ('not_interested', 'declined', 'no', 'refused'), false) as is_declined,
    bought.touch_id is not null as is_bought
from touches
left join {{ ref("touch") }} as answers on touches.touch_id = answers.touch_id
left join bought on touches.as_of_date = bought.as_of_date and touches.touch_id = bought.touch_id
