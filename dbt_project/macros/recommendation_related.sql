{#
  What is near to the products of one part of the customers: how much each of these leads to it, added up, and the
  one that leads to it most. All of the customer's own products that others lead to, and of the new ones the best few.
  A million customers have hundreds of millions of rows to add up, more than the memory holds: one part after another.
#}
{% macro recommendation_related(part) -%}
    with led_to as (

        -- A lead that is weak beside the customer's strongest changes nothing, and there are many of these.
        select
            leads.customer_no,
            neighbours.neighbour_no,
            leads.product_no as lead_no,
            cast(round(leads.lead_weight * neighbours.similarity_millionths) as bigint) as millionths
        from {{ ref("int_recommendation_had") }} as leads
        inner join {{ ref("int_recommendation_neighbour") }} as neighbours
            on leads.as_of_date = neighbours.as_of_date and leads.product_no = neighbours.product_no
        where
            leads.is_lead
            and leads.customer_no % {{ recommendation_setting("customer_parts") }} = {{ part }}
            and leads.lead_weight * neighbours.similarity_millionths
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
            coalesce(had.is_own, false) as is_own
        from added_up
        left join {{ ref("int_recommendation_had") }} as had
            on
                added_up.customer_no = had.customer_no
                and added_up.neighbour_no = had.product_no
                and had.customer_no % {{ recommendation_setting("customer_parts") }} = {{ part }}
        -- New is what the customer never bought, sent back or complained of.
        where had.product_no is null or had.is_own

    ),

    chosen as (

        select
            customer_no,
            max(related, {{ recommendation_setting("list_items") }}) filter (where not is_own) as new_ones,
            max_by(best_lead, related, {{ recommendation_setting("list_items") }})
                filter (where not is_own) as new_leads,
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

    ),

    customers as (

        select distinct
            as_of_date,
            customer_id,
            customer_no
        from {{ ref("int_recommendation_had") }}
        where customer_no % {{ recommendation_setting("customer_parts") }} = {{ part }}

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
{%- endmacro %}
