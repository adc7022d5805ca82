-- Everybody who was to be contacted, by us or by another tool, with what the customer was when it was decided (for
-- our own) and what came back until the moment up to which is measured. A funnel never widens: who clicked has opened,
-- whatever the tool could see, and what bounced was not delivered.
with measured as (

    select * from {{ control("measured_until") }}

),

-- Of a tool that reports no deliveries, whatever did not bounce has arrived.
silent as (

    select
        touches.campaign_id,
        touches.channel
    from {{ ref("touch") }} as touches
    group by touches.campaign_id, touches.channel
    having count(touches.delivered_at) = 0

)

select
    touches.touch_id,
    touches.campaign_id,
    touches.customer_id,
    touches.channel,
    touches.offer_id,
    coalesce(own.as_of_date, cast(coalesce(touches.assigned_at, touches.sent_at) as date)) as as_of_date,
    touches.sent_at,
    coalesce(touches.sent_at < measured.known_until, false) as is_sent,
    {{ days_later("touches.sent_at", "windows.days") }} as window_ends_at,
    own.journey,
    own.step,
    own.template_id,
    own.coupon_code,
    own.guide_class,
    own.dormancy_reason,
    own.value_tier,
    touches.contact_cost,
    touches.redeemed_amount,
    coalesce(touches.redeemed_at < measured.known_until, false) as is_redeemed,
    coalesce(touches.unsubscribed_at < measured.known_until, false) as is_unsubscribed,
    coalesce(touches.complained_at < measured.known_until, false) as is_complained,
    coalesce(touches.clicked_at < measured.known_until, false) as is_clicked,
    coalesce(least(touches.opened_at, touches.clicked_at) < measured.known_until, false) as is_opened,
    coalesce(
        least(
            touches.delivered_at, touches.opened_at, touches.clicked_at, touches.answered_at, touches.replied_at,
            touches.redeemed_at
        ) < measured.known_until,
        false
    )
    or (
        silent.campaign_id is not null
        and touches.sent_at < measured.known_until
        and coalesce(touches.bounced_at >= measured.known_until, true)
    ) as is_delivered,
    coalesce(
        least(touches.clicked_at, touches.replied_at, touches.redeemed_at) < measured.known_until, false
    )
    or (
        coalesce(touches.answered_at < measured.known_until, false)
        and coalesce(touches.disposition not in ('no_answer', 'wrong_number'), true)
    ) as is_responded,
    {{ days_later("coalesce(touches.sent_at, touches.assigned_at)", "windows.days") }} <= measured.known_until
        as is_matured
from {{ ref("touch") }} as touches
cross join measured
left join {{ control("recall_touch") }} as own on touches.touch_id = own.touch_id
left join {{ ref("reach_channel") }} as reaches on touches.channel = reaches.campaign_channel
left join {{ control("attribution_window") }} as windows on coalesce(reaches.channel, 'other') = windows.channel
left join silent
    on touches.campaign_id = silent.campaign_id and touches.channel is not distinct from silent.channel
-- What was decided on the newest date goes out after it.
where
    not touches.is_control
    and (
        coalesce(touches.assigned_at < measured.newest, false)
        or coalesce(touches.sent_at < measured.known_until, false)
    )
