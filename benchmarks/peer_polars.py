"""RFM and P(alive) with Polars, for `benchmarks/peers.py`: one lazy query, the model's parameters given.

Ranks are shared by ties, so that the scores are the product's own.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peer_run import RESULT, SEEDS, Run, main


def run(this: Run) -> None:
    """Scan, group, score."""
    import polars as pl  # noqa: PLC0415

    this.start()
    day = pl.col("ordered_at").dt.date()
    customers = (
        pl.scan_parquet(this.lines)
        .group_by("customer_id")
        .agg(
            first_on=day.min(),
            last_on=day.max(),
            frequency=day.n_unique().cast(pl.Int64),
            monetary=pl.col("amount").sum().round(2),
        )
        .with_columns(recency_days=(pl.lit(this.as_of_date) - pl.col("last_on")).dt.total_days())
        .with_columns(
            r_score=_score("recency_days", descending=True),
            f_score=_score("frequency"),
            m_score=_score("monetary"),
            recency_high=pl.col("recency_days") < pl.col("recency_days").mean(),
            frequency_high=pl.col("frequency") > pl.col("frequency").mean(),
            monetary_high=pl.col("monetary") > pl.col("monetary").mean(),
            p_alive=_p_alive(this),
        )
        .join(pl.scan_csv(SEEDS / "rfm_segment_11.csv"), on=["r_score", "f_score"])
        .join(pl.scan_csv(SEEDS / "rfm_class.csv"), on=["recency_high", "frequency_high", "monetary_high"])
        .select(RESULT)
        .collect()
    )
    this.done("all")
    this.stop()
    this.found["model"] = this.given["model"]
    customers.write_parquet(this.result)


def _score(column: str, *, descending: bool = False) -> "pl.Expr":
    import polars as pl  # noqa: PLC0415

    worse = pl.col(column).rank("min", descending=descending).cast(pl.Int64) - 1
    return 1 + 5 * worse // pl.len().cast(pl.Int64)


def _p_alive(this: Run) -> "pl.Expr":
    """MBG/NBD (Batislam, Denizel & Filiztekin 2007, IJRM 24:201, appendix A, equation 5)."""
    import polars as pl  # noqa: PLC0415

    r, alpha, a, b = (this.given["model"][name] for name in ("r", "alpha", "a", "b"))
    repeats = pl.col("frequency") - 1
    age_at_last = (pl.col("last_on") - pl.col("first_on")).dt.total_days()
    age = (pl.lit(this.as_of_date) - pl.col("first_on")).dt.total_days()
    return 1 / (1 + a / (b + repeats) * ((alpha + age) / (alpha + age_at_last)) ** (r + repeats))


if __name__ == "__main__":
    main("polars", run, ("polars",))
