-- depends_on: {{ ref("int_recommendation_had") }}
-- depends_on: {{ ref("int_recommendation_neighbour") }}
-- depends_on: {{ ref("int_recommendation_product") }}
{%- set parts = [] %}
{%- for part in range(1, recommendation_setting("customer_parts") | int) %}
    {%- do parts.append("insert into {{ this }} {{ recommendation_related(" ~ part ~ ") }}") %}
{%- endfor %}
{{ config(post_hook=parts) }}
-- What is near to the products of each customer: the customers whose number has no remainder here, the others
-- after them.
{{ recommendation_related(0) }}
