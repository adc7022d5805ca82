"""dbt-spark's adapter, with the one seam at which the models become SQL of Spark.

The materializations in `dbt_project/macros/spark.sql` ask it for the translation. So the way of the
connection makes no difference: a session of this process and a Thrift server get the same statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.spark.lake import spark_type
from pipelines.spark.translation import to_spark

if TYPE_CHECKING:
    import agate
    import pyarrow
    from dbt.adapters.spark import SparkAdapter
    from pyspark.sql import SparkSession


def register(spark: SparkSession | None) -> None:
    """Make it what dbt loads for `type: spark` in this process.

    Args:
        spark: where Python models run; None over Thrift, which has no place for them.
    """
    import dbt.adapters.spark as plugin  # noqa: PLC0415 - dbt is slow to import

    plugin.Plugin.adapter = _adapter(spark)  # type: ignore[assignment]


def _adapter(spark: SparkSession | None) -> type[SparkAdapter]:
    from dbt.adapters.base.meta import available  # noqa: PLC0415 - as above
    from dbt.adapters.contracts.relation import RelationType  # noqa: PLC0415
    from dbt.adapters.spark import SparkAdapter as Original  # noqa: PLC0415

    class SparkAdapter(Original):
        """The adapter of the target `spark`; dbt takes the package's name from that of the class."""

        @available
        def to_spark(self, sql: str) -> str:
            """A model's SQL as Spark has it."""
            return to_spark(sql)

        @available
        def seed_query(self, table: agate.Table, column_types: Mapping[str, str]) -> str:
            """A seed's rows as a query."""
            return seed_query(table, column_types)

        @available
        def run_python_model(self, code: str, relation: Any) -> None:
            """Runs a Python model in this process: its tables are few rows."""
            if spark is None:
                raise RuntimeError(f"{relation} is made by Python, which needs the method `session`")
            run_python_model(spark, code, str(relation))

        def list_relations_without_caching(self, schema_relation: Any) -> list[Any]:
            """The names alone: dbt-spark's own way asks for the properties of each table."""
            schema = schema_relation.schema
            if (schema,) not in self._rows("show schemas"):
                return []
            views = {name for _, name, *_ in self._rows(f"show views in {schema}")}
            return [
                self.Relation.create(
                    schema=schema,
                    identifier=name,
                    type=RelationType.View if name in views else RelationType.Table,
                )
                for _, name, *_ in self._rows(f"show tables in {schema}")
            ]

        def _rows(self, sql: str) -> list[tuple[Any, ...]]:
            _, table = self.execute(sql, fetch=True)
            return [tuple(row) for row in table.rows]

    return SparkAdapter


def seed_query(table: agate.Table, column_types: Mapping[str, str]) -> str:
    """SQL of Spark for the rows of a seed.

    Args:
        table: the rows, with the types that dbt found.
        column_types: DuckDB types that the seed states; others are as dbt-duckdb would make them.
    """
    kinds = {
        column.name: column_types.get(column.name) or _found_type(column.data_type)
        for column in table.columns
    }
    rows = ", ".join(f"({', '.join(map(_literal, row))})" for row in table.rows)
    typed = ", ".join(f"cast(`{name}` as {spark_type(kind)}) as `{name}`" for name, kind in kinds.items())
    if not rows:
        nothing = ", ".join(f"cast(null as {spark_type(kind)}) as `{name}`" for name, kind in kinds.items())
        return f"select {nothing} where false"
    names = ", ".join(f"`{name}`" for name in kinds)
    return f"select {typed} from values {rows} as seed ({names})"


def _found_type(kind: Any) -> str:
    name = type(kind).__name__
    found = {
        "Number": "double",
        "Integer": "integer",
        "Boolean": "boolean",
        "Date": "date",
        "ISODateTime": "timestamp",
    }
    return found.get(name, "varchar")


def _literal(value: object) -> str:
    if value is None:
        return "null"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


class _Table:
    """A table as a Python model reads it."""

    def __init__(self, spark: SparkSession, name: str) -> None:
        self._spark = spark
        self._name = name

    def to_arrow_table(self) -> pyarrow.Table:
        """All of its rows."""
        return self._spark.table(self._name).toArrow()


class _Session:
    """What Python models use of DuckDB's connection, on Spark."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def sql(self, query: str) -> _Rows:
        """A query of DuckDB."""
        return _Rows([tuple(row) for row in self._spark.sql(to_spark(query)).collect()])

    def from_arrow(self, table: pyarrow.Table) -> pyarrow.Table:
        """What the model gives back."""
        return table


class _Rows:
    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return self._rows


def run_python_model(spark: SparkSession, code: str, relation: str) -> None:
    """Makes the table of a Python model.

    Args:
        spark: the session.
        code: as dbt compiles it: the functions `model` and `dbtObj`.
        relation: the table's name.
    """
    namespace: dict[str, Any] = {}
    exec(compile(code, relation, "exec"), namespace)  # the project's own model, as dbt compiled it
    made = namespace["model"](namespace["dbtObj"](lambda name: _Table(spark, name)), _Session(spark))
    spark.createDataFrame(made).write.saveAsTable(relation)
