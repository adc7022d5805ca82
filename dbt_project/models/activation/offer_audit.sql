-- Who was offered what on the same product: the product that leads a customer's recommendations, the class of the
-- customer, and the price after the offer if it were bought alone. Compliance reads whether classes are treated
-- differently, and by how much. Of the newest date: only that one is sure to have recommendations.
with newest as (

    select max(as_of_date) as as_of_date
    from {{ ref("recall_decision") }}

),

offered as (

    select
        decisions.as_of_date,
        decisions.customer_id,
        decisions.journey,
        decisions.offer_id,
        recommended.product_id,
        coalesce(rfm.guide_class, 'none') as guide_class,
        catalog.price,
        case
            when catalog.price < offers.minimum_spend then 0
            when offers.kind = 'percent' then offers.benefit * catalog.price
            when offers.kind in ('amount', 'spend_and_save') then offers.benefit
            else 0
        end as price_cut
    from {{ ref("recall_decision") }} as decisions
    inner join newest on decisions.as_of_date = newest.as_of_date
    inner join {{ ref("recommendation") }} as recommended
        on
            decisions.as_of_date = recommended.as_of_date
            and decisions.customer_id = recommended.customer_id
            and recommended.message_rank = 1
    left join {{ ref("stg_catalog__products") }} as catalog on recommended.product_id = catalog.product_id
    left join {{ ref("customer_rfm") }} as rfm
        on decisions.as_of_date = rfm.as_of_date and decisions.customer_id = rfm.customer_id
    left join {{ ref("offer") }} as offers on decisions.offer_id = offers.offer_id
    where decisions.decision = 'send'

),

by_class as (

    select
        as_of_date,
        product_id,
        guide_class,
        coalesce(offer_id, 'none') as offer_id,
        count(*) as customers,
        max(price) as list_price,
        max(price) - min(least(price_cut, price)) as price_after_offer
    from offered
    group by as_of_date, product_id, guide_class, coalesce(offer_id, 'none')

)

select
    as_of_date,
    product_id,
    guide_class,
    offer_id,
    cast(customers as integer) as customers,
    cast(list_price as decimal(18, 2)) as list_price,
    cast(price_after_offer as decimal(18, 2)) as price_after_offer,
    cast(count(distinct guide_class) over (partition by as_of_date, product_id) as integer) as classes,
    cast(
        max(price_after_offer) over (partition by as_of_date, product_id)
        - min(price_after_offer) over (partition by as_of_date, product_id)
        as decimal(18, 2)
    ) as price_spread
from by_class
