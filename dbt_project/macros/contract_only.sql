{#
  An empty relation with the columns of the model's own contract: a published table whose input no feed of
  this profile gives yet. Analysts find the table, its columns and their comments; nothing is invented.
#}
{% macro contract_only() -%}
    select
    {%- for column in model.columns.values() %}
        cast(null as {{ column.data_type }}) as {{ column.name }}{{ "," if not loop.last }}
    {%- endfor %}
    where false
{%- endmacro %}
