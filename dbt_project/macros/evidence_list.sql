{# Rows of int_reason_evidence as a JSON list, the strongest first; another target has its own functions. #}
{% macro evidence_list() %}{{ return(adapter.dispatch("evidence_list", "winback")()) }}{% endmacro %}
{% macro default__evidence_list() -%}
    cast(to_json(list(
        struct_pack(
            fact := fact,
            value := fact_value,
            source_table := source_table,
            source_key := source_key,
            happened_on := happened_on,
            rule := rule,
            contribution := contribution
        )
        order by contribution desc, rule, happened_on desc, source_key
    )) as varchar)
{%- endmacro %}

{# Spark writes a decimal with all of its digits, DuckDB as a number: without the zeros at its end. #}
{% macro spark__evidence_list() -%}
    regexp_replace(
        {{ default__evidence_list() }}, '("contribution":[0-9]+[.][0-9]+?)0+([,}])', '$1$2'
    )
{%- endmacro %}
