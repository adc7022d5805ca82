"""Many comparisons at once: the false discovery rate."""

from __future__ import annotations

import polars as pl


def adjusted_p_values(rows: pl.DataFrame, family: list[str], p_value: str = "p_value") -> pl.Series:
    """Benjamini & Hochberg (1995, JRSS B 57:289), within each family of comparisons.

    Of the comparisons of a family that have an adjusted p-value up to q, at most the part q is expected to be
    false. SciPy's `false_discovery_control` takes one family at a time, so a campaign each would be a loop.

    Args:
        rows: one row per comparison.
        family: the columns that name its family.
        p_value: the column of its p-value; null: the row belongs to no family.

    Returns:
        Adjusted p-values, one per row in the order of `rows`, null where the p-value is.
    """
    size = pl.col(p_value).count().over(family)
    rank = pl.int_range(1, pl.len() + 1).over(family)
    ordered = rows.with_row_index("_position").sort([*family, p_value], nulls_last=True)
    step = (pl.col(p_value) * size / rank).clip(upper_bound=1.0)
    found = ordered.with_columns(_adjusted=step.cum_min(reverse=True).over(family)).sort("_position")
    return found.select(pl.when(pl.col(p_value).is_not_null()).then("_adjusted")).to_series()
