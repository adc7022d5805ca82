{#
  Incremental strategy `replace_dates`: the run's dates are replaced as a whole, rows that vanished
  included, and no other date is touched. The dates come from the model's config `replace_dates_from`
  (a relation with a column as_of_date), the model's own date column from `date_column`.
  delete+insert with a unique key would leave a date standing that has no rows any more.
#}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {%- set date_column = config.require("date_column") -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ date_column }} in (select as_of_date from {{ config.require("replace_dates_from") }})
        or {{ date_column }} in (select {{ date_column }} from {{ arg_dict["temp_relation"] }});

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}
