{# A folder's schema is its name alone: analysts query core.customer, not main_core.customer. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
