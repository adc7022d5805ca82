{#
  The newest row of each key over all current files of a feed. "Newest" is decided by what rows say
  (their version column, then their event time) and then by where they stand, never by the order in which files
  arrived, so that late files give the same tables as punctual ones. Which rows are not the newest is known
  (pipelines/feeds/superseded.py): to find it here would sort the whole feed each time it is read.
#}
{% macro newest_by_key(relation, key, versions=[]) %}{{ return(adapter.dispatch("newest_by_key", "winback")(relation, key, versions)) }}{% endmacro %}
{% macro default__newest_by_key(relation, key, versions) -%}
    select given.*
    from {{ relation }} as given
    anti join superseded.{{ relation.identifier }} as older
        on
            given._source = older._source
            {%- for column in key %}
                and given.{{ column }} is not distinct from older.{{ column }}
            {%- endfor %}
{%- endmacro %}

{# An engine to which nobody has said which rows are not the newest finds out by itself. #}
{% macro spark__newest_by_key(relation, key, versions) -%}
    select *
    from {{ relation }}
    qualify row_number() over (
        partition by {{ key | join(", ") }}
        order by {% for version in versions %}{{ version }} desc nulls last, {% endfor %}_source desc, _line desc
    ) = 1
{%- endmacro %}
