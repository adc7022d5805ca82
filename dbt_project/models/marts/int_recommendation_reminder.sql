-- Products that a customer looked at or put aside in the web shop lately and has not bought since. A visit belongs
-- to who logged in, else to whose machine it is.
with events as (

    select
        dates.as_of_date,
        coalesce(accounts.customer_id, visitors.customer_id) as customer_id,
        events.product_id,
        events.occurred_on,
        events.kind,
        {{ days_between("events.occurred_on", "dates.as_of_date") }} as age_days
    from {{ ref("int_recommendation_date") }} as dates
    inner join {{ ref("stg_web__events") }} as events
        on
            dates.as_of_date >= events.occurred_on
            and events.occurred_on > {{ add_days("dates.as_of_date", "-" ~ recommendation_setting("reminder_days")) }}
    left join {{ ref("customer_account") }} as accounts
        on accounts.source = 'ecommerce' and events.account_id = accounts.account_key
    left join {{ ref("int_visitor") }} as visitors on events.visitor_id = visitors.visitor_id
    where events.product_id is not null and events.kind in ('view', 'cart', 'wishlist')

),

since as (

    -- On the day of the purchase itself nobody knows what came first; it counts as bought.
    select events.*
    from events
    left join {{ ref("int_recommendation_own") }} as own
        on
            events.as_of_date = own.as_of_date
            and events.customer_id = own.customer_id
            and events.product_id = own.product_id
    where events.customer_id is not null and (own.last_on is null or own.last_on < events.occurred_on)

)

select
    as_of_date,
    customer_id,
    product_id,
    count(*) filter (where kind = 'view') as views,
    max(occurred_on) filter (where kind = 'view') as last_view_on,
    max(occurred_on) filter (where kind = 'cart') as last_cart_on,
    max(occurred_on) filter (where kind = 'wishlist') as last_wishlist_on,
    {{ whole_sum(
        "case kind when 'cart' then " ~ recommendation_setting("cart_weight")
        ~ " when 'wishlist' then " ~ recommendation_setting("wishlist_weight")
        ~ " else " ~ recommendation_setting("view_weight") ~ " end * "
        ~ decayed("age_days", "reminder_half_life_days")
    ) }} as reminder_weight
from since
group by as_of_date, customer_id, product_id
