-- Products that the same customers buy lately: cosine similarity of their buyers, so that what everybody buys is
-- near to nothing in particular, times the trend of the product to be recommended. Of a large shop a sample of
-- customers is enough, drawn by hash; pairs of one or two customers say nothing, and could betray them.
with own as (

    select
        own.as_of_date,
        own.customer_id,
        products.product_no,
        own.basket_weight,
        own.last_on
    from {{ ref("int_recommendation_own") }} as own
    inner join {{ ref("int_recommendation_product") }} as products
        on own.as_of_date = products.as_of_date and own.product_id = products.product_id
    where own.basket_weight > 0

),

customers as (

    select
        as_of_date,
        customer_id
    from own
    group by as_of_date, customer_id
    having count(*) > 1

),

sample as (

    select
        as_of_date,
        row_number() over (order by as_of_date, customer_id) as customer_no,
        customer_id
    from customers
    qualify
        {{ stable_share(["customer_id"]) }} * count(*) over (partition by as_of_date)
        < {{ recommendation_setting("basket_customers") }}

),

baskets as (

    select
        own.as_of_date,
        sample.customer_no,
        own.product_no,
        own.basket_weight
    from sample
    inner join own on sample.as_of_date = own.as_of_date and sample.customer_id = own.customer_id
    qualify
        row_number() over (
            partition by sample.customer_no order by own.basket_weight desc, own.last_on desc, own.product_no asc
        ) <= {{ recommendation_setting("basket_items") }}

),

sizes as (

    select
        as_of_date,
        product_no,
        sqrt({{ whole_sum("basket_weight * basket_weight") }} + {{ recommendation_setting("prior_pairs") }})
            as basket_size
    from baskets
    group by as_of_date, product_no

),

pairs as (

    select
        one.as_of_date,
        one.product_no as one_no,
        other.product_no as other_no,
        {{ whole_sum("one.basket_weight * other.basket_weight") }} as shared_weight
    from baskets as one
    inner join baskets as other on one.customer_no = other.customer_no and one.product_no < other.product_no
    group by one.as_of_date, one.product_no, other.product_no
    having count(*) >= {{ recommendation_setting("min_pair_customers") }}

),

both_ways as (

    select
        as_of_date,
        one_no as product_no,
        other_no as neighbour_no,
        shared_weight
    from pairs
    union all
    select
        as_of_date,
        other_no as product_no,
        one_no as neighbour_no,
        shared_weight
    from pairs

)

select
    both_ways.as_of_date,
    both_ways.product_no,
    both_ways.neighbour_no,
    -- In millionths: sums of whole numbers are the same in every order.
    cast(round(
        1e6 * neighbours.trend * both_ways.shared_weight / (own_size.basket_size * neighbour_size.basket_size)
    ) as bigint) as similarity_millionths
from both_ways
inner join sizes as own_size
    on both_ways.as_of_date = own_size.as_of_date and both_ways.product_no = own_size.product_no
inner join sizes as neighbour_size
    on both_ways.as_of_date = neighbour_size.as_of_date and both_ways.neighbour_no = neighbour_size.product_no
inner join {{ ref("int_recommendation_product") }} as neighbours
    on both_ways.as_of_date = neighbours.as_of_date and both_ways.neighbour_no = neighbours.product_no
where neighbours.is_eligible
qualify
    row_number() over (
        partition by both_ways.as_of_date, both_ways.product_no
        order by similarity_millionths desc, both_ways.neighbour_no asc
    ) <= {{ recommendation_setting("neighbours") }}
