{#
  What the sends that rank before a row spend. The row's own arm plays no part, so that a ghost is let through
  exactly where a send would be.
#}
{% macro spent_before(is_spending, amount, within) -%}
    coalesce(sum(case when {{ is_spending }} then {{ amount }} else 0 end) over (
        partition by {{ within | join(", ") }}
        order by margin_per_cost desc, lot asc
        rows between unbounded preceding and 1 preceding
    ), 0)
{%- endmacro %}
