{#
  The materializations on Spark. What a model says is SQL of DuckDB there too: `adapter.to_spark` translates it
  (pipelines/spark/translation.py), here and nowhere else. The statements around it are Spark's own.
#}

{# A hook is a statement of the model's own, and is translated as the model is. #}
{% macro run_translated(hooks) %}
    {%- for hook in hooks %}
        {%- call statement() -%}
            {{ adapter.to_spark(render(hook.get("sql"))) }}
        {%- endcall -%}
    {%- endfor %}
{% endmacro %}

{% materialization view, adapter="spark" %}
    {%- set relation = this.incorporate(type="view") -%}
    {%- call statement("main") -%}
        create or replace view {{ relation }} as {{ adapter.to_spark(compiled_code) }}
    {%- endcall -%}
    {{ return({"relations": [relation]}) }}
{% endmaterialization %}

{% materialization table, adapter="spark", supported_languages=["sql", "python"] %}
    {%- set relation = this.incorporate(type="table") -%}
    {{ run_translated(pre_hooks) }}
    {%- call statement("drop") -%}
        drop table if exists {{ relation }}
    {%- endcall -%}
    {%- if model["language"] == "python" -%}
        {%- do adapter.run_python_model(compiled_code, relation) -%}
    {%- endif -%}
    {%- call statement("main") -%}
        {%- if model["language"] == "python" -%}
            select 1
        {%- else -%}
            create table {{ relation }} using parquet as
            {{ adapter.to_spark(compiled_code) }}
        {%- endif -%}
    {%- endcall -%}
    {{ run_translated(post_hooks) }}
    {{ return({"relations": [relation]}) }}
{% endmaterialization %}

{#
  Strategy `replace_dates` (macros/replace_dates.sql): a partition per date, and those of the run are dropped before
  the new ones are written. A table without dates (strategy `replace_keys`) is made anew. Parquet has no transactions: a
  model that fails leaves its dates empty until it is run again.
#}
{% materialization incremental, adapter="spark" %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set relation = this.incorporate(type="table") -%}
    {%- set date_column = config.get("date_column") -%}
    {{ run_translated(pre_hooks) }}
    {%- if existing is none or should_full_refresh() or date_column is none -%}
        {%- call statement("drop") -%}
            drop table if exists {{ relation }}
        {%- endcall -%}
        {%- call statement("main") -%}
            create table {{ relation }} using parquet
            {%- if date_column is not none %} partitioned by ({{ date_column }}){% endif %} as
            {{ adapter.to_spark(compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- set dates = run_query("select distinct as_of_date from " ~ config.require("replace_dates_from")) -%}
        {%- for row in dates.rows %}
            {%- call statement("drop_date") -%}
                alter table {{ relation }} drop if exists partition ({{ date_column }} = date '{{ row[0] }}')
            {%- endcall -%}
        {%- endfor %}
        {%- call statement("main") -%}
            insert overwrite {{ relation }} by name {{ adapter.to_spark(compiled_code) }}
        {%- endcall -%}
    {%- endif -%}
    {{ run_translated(post_hooks) }}
    {{ return({"relations": [relation]}) }}
{% endmaterialization %}

{# Few rows that people edit: one statement, with the types that the seed states. #}
{% materialization seed, adapter="spark" %}
    {%- set relation = this.incorporate(type="table") -%}
    {%- set rows = load_agate_table() -%}
    {%- do store_result("agate_table", response="OK", agate_table=rows) -%}
    {%- call statement("drop") -%}
        drop table if exists {{ relation }}
    {%- endcall -%}
    {%- call statement("main") -%}
        create table {{ relation }} using parquet as
        {{ adapter.seed_query(rows, config.get("column_types", {})) }}
    {%- endcall -%}
    {{ return({"relations": [relation]}) }}
{% endmaterialization %}
