-- What came of each contact within its channel's window. Of several contacts the last one counts, so that no
-- order and no visit is told twice.
with acts as (

    select
        touches.touch_id,
        acts.customer_id,
        acts.active_on
    from {{ ref("int_activity_day") }} as acts
    inner join {{ ref("int_recall_touch") }} as touches
        on
            acts.customer_id = touches.customer_id
            and acts.active_on >= cast(touches.sent_at as date)
            and acts.active_on < cast(touches.window_ends_at as date)
    cross join {{ control("measured_until") }} as measured
    where acts.kind != 'registration' and acts.active_on < measured.known_until
    qualify row_number() over (
        partition by acts.customer_id, acts.active_on order by touches.sent_at desc, touches.touch_id asc
    ) = 1

),

woken as (

    select distinct touch_id from acts

),

sold as (

    select
        touch_id,
        count(*) filter (where is_kept) as orders,
        sum(revenue) as revenue,
        sum(margin) as margin,
        bool_or(is_kept) as is_converted,
        bool_or(has_coupon) as has_coupon,
        max(revenue) filter (where has_coupon) as coupon_revenue
    from {{ ref("int_attributed_order") }}
    group by touch_id

)

select
    touches.* exclude (redeemed_amount, is_redeemed, is_responded, coupon_code),
    touches.is_responded or coalesce(sold.has_coupon, false) as is_responded,
    woken.touch_id is not null or coalesce(sold.is_converted, false) as is_woken,
    coalesce(sold.is_converted, false) as is_converted,
    coalesce(sold.orders, 0) as orders,
    coalesce(sold.revenue, 0) as revenue,
    coalesce(sold.margin, 0) as margin,
    -- What the tool says that the incentive cost, else what the offer is said to cost.
    cast(case
        when touches.is_redeemed or coalesce(sold.has_coupon, false)
            then coalesce(
                touches.redeemed_amount,
                case offers.cost_rule
                    when 'share_of_order' then offers.cost * coalesce(sold.coupon_revenue, sold.revenue, 0)
                    when 'fixed' then offers.cost
                end,
                0
            )
        else 0
    end as decimal(18, 2)) as incentive_cost
from {{ ref("int_recall_touch") }} as touches
left join woken on touches.touch_id = woken.touch_id
left join sold on touches.touch_id = sold.touch_id
left join {{ ref("offer") }} as offers on touches.offer_id = offers.offer_id
