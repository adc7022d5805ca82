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
