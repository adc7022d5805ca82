-- What is near to the products that a customer has: how much each of these leads to it, added up, and the one
-- that leads to it most. All of the customer's own products that others lead to, and of the new ones the best few.
-- Products are numbers here: with a million customers there are hundreds of millions of rows to add up.
with own as (

    select
        own.as_of_date,
        own.customer_id,
        products.product_no,
        own.own_weight,
        own.last_on
    from {{ ref("int_recommendation_own") }} as own
    inner join {{ ref("int_recommendation_product") }} as products
        on own.as_of_date = products.as_of_date and own.product_id = products.product_id

),

barred as (

    select
        barred.as_of_date,
        barred.customer_id,
        products.product_no
    from {{ ref("int_recommendation_barred") }} as barred
    inner join {{ ref("int_recommendation_product") }} as products
        on barred.as_of_date = products.as_of_date and barred.product_id = products.product_id

),

customers as (

    select
        as_of_date,
        customer_id,
        row_number() over (order by as_of_date, customer_id) as customer_no
    from own
    group by as_of_date, customer_id

),

had as (

    -- New is what the customer never bought, sent back or complained of.
    select
        customers.customer_no,
        own.product_no,
        true as is_own
    from own
    inner join customers on own.as_of_date = customers.as_of_date and own.customer_id = customers.customer_id
    union all
    select
        customers.customer_no,
        barred.product_no,
        false as is_own
    from barred
    inner join customers on barred.as_of_date = customers.as_of_date and barred.customer_id = customers.customer_id
    anti join own
        on
            barred.as_of_date = own.as_of_date
            and barred.customer_id = own.customer_id
            and barred.product_no = own.product_no

),

leads as (

    select
        own.as_of_date,
        customers.customer_no,
        own.product_no,
        least(own.own_weight, 1) as lead_weight,
        least(max(own.own_weight) over (partition by customers.customer_no), 1) as strongest_weight
    from own
    inner join customers on own.as_of_date = customers.as_of_date and own.customer_id = customers.customer_id
    anti join barred
        on
            own.as_of_date = barred.as_of_date
            and own.customer_id = barred.customer_id
            and own.product_no = barred.product_no
    qualify
        row_number() over (
            partition by customers.customer_no order by own.own_weight desc, own.last_on desc, own.product_no asc
        ) <= {{ recommendation_setting("lead_items") }}

),

led_to as (

    -- A lead that is weak beside the customer's strongest changes nothing, and there are many of these.
    select
        leads.customer_no,
        neighbours.neighbour_no,
        leads.product_no as lead_no,
        cast(round(leads.lead_weight * neighbours.similarity_millionths) as bigint) as millionths
    from leads
    inner join {{ ref("int_recommendation_neighbour") }} as neighbours
        on leads.as_of_date = neighbours.as_of_date and leads.product_no = neighbours.product_no
    where
        leads.lead_weight * neighbours.similarity_millionths
        >= leads.strongest_weight * {{ recommendation_setting("min_lead_millionths") }}

),

added_up as (

    select
        customer_no,
        neighbour_no,
        sum(millionths) as millionths,
        -- Both in one number, so that of equal leads the first by product_id stands.
        max({{ packed("millionths", "lead_no") }}) as best_lead
    from led_to
    group by customer_no, neighbour_no

),

compared as (

    select
        added_up.customer_no,
        {{ packed("added_up.millionths", "added_up.neighbour_no") }} as related,
        added_up.best_lead,
        had.product_no is null as is_new,
        had.is_own
    from added_up
    left join had on added_up.customer_no = had.customer_no and added_up.neighbour_no = had.product_no

),

chosen as (

    select
        customer_no,
        max(related, {{ recommendation_setting("list_items") }}) filter (where is_new) as new_ones,
        max_by(best_lead, related, {{ recommendation_setting("list_items") }}) filter (where is_new) as new_leads,
        list(related order by related) filter (where is_own) as own_ones,
        list(best_lead order by related) filter (where is_own) as own_leads
    from compared
    group by customer_no

),

listed as (

    select
        customer_no,
        false as is_own,
        unnest(new_ones) as related,
        unnest(new_leads) as lead_product
    from chosen
    union all
    select
        customer_no,
        true as is_own,
        unnest(own_ones) as related,
        unnest(own_leads) as lead_product
    from chosen

)

select
    customers.as_of_date,
    customers.customer_id,
    products.product_id,
    listed.is_own,
    cast({{ packed_value("listed.related") }} / 1e6 as double) as related_weight,
    lead_products.product_id as lead_product_id
from listed
inner join customers on listed.customer_no = customers.customer_no
inner join {{ ref("int_recommendation_product") }} as products
    on
        customers.as_of_date = products.as_of_date
        and {{ packed_number("listed.related") }} = products.product_no
inner join {{ ref("int_recommendation_product") }} as lead_products
    on
        customers.as_of_date = lead_products.as_of_date
        and {{ packed_number("listed.lead_product") }} = lead_products.product_no
