{#
  A table in one statement. dbt-duckdb's own materialization builds it under another name, moves the old one out of
  the way, renames the new one and drops the old one, and dbt prepares each of these steps with all of its macros.
  In DuckDB a table can be dropped and made again in one transaction: whoever reads sees the old one or the new one,
  and a model that fails leaves the old one.
#}
{% materialization table, adapter="duckdb", supported_languages=["sql", "python"] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set relation = this.incorporate(type="table") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if model["language"] == "python" -%}
        {#- What Python makes is no part of a statement. -#}
        {%- if existing is not none -%}
            {%- call statement("drop") -%}
                drop {{ existing.type }} {{ existing }}
            {%- endcall -%}
        {%- endif -%}
        {%- call statement("main", language="python") -%}
            {{- create_table_as(False, relation, compiled_code, "python") -}}
        {%- endcall -%}
    {%- else -%}
        {%- call statement("main") -%}
            {%- if existing is not none %}
                drop {{ existing.type }} {{ existing }};
            {%- endif %}
            {{ create_table_as(False, relation, compiled_code) }}
        {%- endcall -%}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(relation, model) -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [relation]}) }}
{% endmaterialization %}
