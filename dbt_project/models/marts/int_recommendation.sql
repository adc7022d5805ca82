-- The three lists of each customer, scored alike: the chance of a purchase within the horizon, so that they can be
-- merged. Products that may not be recommended, and those the customer has had enough of, are in none.
with products as (

    select * from {{ ref("int_recommendation_product") }}
    where is_eligible

),

candidates as (

    select
        own.as_of_date,
        own.customer_id,
        'repeat' as list,
        own.product_id,
        -- Less likely as long as it is not due by its cycle within the horizon.
        own.own_weight * products.repeat_rate * coalesce(sqrt(least(
            1,
            (own.last_days_ago + {{ recommendation_setting("horizon_days") }}) / nullif(products.cycle_days, 0)
        )), 1) + {{ recommendation_setting("related_weight") }} * coalesce(related.related_weight, 0) as expected,
        cast(null as varchar) as lead_product_id
    from {{ ref("int_recommendation_own") }} as own
    inner join products on own.as_of_date = products.as_of_date and own.product_id = products.product_id
    left join {{ ref("int_recommendation_related") }} as related
        on
            own.as_of_date = related.as_of_date
            and own.customer_id = related.customer_id
            and own.product_id = related.product_id
    union all
    -- Chances of new products rise less than in proportion: measured, with the square root.
    select
        as_of_date,
        customer_id,
        'explore' as list,
        product_id,
        {{ recommendation_setting("related_weight") }} * sqrt(related_weight) as expected,
        lead_product_id
    from {{ ref("int_recommendation_related") }}
    where not is_own
    union all
    select
        reminders.as_of_date,
        reminders.customer_id,
        'reminder' as list,
        reminders.product_id,
        reminders.reminder_weight as expected,
        cast(null as varchar) as lead_product_id
    from {{ ref("int_recommendation_reminder") }} as reminders
    inner join products
        on reminders.as_of_date = products.as_of_date and reminders.product_id = products.product_id

),

ranked as (

    select
        candidates.as_of_date,
        candidates.customer_id,
        candidates.list,
        row_number() over (
            partition by candidates.as_of_date, candidates.customer_id, candidates.list
            order by round({{ chance_of("candidates.expected") }}, 9) desc, candidates.product_id asc
        ) as rank,
        candidates.product_id,
        round({{ chance_of("candidates.expected") }}, 9) as score,
        candidates.lead_product_id
    from candidates
    anti join {{ ref("int_recommendation_barred") }} as barred
        on
            candidates.as_of_date = barred.as_of_date
            and candidates.customer_id = barred.customer_id
            and candidates.product_id = barred.product_id
    qualify rank <= {{ recommendation_setting("list_items") }}

),

once as (

    -- A product that stands in several lists goes into a message from the list that gives it most.
    select
        *,
        row_number() over (
            partition by as_of_date, customer_id, product_id order by score desc, list asc
        ) = 1 as is_best
    from ranked

)

select
    as_of_date,
    customer_id,
    list,
    cast(rank as integer) as rank,
    product_id,
    score,
    lead_product_id,
    case
        when is_best
            then cast(row_number() over (
                partition by as_of_date, customer_id, is_best order by score desc, product_id asc
            ) as integer)
    end as message_rank
from once
