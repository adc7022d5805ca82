"""The Spark session of this process.

Two kinds of settings: those without which results would be others, which every session has, and those for
small data on one machine, in whose place a cluster has its own configuration (`spark-defaults.conf`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.settings import Settings

RESULTS = {
    # A cast that fails is an error, as in DuckDB, and not a null.
    "spark.sql.ansi.enabled": "true",
    # A product or sum of decimals keeps its decimals, as in DuckDB.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    # A date is replaced, and no other one.
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.sql.sources.default": "parquet",
    # As instants, which every reader of Parquet knows.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What results depend on, beside the time zone; the target `spark_thrift` of dbt repeats it."""

_SMALL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    # A model of small data is planned for longer than it runs: the fast compiler does, and no code is made.
    "spark.driver.extraJavaOptions": (
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
    ),
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
}


def start_session(settings: Settings, folder: Path) -> SparkSession:
    """The session, of this process alone or on a cluster.

    Args:
        settings: the master, the memory and the shop's time zone.
        folder: where tables are kept.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415 - see the package

    options = {
        **RESULTS,
        "spark.sql.session.timeZone": settings.profile.time_zone,
        "spark.sql.warehouse.dir": str(folder),
        # The catalog is this process's: what stands in the folder is the tables.
        "spark.sql.catalogImplementation": "in-memory",
        "spark.driver.memory": settings.spark_memory,
        "spark.local.dir": str(settings.scratch_dir / "spark"),
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        **({} if settings.spark_master else _SMALL),
    }
    if not settings.spark_master:
        # On one machine the workers are this Python: the one on the PATH may have none of our libraries.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(settings.spark_master or f"local[{settings.threads}]")
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.appName("winback").getOrCreate()
