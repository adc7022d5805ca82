with kept as (

    select
        customer_id,
        channel,
        purchased_on,
        sum(units - returned_units) as units
    from {{ ref("int_purchase_line") }}
    group by customer_id, channel, purchased_on

),

booked as (

    select
        customer_id,
        channel,
        ordered_on as purchased_on,
        count(distinct order_id) filter (where is_purchase) as orders,
        sum(amount) filter (where is_purchase) as charged_amount,
        sum(discount_amount) filter (where is_purchase) as line_discount_amount,
        -sum(amount) filter (where is_return) as returned_amount,
        sum(amount) as net_amount
    from {{ ref("int_sales_line") }}
    where is_revenue and customer_id is not null
    group by customer_id, channel, ordered_on

)

select
    booked.customer_id,
    booked.purchased_on,
    booked.channel,
    cast(booked.orders as integer) as orders,
    cast(coalesce(kept.units, 0) as decimal(18, 4)) as units,
    cast(coalesce(booked.charged_amount, 0) + coalesce(booked.line_discount_amount, 0) as decimal(18, 2))
        as gross_amount,
    -- Everything between gross and net that is no return: discounts on lines and discount lines.
    cast(
        coalesce(booked.charged_amount, 0) + coalesce(booked.line_discount_amount, 0)
        - coalesce(booked.returned_amount, 0) - booked.net_amount as decimal(18, 2)
    ) as discount_amount,
    cast(coalesce(booked.returned_amount, 0) as decimal(18, 2)) as returned_amount,
    cast(booked.net_amount as decimal(18, 2)) as net_amount
from booked
left join kept
    on
        booked.customer_id = kept.customer_id
        and booked.channel = kept.channel
        and booked.purchased_on = kept.purchased_on
