{#
  A table that the run writes just before dbt starts (pipelines/control.py). These are no sources: a source
  is an asset in the lineage, and touches sent today, for one, would make it a circle.
#}
{% macro control(table) -%}
    control.{{ table }}
{%- endmacro %}
