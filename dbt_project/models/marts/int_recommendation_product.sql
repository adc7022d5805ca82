-- What was known of each product on the date: its cycle, how often it is bought again, whether demand rises, and
-- whether it may be recommended at all. Name, stock and activity are the newest known: what goes out must be
-- for sale when it goes out.
with own as (

    select * from {{ ref("int_recommendation_own") }}

),

has_catalogue as (

    select count(*) > 0 as has_catalogue from {{ ref("product") }}

),

bought as (

    select
        as_of_date,
        product_id,
        count(*) filter (where last_days_ago < 90) as buyers_90_days,
        count(*) filter (where last_days_ago < 30) as buyers_30_days,
        {{ whole_sum("earlier_weight") }} as earlier_weight,
        count(*) filter (
            where last_days_ago < {{ recommendation_setting("horizon_days") }} and earlier_weight > 0
        ) as rebuyers,
        count(*) filter (where purchase_days > 1) as cycle_buyers,
        median(
            {{ days_between("first_on", "last_on") }} / nullif(purchase_days - 1, 0)
        ) as own_cycle_days
    from own
    group by as_of_date, product_id

),

viewed as (

    -- A product that is only looked at can be in a reminder.
    select distinct
        dates.as_of_date,
        events.product_id
    from {{ ref("int_recommendation_date") }} as dates
    inner join {{ ref("stg_web__events") }} as events
        on
            dates.as_of_date >= events.occurred_on
            and events.occurred_on > {{ add_days("dates.as_of_date", "-" ~ recommendation_setting("reminder_days")) }}
    where events.product_id is not null

),

known as (

    select
        coalesce(bought.as_of_date, viewed.as_of_date) as as_of_date,
        coalesce(bought.product_id, viewed.product_id) as product_id,
        coalesce(bought.buyers_90_days, 0) as buyers_90_days,
        coalesce(bought.buyers_30_days, 0) as buyers_30_days,
        coalesce(bought.earlier_weight, 0) as earlier_weight,
        coalesce(bought.rebuyers, 0) as rebuyers,
        case
            when bought.cycle_buyers >= {{ recommendation_setting("min_cycle_buyers") }} then bought.own_cycle_days
        end as own_cycle_days
    from bought
    full outer join viewed on bought.as_of_date = viewed.as_of_date and bought.product_id = viewed.product_id

),

shop as (

    select
        as_of_date,
        coalesce(
            sum(rebuyers) / nullif({{ whole_sum("earlier_weight") }}, 0),
            {{ recommendation_setting("first_rate") }}
        ) as shop_rate
    from known
    group by as_of_date

),

sold as (

    select
        dates.as_of_date,
        lines.product_id,
        sum(lines.quantity) filter (where lines.is_purchase) as units_sold,
        -sum(lines.quantity) filter (where lines.is_return) as units_returned
    from {{ ref("int_recommendation_date") }} as dates
    inner join {{ ref("int_sales_line") }} as lines on dates.as_of_date >= lines.ordered_on
    where lines.product_id is not null
    group by dates.as_of_date, lines.product_id

),

complained as (

    select
        dates.as_of_date,
        tickets.product_id,
        count(*) as complaints
    from {{ ref("int_recommendation_date") }} as dates
    inner join {{ ref("int_product_ticket") }} as tickets on dates.as_of_date >= tickets.opened_on
    where tickets.kind = 'complaint'
    group by dates.as_of_date, tickets.product_id

)

select
    known.as_of_date,
    known.product_id,
    -- A number is shorter than an id: millions of pairs of them are counted.
    row_number() over (partition by known.as_of_date order by known.product_id) as product_no,
    coalesce(products.name, known.product_id) as product_name,
    coalesce(catalogue.replenishment_days, known.own_cycle_days) as cycle_days,
    -- Purchases within the horizon per decayed purchase: the geometric mean of the product's own rate, drawn
    -- towards the shop's where buyers are few, and the shop's.
    sqrt(
        shop.shop_rate * (known.rebuyers + {{ recommendation_setting("prior_buyers") }} * shop.shop_rate)
        / (known.earlier_weight + {{ recommendation_setting("prior_buyers") }})
    ) as repeat_rate,
    sqrt((known.buyers_30_days + 1) / (known.buyers_90_days + 3)) as trend,
    -- Unknown stock and activity count as yes; what a shop's catalogue does not have, it cannot sell.
    case
        when products.product_id is null then not has_catalogue.has_catalogue
        else coalesce(products.active, true) and products.in_stock
    end
    and not coalesce(
        sold.units_sold >= {{ recommendation_setting("min_units_sold") }}
        and (
            sold.units_returned > {{ recommendation_setting("max_return_rate") }} * sold.units_sold
            or complained.complaints > {{ recommendation_setting("max_complaint_rate") }} * sold.units_sold
        ),
        false
    ) as is_eligible
from known
inner join shop on known.as_of_date = shop.as_of_date
cross join has_catalogue
left join {{ ref("product") }} as products on known.product_id = products.product_id
left join {{ ref("stg_catalog__products") }} as catalogue on known.product_id = catalogue.product_id
left join sold on known.as_of_date = sold.as_of_date and known.product_id = sold.product_id
left join complained on known.as_of_date = complained.as_of_date and known.product_id = complained.product_id
