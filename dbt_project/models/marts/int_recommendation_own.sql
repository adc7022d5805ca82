-- Products that each customer has bought and kept, as known on the date, and how much of it still counts.
-- Sums are of whole billionths: a sum of floats would depend on the order of the rows.
with dates as (

    select as_of_date from {{ ref("int_recommendation_date") }}

),

kept_days as (

    select
        dates.as_of_date,
        lines.customer_id,
        lines.product_id,
        lines.purchased_on,
        {{ days_between("lines.purchased_on", "dates.as_of_date") }} as age_days
    from dates
    inner join {{ ref("int_purchase_line") }} as lines
        on
            dates.as_of_date >= lines.purchased_on
            and (lines.emptied_on is null or dates.as_of_date < lines.emptied_on)
    where lines.product_id is not null
    group by dates.as_of_date, lines.customer_id, lines.product_id, lines.purchased_on

)

select
    as_of_date,
    customer_id,
    product_id,
    count(*) as purchase_days,
    min(purchased_on) as first_on,
    max(purchased_on) as last_on,
    min(age_days) as last_days_ago,
    {{ whole_sum(decayed("age_days", "own_half_life_days")) }} as own_weight,
    -- The same one horizon earlier: what it was followed by tells how often the product is bought again.
    coalesce({{ whole_sum(
        "case when age_days >= " ~ recommendation_setting("horizon_days") ~ " then "
        ~ decayed("age_days - " ~ recommendation_setting("horizon_days"), "own_half_life_days") ~ " end"
    ) }}, 0) as earlier_weight,
    least(1, coalesce({{ whole_sum(
        "case when age_days < " ~ recommendation_setting("basket_days") ~ " then "
        ~ decayed("age_days", "basket_half_life_days") ~ " end"
    ) }}, 0)) as basket_weight
from kept_days
group by as_of_date, customer_id, product_id
