{#
  The newest row of each key over all current files of a feed. "Newest" is decided by what rows say
  (their version column, then their event time) and then by where they stand, never by the order in which files arrived, so that
  late files give the same tables as punctual ones.
#}
{% macro newest_by_key(relation, key, versions=[]) -%}
    select *
    from {{ relation }}
    qualify row_number() over (
        partition by {{ key | join(", ") }}
        order by {% for version in versions %}{{ version }} desc nulls last, {% endfor %}_source desc, _line desc
    ) = 1
{%- endmacro %}
