{#
  Incremental strategy `replace_keys`: the keys that have changed are replaced as a whole, those that vanished included, and
  the rest stays. The relation `replace_keys_from` has them in a column of the same name as the model's `key_column`, and
  `is_whole`: true in any row when all there is has to be made anew.
#}
{% macro get_incremental_replace_keys_sql(arg_dict) %}
    {%- set key = config.require("key_column") -%}
    {%- set touched = config.require("replace_keys_from") -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ key }} in (select {{ key }} from {{ touched }})
        or exists (select 1 from {{ touched }} where is_whole);

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}

{#
  The keys of a feed's rows that have come, or have been replaced, since a model was made: `control.made_of` has the files
  that it was made of (macro `note_files`), `control.superseded_of` those that there are. When a file has changed or is gone, nobody
  knows what was in it: `is_whole`.
#}
{% macro touched_keys(relation, column, key, model) %}{{ return(adapter.dispatch("touched_keys", "winback")(relation, column, key, model)) }}{% endmacro %}
{% macro default__touched_keys(relation, column, key, model) -%}
    with present as (

        select unnest(files) as file_name from control.superseded_of where feed = '{{ relation.identifier }}'

    ),

    made_of as (

        select unnest(files) as file_name from control.made_of where model = '{{ model }}'

    ),

    whole as (

        select
            (select count(*) from made_of) = 0
            or exists (select 1 from made_of where file_name not in (select file_name from present)) as is_whole

    ),

    added as (

        select split_part(present.file_name, ' ', 1) as ingestion_id
        from present
        cross join whole
        where whole.is_whole or present.file_name not in (select file_name from made_of)

    )

    select
        {{ column }},
        false as is_whole
    from {{ relation }}
    where _ingestion_id in (select ingestion_id from added)
    union
    -- A row that a newer one has replaced may have had another {{ column }}.
    select
        given.{{ column }},
        false as is_whole
    from {{ relation }} as given
    inner join superseded.{{ relation.identifier }} as older
        on given._source = older._source and given.{{ key }} = older.{{ key }}
    union all
    select
        null as {{ column }},
        true as is_whole
    from whole
    where is_whole
{%- endmacro %}

{# On Spark nothing is kept of the run before: all keys. #}
{% macro spark__touched_keys(relation, column, key, model) -%}
    select distinct
        {{ column }},
        true as is_whole
    from {{ relation }}
{%- endmacro %}

{# Keeps which files of a feed a model was made of; a hook of the model, and so of its transaction. #}
{% macro note_files(feed, model) %}{{ return(adapter.dispatch("note_files", "winback")(feed, model)) }}{% endmacro %}
{% macro default__note_files(feed, model) -%}
    delete from control.made_of where model = '{{ model }}';
    insert into control.made_of select '{{ model }}' as model, files from control.superseded_of where feed = '{{ feed }}'
{%- endmacro %}
{% macro spark__note_files(feed, model) -%}
    select 1
{%- endmacro %}
