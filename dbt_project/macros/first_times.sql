{# The first time of each kind of event of a message, as columns sent_at, delivered_at and so on. #}
{% macro first_times(kind, occurred_at) -%}
    {%- for name in [
        "sent", "delivered", "opened", "clicked", "replied", "answered", "redeemed", "unsubscribed", "bounced",
        "complained",
    ] %}
    min({{ occurred_at }}) filter (where {{ kind }} = '{{ name }}') as {{ name }}_at{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}
