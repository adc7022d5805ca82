{# Expressions that differ between engines; another target overrides them with its own prefix. #}

{# Whole days from one date to a later one. #}
{% macro days_between(from_date, to_date) %}{{ return(adapter.dispatch("days_between", "winback")(from_date, to_date)) }}{% endmacro %}
{% macro default__days_between(from_date, to_date) -%}
    date_diff('day', {{ from_date }}, {{ to_date }})
{%- endmacro %}

{# A date moved by a whole number of days. #}
{% macro add_days(start_date, days) %}{{ return(adapter.dispatch("add_days", "winback")(start_date, days)) }}{% endmacro %}
{% macro default__add_days(start_date, days) -%}
    cast({{ start_date }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{# Stops the query with a message. #}
{% macro raise_error(message) %}{{ return(adapter.dispatch("raise_error", "winback")(message)) }}{% endmacro %}
{% macro default__raise_error(message) -%}
    error('{{ message }}')
{%- endmacro %}

{# A stable id of a few values: the same on every engine, in every run. #}
{% macro stable_id(prefix, expressions) %}{{ return(adapter.dispatch("stable_id", "winback")(prefix, expressions)) }}{% endmacro %}
{% macro default__stable_id(prefix, expressions) -%}
    '{{ prefix }}' || substr(md5(
    {%- for expression in expressions -%}
        coalesce(cast({{ expression }} as varchar), '') {%- if not loop.last %} || chr(31) || {% endif -%}
    {%- endfor -%}
    ), 1, 16)
{%- endmacro %}

{# A number in [0, 1) that depends on the values alone: for arms and shares. #}
{% macro stable_share(expressions) %}{{ return(adapter.dispatch("stable_share", "winback")(expressions)) }}{% endmacro %}
{% macro default__stable_share(expressions) -%}
    cast(('0x' || substr(md5(
    {%- for expression in expressions -%}
        coalesce(cast({{ expression }} as varchar), '') {%- if not loop.last %} || chr(31) || {% endif -%}
    {%- endfor -%}
    ), 1, 12)) as bigint) / 281474976710656.0
{%- endmacro %}

{# Seconds from one instant to a later one. #}
{% macro seconds_between(from_instant, to_instant) %}{{ return(adapter.dispatch("seconds_between", "winback")(from_instant, to_instant)) }}{% endmacro %}
{% macro default__seconds_between(from_instant, to_instant) -%}
    date_diff('second', {{ from_instant }}, {{ to_instant }})
{%- endmacro %}

{# Sum of a number in whole billionths: a sum of floats depends on the order of the rows in its last bits. #}
{% macro whole_sum(expression) %}{{ return(adapter.dispatch("whole_sum", "winback")(expression)) }}{% endmacro %}
{% macro default__whole_sum(expression) -%}
    (sum(cast(round(1e9 * ({{ expression }})) as bigint)) / 1e9)
{%- endmacro %}

{# Month and day of a date as MM-DD. #}
{% macro month_and_day(day) %}{{ return(adapter.dispatch("month_and_day", "winback")(day)) }}{% endmacro %}
{% macro default__month_and_day(day) -%}
    strftime({{ day }}, '%m-%d')
{%- endmacro %}

{# A date at a time of day given as HH:MM, in the shop's zone. #}
{% macro at_time(day, time_of_day) %}{{ return(adapter.dispatch("at_time", "winback")(day, time_of_day)) }}{% endmacro %}
{% macro default__at_time(day, time_of_day) -%}
    ({{ day }} + cast({{ time_of_day }} as time))
{%- endmacro %}

{# Whether a cell of the policy, `*` or values with bars between them, holds a value. #}
{% macro cell_holds(cell, value) -%}
    ({{ cell }} = '*' or '|' || {{ cell }} || '|' like '%|' || {{ value }} || '|%')
{%- endmacro %}

{# A moment moved by whole days. #}
{% macro days_later(moment, days) %}{{ return(adapter.dispatch("days_later", "winback")(moment, days)) }}{% endmacro %}
{% macro default__days_later(moment, days) -%}
    ({{ moment }} + to_days(cast({{ days }} as integer)))
{%- endmacro %}

{# The first of a month, moved by whole months. #}
{% macro months_later(month, months) %}{{ return(adapter.dispatch("months_later", "winback")(month, months)) }}{% endmacro %}
{% macro default__months_later(month, months) -%}
    cast({{ month }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{# Whole months from the first of one month to the first of a later one. #}
{% macro months_between(from_month, to_month) %}{{ return(adapter.dispatch("months_between", "winback")(from_month, to_month)) }}{% endmacro %}
{% macro default__months_between(from_month, to_month) -%}
    date_diff('month', {{ from_month }}, {{ to_month }})
{%- endmacro %}

{# A draw from the standard normal distribution that depends on the values alone (Box & Muller 1958). #}
{% macro stable_normal(expressions) -%}
    (
        sqrt(-2 * ln(greatest({{ stable_share(expressions + ["'radius'"]) }}, 1e-15)))
        * cos(2 * pi() * {{ stable_share(expressions + ["'angle'"]) }})
    )
{%- endmacro %}

{# Sum of the squares of an amount, exact: amounts have two decimals. #}
{% macro square_sum(amount) -%}
    sum(cast({{ amount }} as decimal(18, 2)) * cast({{ amount }} as decimal(18, 2)))
{%- endmacro %}
