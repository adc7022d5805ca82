"""The category whose fit judges a customer, as the fits read it; `marts.int_buyer` reads it alike."""

MAIN_CATEGORY = """
kept as (
    select customer_id, category, purchased_on
    from core.int_kept_category_day
    where purchased_on <= $known_until and (emptied_on is null or emptied_on > $known_until)
),
main_category as (
    -- Most purchase-days in the 730 days up to the last purchase; ties: latest, then name.
    select kept.customer_id, kept.category
    from kept
    inner join (
        select customer_id, max(purchased_on) as last_on from kept group by customer_id
    ) as last_purchase on kept.customer_id = last_purchase.customer_id
    where kept.purchased_on > last_purchase.last_on - 730
    group by kept.customer_id, kept.category
    qualify row_number() over (
        partition by kept.customer_id order by count(*) desc, max(kept.purchased_on) desc, kept.category
    ) = 1
)
"""
"""Common table expressions `kept` (purchase-days by category) and `main_category`, as known at the end of
`$known_until`."""
