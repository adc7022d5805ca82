{#
  MBG/CNBD-k in SQL: the formulas of pipelines/dormancy/mbg_cnbd.py, for k up to 3. A test holds both to 1e-8.
  Arguments are SQL expressions, `repeats` x, `age_at_last` t_x and `age` T in days from the first purchase.
  Kept in logarithms: the powers themselves underflow for long silences. No gamma function, so that every
  engine can score.
#}

{# Logarithm of the survival of the silence, Ã(T). #}
{% macro mbg_cnbd_log_survival(k, r, alpha, repeats, age_at_last, age) -%}
    {%- set s = "(" ~ r ~ " + " ~ k ~ " * " ~ repeats ~ ")" -%}
    {%- set u = "((" ~ age ~ " - " ~ age_at_last ~ ") / (" ~ alpha ~ " + " ~ age ~ "))" -%}
    (
        {{ s }} * (ln({{ alpha }} + {{ age_at_last }}) - ln({{ alpha }} + {{ age }}))
        + ln(
            1.0
            + case when {{ k }} > 1 then {{ s }} * {{ u }} else 0.0 end
            + case when {{ k }} > 2 then {{ s }} * ({{ s }} + 1.0) * {{ u }} * {{ u }} / 2.0 else 0.0 end
        )
    )
{%- endmacro %}

{# Probability that the customer has not left for good: Ã / (Ã + c) with c = a / (b + x). #}
{% macro mbg_cnbd_p_alive(k, r, alpha, a, b, repeats, age_at_last, age) -%}
    (1.0 / (1.0 + exp(
        ln({{ a }}) - ln({{ b }} + {{ repeats }})
        - {{ mbg_cnbd_log_survival(k, r, alpha, repeats, age_at_last, age) }}
    )))
{%- endmacro %}

{# Probability of at least one purchase-day within the next `horizon_days`. #}
{% macro mbg_cnbd_p_active(k, r, alpha, a, b, repeats, age_at_last, age, horizon_days) -%}
    (
        {{ mbg_cnbd_p_alive(k, r, alpha, a, b, repeats, age_at_last, age) }}
        * (1.0 - exp(
            {{ mbg_cnbd_log_survival(k, r, alpha, repeats, age_at_last, "(" ~ age ~ " + " ~ horizon_days ~ ")") }}
            - {{ mbg_cnbd_log_survival(k, r, alpha, repeats, age_at_last, age) }}
        ))
    )
{%- endmacro %}

{# Expected days between the purchases of a customer who stays. #}
{% macro mbg_cnbd_gap_days(k, r, alpha, repeats, age_at_last) -%}
    ({{ k }} * ({{ alpha }} + {{ age_at_last }}) / ({{ r }} + {{ k }} * {{ repeats }}))
{%- endmacro %}

{# Log-odds of a probability; a certainty counts as one in a trillion less, and nothing known stays so. #}
{% macro log_odds(probability) -%}
    case
        when {{ probability }} < 1e-12 then ln(1e-12)
        when {{ probability }} > 1 - 1e-12 then -ln(1e-12)
        else ln({{ probability }}) - ln(1 - {{ probability }})
    end
{%- endmacro %}

{# Probability from log-odds. #}
{% macro probability_of(log_odds) -%}
    (1.0 / (1.0 + exp(-({{ log_odds }}))))
{%- endmacro %}
