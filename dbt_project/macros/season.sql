{#
  The year as a circle: purchases of one season point the same way. R, the length of the mean direction, is 1
  when all days fall on the same day of the year and near 0 when they spread over it (Mardia & Jupp 2000,
  Directional Statistics, section 2.3). R = .9 is a standard deviation of 27 days.
#}

{# Angle of a date within its year, in radians. #}
{% macro season_angle(on_date) -%}
    (2 * pi() * extract(doy from {{ on_date }}) / 365.25)
{%- endmacro %}

{# Length R of the mean direction, from the sums of cosines and sines and the number of days. #}
{% macro season_concentration(cosines, sines, days) -%}
    (sqrt({{ cosines }} * {{ cosines }} + {{ sines }} * {{ sines }}) / {{ days }})
{%- endmacro %}

{# Do a customer's purchase-days stand for a season? Two seasons at least, ten months apart or more. #}
{% macro is_seasonal(cosines, sines, days, first_on, last_on) -%}
    (
        {{ days }} >= 2
        and {{ days_between(first_on, last_on) }} >= 300
        and {{ season_concentration(cosines, sines, days) }} >= 0.9
    )
{%- endmacro %}

{# Days from a date to the middle of the next season that lies half a year ahead or more. #}
{% macro days_to_next_season(cosines, sines, after_date) -%}
    (
        183 + cast(
            floor(
                365.25 * (
                    (atan2({{ sines }}, {{ cosines }}) - {{ season_angle(add_days(after_date, 183)) }}) / (2 * pi())
                    - floor(
                        (atan2({{ sines }}, {{ cosines }}) - {{ season_angle(add_days(after_date, 183)) }}) / (2 * pi())
                    )
                )
            ) as integer
        )
    )
{%- endmacro %}
