-- What each customer has had: bought and kept, returned or complained of; and which of the kept products lead to
-- others. In numbers, short and the same in every run.
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

    select
        coalesce(own.as_of_date, barred.as_of_date) as as_of_date,
        coalesce(own.customer_id, barred.customer_id) as customer_id,
        coalesce(own.product_no, barred.product_no) as product_no,
        own.product_no is not null as is_own,
        -- What was returned or complained of leads nowhere.
        case when barred.product_no is null then own.own_weight end as lead_weight,
        own.last_on
    from own
    full outer join barred
        on
            own.as_of_date = barred.as_of_date
            and own.customer_id = barred.customer_id
            and own.product_no = barred.product_no

)

select
    had.as_of_date,
    had.customer_id,
    customers.customer_no,
    had.product_no,
    had.is_own,
    case when had.lead_weight is not null then least(had.lead_weight, 1) end as lead_weight,
    least(max(had.lead_weight) over (partition by customers.customer_no), 1) as strongest_weight,
    had.lead_weight is not null and row_number() over (
        partition by customers.customer_no
        order by had.lead_weight desc nulls last, had.last_on desc nulls last, had.product_no asc
    ) <= {{ recommendation_setting("lead_items") }} as is_lead
from had
inner join customers on had.as_of_date = customers.as_of_date and had.customer_id = customers.customer_id
