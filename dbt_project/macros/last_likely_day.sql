{#
  A relation with the columns of `relation` and `last_likely_day`: the last day of silence on which the model's
  probability of a purchase within `horizon_days` still reaches `p_threshold`, -1 when none does.
  The probability can rise before it falls (k of 2 and more), so a coarse grid finds the last such day roughly,
  and halving the step of the grid finds it exactly. The last point of the grid is 22 years.
#}
{% macro last_likely_day(relation) -%}
    {%- set grid_days = [0, 1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256, 362, 512, 724, 1024,
        1448, 2048, 2896, 4096, 5792, 8192] -%}
    {#- 2 ** 12 is more than the widest step. -#}
    {%- set halvings = 12 -%}
    {%- set is_likely -%}
        {{ mbg_cnbd_p_active(
            "k", "r", "alpha", "a", "b", "repeats", "age_at_last_days", "(age_at_last_days + silent_days)",
            "horizon_days",
        ) }} >= p_threshold
    {%- endset -%}
    (
        with on_grid as (
            select
                * exclude (silent_days),
                coalesce(max(silent_days) filter (where {{ is_likely }}), -1) as last_likely_day
            from (select *, unnest({{ grid_days }}) as silent_days from {{ relation }})
            group by all
        ),
        step_0 as (
            select
                *,
                -- The next point of the grid; beyond its end nobody looks.
                list_min(list_filter({{ grid_days }}, lambda day: day > last_likely_day)) as first_unlikely_day
            from on_grid
        ),
        {%- for step in range(1, halvings + 1) %}
        step_{{ step }} as (
            select
                * exclude (silent_days, last_likely_day, first_unlikely_day),
                case when {{ is_likely }} then silent_days else last_likely_day end as last_likely_day,
                case when {{ is_likely }} then first_unlikely_day else silent_days end as first_unlikely_day
            -- Next to each other there is no day between, and the lower end stays what it is.
            from (select *, (last_likely_day + first_unlikely_day) // 2 as silent_days from step_{{ step - 1 }})
        ){{ "," if not loop.last }}
        {%- endfor %}
        select * exclude (first_unlikely_day) from step_{{ halvings }}
    )
{%- endmacro %}
