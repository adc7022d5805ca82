{#
  What the models int_recommendation_* count with. The half-lives, weights and sizes were chosen on past dates of
  two real shops (docs/recommendations.md), all before the dates on which the result was judged.
#}
{% macro recommendation_setting(name) -%}
    {%- set settings = {
        "list_items": 10,
        "horizon_days": 30,
        "own_half_life_days": 120,
        "prior_buyers": 50,
        "first_rate": 0.05,
        "min_cycle_buyers": 5,
        "basket_half_life_days": 45,
        "basket_days": 365,
        "basket_items": 100,
        "basket_customers": 100000,
        "min_pair_customers": 3,
        "prior_pairs": 5,
        "neighbours": 50,
        "lead_items": 20,
        "min_lead_millionths": 10000,
        "customer_parts": customer_parts(),
        "related_weight": 0.02,
        "reminder_days": 60,
        "reminder_half_life_days": 14,
        "cart_weight": 0.10,
        "wishlist_weight": 0.08,
        "view_weight": 0.03,
        "return_days": 60,
        "complaint_days": 365,
        "min_units_sold": 20,
        "max_return_rate": 0.5,
        "max_complaint_rate": 0.1,
    } -%}
    {{ settings[name] }}
{%- endmacro %}

{# How many parts of the customers are added up one after the other; a cluster has room for all of them at once. #}
{% macro customer_parts() -%}{{ return(adapter.dispatch("customer_parts", "winback")()) }}{%- endmacro %}
{% macro default__customer_parts() -%}{{ return(16) }}{%- endmacro %}
{% macro spark__customer_parts() -%}{{ return(1) }}{%- endmacro %}

{# What a past event still counts after some days: half after each half-life. #}
{% macro decayed(age_days, half_life) -%}
    pow(2, -({{ age_days }}) / {{ recommendation_setting(half_life) }}.0)
{%- endmacro %}

{# An expected number of purchases as a chance of at least one: comparable between the lists, below 1. #}
{% macro chance_of(expected) -%}
    (1 - exp(-({{ expected }})))
{%- endmacro %}

{#
  A whole value and the number of a product in one whole number, the larger value first and of equal ones the
  smaller number: its largest is the same row in every order. Room for 4 million products and values to 2 ** 41.
#}
{% macro packed(value, number) -%}
    cast(least({{ value }}, 2199023255551) * 4194304 + (4194303 - {{ number }}) as bigint)
{%- endmacro %}
{% macro packed_value(packed) -%}
    ({{ packed }} // 4194304)
{%- endmacro %}
{% macro packed_number(packed) -%}
    (4194303 - {{ packed }} % 4194304)
{%- endmacro %}

{# A number of days as words: 1 day, 30 days. #}
{% macro days_in_words(days) -%}
    {{ days }} || case when {{ days }} = 1 then ' day' else ' days' end
{%- endmacro %}
