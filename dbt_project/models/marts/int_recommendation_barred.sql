-- What a customer has had enough of, as known on the date: returned or complained of not long ago, and not bought
-- and kept after that.
with unwelcome as (

    select
        dates.as_of_date,
        lines.customer_id,
        lines.product_id,
        lines.ordered_on as unwelcome_on
    from {{ ref("int_recommendation_date") }} as dates
    inner join {{ ref("int_sales_line") }} as lines
        on
            dates.as_of_date >= lines.ordered_on
            and lines.ordered_on > {{ add_days("dates.as_of_date", "-" ~ recommendation_setting("return_days")) }}
    where lines.is_return and lines.customer_id is not null and lines.product_id is not null
    union all
    select
        dates.as_of_date,
        tickets.customer_id,
        tickets.product_id,
        tickets.opened_on as unwelcome_on
    from {{ ref("int_recommendation_date") }} as dates
    inner join {{ ref("int_product_ticket") }} as tickets
        on
            dates.as_of_date >= tickets.opened_on
            and tickets.opened_on > {{ add_days("dates.as_of_date", "-" ~ recommendation_setting("complaint_days")) }}
    where tickets.kind in ('complaint', 'return') and tickets.customer_id is not null

),

newest as (

    select
        as_of_date,
        customer_id,
        product_id,
        max(unwelcome_on) as unwelcome_on
    from unwelcome
    group by as_of_date, customer_id, product_id

)

select
    newest.as_of_date,
    newest.customer_id,
    newest.product_id
from newest
left join {{ ref("int_recommendation_own") }} as own
    on
        newest.as_of_date = own.as_of_date
        and newest.customer_id = own.customer_id
        and newest.product_id = own.product_id
where own.last_on is null or own.last_on <= newest.unwelcome_on
