-- Which purchase line a returned unit came from.
--
-- A return that states its order reduces that order's lines of the product. Any other return takes the
-- customer's latest earlier units of the product that no earlier return took: a stack per customer and
-- product. The stack is computed in sets, without a loop over units: purchases push and returns pop a
-- running level that never falls below zero (what would, is unmatched). The unit at a level was last pushed
-- by the newest earlier purchase whose interval covers that level.
-- A return looks back only, so what is known at any as-of date does not depend on later events.
with events as (

    select
        line_id,
        customer_id,
        product_id,
        order_id,
        returned_order_id,
        channel,
        ordered_on,
        ordered_at,
        line_no,
        quantity,
        is_return
    from {{ ref("int_sales_line") }}
    where customer_id is not null and product_id is not null and (is_purchase or is_return)

),

returned_products as (

    select distinct
        customer_id,
        product_id
    from events
    where is_return and returned_order_id is null

),

running as (

    select
        events.*,
        row_number() over in_time as event_number,
        sum(events.quantity) over in_time as balance
    from events
    inner join returned_products using (customer_id, product_id)
    where not (events.is_return and events.returned_order_id is not null)
    window in_time as (
        partition by customer_id, product_id
        order by events.ordered_at, events.is_return, events.order_id, events.line_no
        rows between unbounded preceding and current row
    )

),

floored as (

    select
        *,
        balance - least(0, min(balance) over (
            partition by customer_id, product_id order by event_number
            rows between unbounded preceding and current row
        )) as level_after
    from running

),

levels as (

    select
        *,
        lag(level_after, 1, 0) over (partition by customer_id, product_id order by event_number) as level_before
    from floored

),

candidates as (

    select
        returns.line_id as return_line_id,
        returns.ordered_on as returned_on,
        purchases.line_id as purchase_line_id,
        purchases.event_number,
        greatest(purchases.level_before, returns.level_after) as from_level,
        least(purchases.level_after, returns.level_before) as to_level
    from levels as returns
    inner join levels as purchases
        on
            returns.customer_id = purchases.customer_id
            and returns.product_id = purchases.product_id
            and returns.event_number > purchases.event_number
            and returns.level_before > purchases.level_before
            and returns.level_after < purchases.level_after
    where returns.is_return and not purchases.is_return and returns.level_before > returns.level_after

),

bounds as (

    select
        return_line_id,
        from_level as bound
    from candidates
    union
    select
        return_line_id,
        to_level as bound
    from candidates

),

segments as (

    select
        return_line_id,
        bound as from_level,
        lead(bound) over (partition by return_line_id order by bound) as to_level
    from bounds

),

stacked as (

    select
        segments.return_line_id,
        max(candidates.returned_on) as returned_on,
        arg_max(candidates.purchase_line_id, candidates.event_number) as purchase_line_id,
        segments.to_level - segments.from_level as units
    from segments
    inner join candidates
        on
            segments.return_line_id = candidates.return_line_id
            and segments.from_level >= candidates.from_level
            and segments.to_level <= candidates.to_level
    where segments.to_level is not null
    group by segments.return_line_id, segments.from_level, segments.to_level

),

stated_returns as (

    select
        line_id,
        channel,
        customer_id,
        product_id,
        returned_order_id,
        ordered_on,
        -quantity as units,
        sum(-quantity) over (
            partition by channel, customer_id, returned_order_id, product_id
            order by ordered_at, order_id, line_no
            rows between unbounded preceding and current row
        ) as units_until
    from events
    where is_return and returned_order_id is not null

),

-- Few orders are returned: the others need not be sorted.
returned_orders as (

    select distinct
        channel,
        customer_id,
        returned_order_id as order_id,
        product_id
    from stated_returns

),

stated_purchases as (

    select
        events.line_id,
        events.channel,
        events.customer_id,
        events.product_id,
        events.order_id,
        events.ordered_at,
        events.quantity as units,
        sum(events.quantity) over (
            partition by events.channel, events.customer_id, events.order_id, events.product_id
            order by events.line_no
            rows between unbounded preceding and current row
        ) as units_until
    from events
    inner join returned_orders using (channel, customer_id, order_id, product_id)
    where not events.is_return

),

stated as (

    select
        returns.line_id as return_line_id,
        returns.ordered_on as returned_on,
        purchases.line_id as purchase_line_id,
        least(returns.units_until, purchases.units_until)
        - greatest(returns.units_until - returns.units, purchases.units_until - purchases.units) as units
    from stated_returns as returns
    inner join stated_purchases as purchases
        on
            returns.channel = purchases.channel
            and returns.customer_id = purchases.customer_id
            and returns.returned_order_id = purchases.order_id
            and returns.product_id = purchases.product_id
            and returns.units_until - returns.units < purchases.units_until
            and returns.units_until > purchases.units_until - purchases.units

)

select
    return_line_id,
    purchase_line_id,
    returned_on,
    units
from stacked
union all
select
    return_line_id,
    purchase_line_id,
    returned_on,
    units
from stated
