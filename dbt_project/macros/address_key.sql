{# An address as a hash: what is remembered of it when it must not be written to any more. #}
{% macro address_key(kind, address) %}{{ return(adapter.dispatch("address_key", "winback")(kind, address)) }}{% endmacro %}
{% macro default__address_key(kind, address) -%}
    sha256({{ kind }} || ':' || {{ address }})
{%- endmacro %}
