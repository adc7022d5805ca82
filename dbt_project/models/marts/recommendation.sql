{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="marts.int_reported_date",
    on_schema_change="fail",
) }}

with described as (

    select
        recommended.*,
        own.purchase_days,
        {{ days_between("own.first_on", "own.last_on") }} / nullif(own.purchase_days - 1, 0) as own_cycle_days,
        own.last_days_ago,
        products.cycle_days,
        lead_products.product_name as lead_product_name,
        lead_own.last_on as lead_last_on,
        reminders.views,
        reminders.last_view_on,
        reminders.last_cart_on,
        reminders.last_wishlist_on
    from {{ ref("int_recommendation") }} as recommended
    inner join {{ ref("int_recommendation_product") }} as products
        on recommended.as_of_date = products.as_of_date and recommended.product_id = products.product_id
    left join {{ ref("int_recommendation_own") }} as own
        on
            recommended.as_of_date = own.as_of_date
            and recommended.customer_id = own.customer_id
            and recommended.product_id = own.product_id
    left join {{ ref("int_recommendation_product") }} as lead_products
        on
            recommended.as_of_date = lead_products.as_of_date
            and recommended.lead_product_id = lead_products.product_id
    left join {{ ref("int_recommendation_own") }} as lead_own
        on
            recommended.as_of_date = lead_own.as_of_date
            and recommended.customer_id = lead_own.customer_id
            and recommended.lead_product_id = lead_own.product_id
    left join {{ ref("int_recommendation_reminder") }} as reminders
        on
            recommended.as_of_date = reminders.as_of_date
            and recommended.customer_id = reminders.customer_id
            and recommended.product_id = reminders.product_id

)

select
    as_of_date,
    customer_id,
    list,
    rank,
    product_id,
    score,
    case
        when list = 'repeat'
            then
                'bought '
                || case
                    when purchase_days = 1 then 'once, '
                    else
                        purchase_days || ' times, every '
                        || {{ days_in_words("cast(round(own_cycle_days) as integer)") }} || '; last '
                end
                || case when last_days_ago = 0 then 'today' else {{ days_in_words("last_days_ago") }} || ' ago' end
                || case
                    when cycle_days is null then ''
                    else
                        '; buyers need it again after ' || {{ days_in_words("cast(round(cycle_days) as integer)") }}
                end
        when list = 'explore'
            then 'often bought together with ' || lead_product_name || ', which you bought on ' || lead_last_on
        else
            case
                when last_cart_on is not null then 'put into the cart on ' || last_cart_on
                when last_wishlist_on is not null then 'put on the wish list on ' || last_wishlist_on
                when views = 1 then 'viewed on ' || last_view_on
                else 'viewed ' || views || ' times, last on ' || last_view_on
            end
            || ', not bought since'
    end as why,
    case when message_rank <= {{ recommendation_setting("list_items") }} then message_rank end as message_rank
from described
