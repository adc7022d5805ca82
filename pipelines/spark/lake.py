"""The lake as Spark's tables: `raw.<feed>`, `control.<table>`, `quality.ingestions`, read where they are."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from pipelines.feeds.raw import raw_columns

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

    from pipelines.feeds.contract import FeedContract
    from pipelines.feeds.lake import Lake

_FILES = "lake"
"""Schema of the tables that stand for the files themselves."""


def spark_type(duckdb_type: str) -> str:
    """A type of DuckDB as Spark calls it.

    >>> spark_type("timestamptz"), spark_type("timestamp"), spark_type("varchar[]")
    ('TIMESTAMP', 'TIMESTAMP_NTZ', 'ARRAY<STRING>')
    """
    return exp.DataType.build(duckdb_type, dialect="duckdb").sql("spark")


def register_raw(spark: SparkSession, lake: Lake, contracts: Mapping[str, FeedContract]) -> None:
    """Makes the views `raw.<feed>` of the current ingestions, as `pipelines.feeds.raw.refresh_raw` does."""
    current = lake.current()
    for feed, contract in contracts.items():
        files = [lake.rows_file(each) for each in current if each.feed == feed]
        view_files(spark, "raw", feed, files, raw_columns(contract))


def view_files(
    spark: SparkSession, schema: str, name: str, files: Sequence[Path], columns: Mapping[str, str]
) -> None:
    """Makes the view `<schema>.<name>` over Parquet files; typed and empty without files.

    Args:
        spark: the session.
        schema: of the view.
        name: of the view.
        files: where the rows are; a column that a file lacks is null in its rows.
        columns: DuckDB type of each column.
    """
    present: set[str] = set()
    source = "where false"
    if files:
        table = f"{_FILES}.{schema}__{name}"
        for each in (_FILES, schema):
            spark.sql(f"create schema if not exists {each}")
        spark.sql(f"drop table if exists {table}")
        spark.sql(
            f"create table {table} using parquet "
            f"options (path '{_glob(files)}', mergeSchema '{len(files) > 1}')"
        )
        present = set(spark.table(table).columns)
        source = f"from {table}"
    values = {column: f"`{column}`" if column in present else "null" for column in columns}
    typed = ", ".join(
        f"cast({values[column]} as {spark_type(kind)}) as `{column}`" for column, kind in columns.items()
    )
    spark.sql(f"create schema if not exists {schema}")
    spark.sql(f"create or replace view {schema}.{name} as select {typed} {source}")


def _glob(files: Sequence[Path]) -> str:
    r"""One path for all of them, in the way of Hadoop's globs, as it stands in a text of Spark's SQL.

    >>> print(_glob([Path("/o'hara [1]/a/rows.parquet"), Path("/o'hara [1]/b/rows.parquet")]))
    /o\'hara \\[1\\]/{a/rows.parquet,b/rows.parquet}
    """
    folder = os.path.commonpath([file.parent for file in files])
    names = sorted(_plain(str(file.relative_to(folder))) for file in files)
    listed = names[0] if len(names) == 1 else "{" + ",".join(names) + "}"
    return f"{_plain(folder)}/{listed}".replace("\\", "\\\\").replace("'", "\\'")


def _plain(path: str) -> str:
    """A path whose signs mean themselves in a glob."""
    return re.sub(r"([\\{}\[\]*?,])", r"\\\1", path)


def copy_tables(
    spark: SparkSession, con: duckdb.DuckDBPyConnection, schema: str, folder: Path, tables: Sequence[str] = ()
) -> None:
    """Makes Spark tables of the small tables that a DuckDB connection has in a schema.

    Args:
        spark: the session.
        con: where they are.
        schema: of both.
        folder: for their files.
        tables: their names; all of the schema if none are given.
    """
    spark.sql(f"create schema if not exists {schema}")
    found = con.execute(
        "select table_name from duckdb_tables() where schema_name = ? order by table_name", [schema]
    ).fetchall()
    target = folder / schema
    target.mkdir(parents=True, exist_ok=True)
    for name in tables or [name for (name,) in found]:
        with tempfile.NamedTemporaryFile(dir=target, suffix=".parquet", delete=False) as file:
            written = Path(file.name)
        con.execute(f"copy (select * from {schema}.{name}) to '{written}' (format parquet)")
        place = target / f"{name}.parquet"
        written.replace(place)
        spark.sql(f"drop table if exists {schema}.{name}")
        spark.sql(f"create table {schema}.{name} using parquet options (path '{place}')")
