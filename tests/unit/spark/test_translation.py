"""DuckDB's SQL as Spark's: what sqlglot leaves to us."""

import pytest

from pipelines.resources.dbt import compiled_models
from pipelines.settings import PROJECT_DIR
from pipelines.spark.translation import UntranslatableError, to_spark


@pytest.mark.parametrize(
    ("duckdb_sql", "spark_sql"),
    [
        # A quotient is a float.
        ("select a / b", "SELECT CAST(a AS DOUBLE) / b"),
        ("select cast(a as double) / b", "SELECT CAST(a AS DOUBLE) / b"),
        ("select a // b", "SELECT a DIV b"),
        ("select cast(a / b as integer)", "SELECT CAST(RINT(CAST(a AS DOUBLE) / b) AS INT)"),
        ("select cast(a as integer)", "SELECT CAST(a AS INT)"),
        ("select avg(a)", "SELECT AVG(CAST(a AS DOUBLE))"),
        # The catalog has another name.
        ('select * from "winback"."core"."customer"', "SELECT * FROM `core`.`customer`"),
        # Local times have no zone, instants have.
        ("select cast(a as timestamp)", "SELECT CAST(a AS TIMESTAMP_NTZ)"),
        ("select cast(a as timestamptz)", "SELECT CAST(a AS TIMESTAMP)"),
        (
            "select d + cast('09:00' as time)",
            "SELECT CAST(CONCAT(CAST(d AS STRING), ' ', '09:00') AS TIMESTAMP_NTZ)",
        ),
        ("select t + to_days(n)", "SELECT t + MAKE_DT_INTERVAL(n)"),
        ("select d + to_months(n)", "SELECT d + MAKE_YM_INTERVAL(0, n)"),
        ("select extract(isodow from d)", "SELECT (WEEKDAY(d) + 1)"),
        (
            "select date_diff('second', a, b)",
            "SELECT TIMESTAMPDIFF(second, DATE_TRUNC('second', a), DATE_TRUNC('second', b))",
        ),
        ("select date_diff('day', a, b)", "SELECT DATEDIFF(DAY, a, b)"),
        # Texts and lists.
        ("select len(a), length(b)", "SELECT SIZE(a), LENGTH(b)"),
        ("select 'len(a)'", "SELECT 'len(a)'"),
        ("select list_intersect(a, b)", "SELECT ARRAY_INTERSECT(a, b)"),
        ("select regexp_full_match(a, '[0-9]+')", "SELECT a RLIKE '\\\\A(?:[0-9]+)\\\\z'"),
        ("select cast('0x' || a as bigint)", "SELECT CAST(CONV(a, 16, 10) AS BIGINT)"),
        ("select to_json(a)", "SELECT TO_JSON(a, MAP('ignoreNullFields', 'false'))"),
        ("select error('wrong')", "SELECT RAISE_ERROR('wrong')"),
        ("select unnest(a) as x, unnest(b) as y", "SELECT INLINE(ARRAYS_ZIP(a, b)) AS (x, y)"),
        # Aggregates.
        (
            "select count(distinct a) over (partition by b)",
            "SELECT CAST(SIZE(COLLECT_SET(a) OVER (PARTITION BY b)) AS BIGINT)",
        ),
        (
            "select quantile_disc(a, 0.5) over (partition by b)",
            "SELECT PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY a) OVER (PARTITION BY b)",
        ),
        (
            "select max(a, 3)",
            "SELECT TRANSFORM(SLICE(SORT_ARRAY(COLLECT_LIST(NAMED_STRUCT('k', a, 'v', a)), FALSE), 1, 3), "
            "s -> s.v)",
        ),
        ("select list(distinct a order by a)", "SELECT SORT_ARRAY(COLLECT_SET(a))"),
        (
            "select sum(a order by b)",
            "SELECT AGGREGATE(SORT_ARRAY(COLLECT_LIST(NAMED_STRUCT('n0', b IS NULL, 'k0', b, 'v', a))), "
            "CAST(NULL AS DOUBLE), (total, s) -> "
            "COALESCE(total + CAST(s.v AS DOUBLE), total, CAST(s.v AS DOUBLE)))",
        ),
    ],
)
def test_an_expression(duckdb_sql, spark_sql):
    assert to_spark(duckdb_sql) == spark_sql


def test_an_aggregate_keeps_its_filter_and_its_name():
    translated = to_spark("select list(a order by b) filter (where c) as found from t")

    assert "COLLECT_LIST(NAMED_STRUCT('n0', b IS NULL, 'k0', b, 'v', a)) FILTER(WHERE c)" in translated
    assert translated.endswith("AS found FROM t")


def test_the_first_in_a_descending_order_needs_a_comparison():
    translated = to_spark("select first(a order by b desc) from t")

    assert "WHEN l.k0 < r.k0 THEN 1 WHEN l.k0 > r.k0 THEN -1" in translated
    # DuckDB has nulls last, whatever the direction.
    assert "WHEN (l.k0 IS NULL) AND NOT r.k0 IS NULL THEN 1" in translated


def test_nulls_are_last_as_in_duckdb():
    assert to_spark("select a from t order by a") == "SELECT a FROM t ORDER BY a NULLS LAST"


def test_queries_within_queries_stay_there():
    inner = "(with b as (select {} as x) select * from b)"

    assert (
        to_spark(f"with a as {inner.format(1)}, c as {inner.format(2)} select * from a, c").count("WITH b AS")
        == 2
    )


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("select * replace (1 as a) from t", "list the columns"),
        ("select 1 as a union all by name select 2 as a", "list the columns of both sides"),
        ("select regexp_full_match(a, b) from t", "written out"),
        ("select list(distinct a order by b) from t", "in their own order"),
        ("select string_agg(a, ',' order by b) from t", "no form in an order"),
    ],
)
def test_what_spark_has_no_form_for_is_refused(sql, what):
    with pytest.raises(UntranslatableError, match=what):
        to_spark(sql)


def test_every_model_is_translated():
    models = {
        name: sql
        for name, sql in compiled_models(PROJECT_DIR / "dbt_project").items()
        if name.startswith("model.")
    }

    assert len(models) > 100
    for name, sql in models.items():
        assert to_spark(sql), name
