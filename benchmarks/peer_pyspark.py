"""RFM and P(alive) with PySpark on this machine, for `benchmarks/peers.py`: the model's parameters given.

By the DataFrame API, on local[2]; scores by `ntile`, as is usual, which gives ties different scores. The
session has started before the clock does. Memory and processor seconds are those of the JVM and of Python
together.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peer_run import RESULT, SEEDS, Run, main, peak_rss, processor_seconds


def run(this: Run) -> None:
    """Read, group, score; the table is kept in memory by Spark's cache."""
    spark = _session(this)
    java = spark.sparkContext._gateway.proc.pid
    used_before = processor_seconds(java)
    this.start()
    customers = _customers(spark, this).cache()
    customers.count()
    this.done("all")
    this.stop()
    this.found["model"] = this.given["model"]
    this.found["processor_seconds"] += processor_seconds(java) - used_before
    this.found["peak_rss_bytes"] += peak_rss(java)
    customers.coalesce(1).write.mode("overwrite").parquet(str(this.result))
    spark.stop()


def _session(this: Run) -> "SparkSession":
    from pyspark.sql import SparkSession  # noqa: PLC0415

    spark: SparkSession = (
        SparkSession.builder.master(f"local[{this.given['duckdb']['threads']}]")
        .config("spark.driver.memory", this.given["duckdb"]["memory_limit"].removesuffix("B"))
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.local.dir", str(this.folder / "spark"))
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(1).count()
    return spark


def _customers(spark: "SparkSession", this: Run) -> "DataFrame":
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as F  # noqa: PLC0415

    as_of = F.lit(this.as_of_date)
    day = F.to_date("ordered_at")
    customers = (
        spark.read.parquet(str(this.lines))
        .groupBy("customer_id")
        .agg(
            F.min(day).alias("first_on"),
            F.max(day).alias("last_on"),
            F.countDistinct(day).alias("frequency"),
            F.round(F.sum("amount"), 2).alias("monetary"),
        )
        .withColumn("recency_days", F.date_diff(as_of, "last_on"))
    )
    everybody = Window.partitionBy()
    scores = {
        "r_score": F.ntile(5).over(Window.orderBy(F.desc("recency_days"))),
        "f_score": F.ntile(5).over(Window.orderBy("frequency")),
        "m_score": F.ntile(5).over(Window.orderBy("monetary")),
        "recency_high": F.col("recency_days") < F.avg("recency_days").over(everybody),
        "frequency_high": F.col("frequency") > F.avg("frequency").over(everybody),
        "monetary_high": F.col("monetary") > F.avg("monetary").over(everybody),
        "p_alive": _p_alive(this),
    }
    segments, classes = (
        spark.read.csv(str(SEEDS / name), header=True, inferSchema=True)
        for name in ("rfm_segment_11.csv", "rfm_class.csv")
    )
    return (
        customers.withColumns(scores)
        .join(F.broadcast(segments), ["r_score", "f_score"])
        .join(F.broadcast(classes), ["recency_high", "frequency_high", "monetary_high"])
        .select(*RESULT)
    )


def _p_alive(this: Run) -> "Column":
    """MBG/NBD (Batislam, Denizel & Filiztekin 2007, IJRM 24:201, appendix A, equation 5)."""
    from pyspark.sql import functions as F  # noqa: PLC0415

    r, alpha, a, b = (F.lit(this.given["model"][name]) for name in ("r", "alpha", "a", "b"))
    repeats = F.col("frequency") - 1
    age_at_last = F.date_diff("last_on", "first_on")
    age = F.date_diff(F.lit(this.as_of_date), "first_on")
    return 1 / (1 + a / (b + repeats) * F.pow((alpha + age) / (alpha + age_at_last), r + repeats))


if __name__ == "__main__":
    main("pyspark", run, ("pyspark", "py4j"))
