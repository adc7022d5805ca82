"""The tables that measuring reads and gives."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

CELL_KEY = ["campaign_id", "arm", "control_arm", "segment_dim", "segment", "variant"]
"""What rows of the same people share: a cell has one row per metric."""

CELLS = {
    **dict.fromkeys((*CELL_KEY[:-1], "metric", "kind", "variant", "looks"), pl.String),
    "window_days": pl.Int64,
    "matured_on": pl.Date,
    "is_matured": pl.Boolean,
    **dict.fromkeys(("treated", "holdout"), pl.Int64),
    **dict.fromkeys(("treated_sum", "treated_squares", "holdout_sum", "holdout_squares"), pl.Float64),
    **dict.fromkeys(("contact_cost", "incentive_cost"), pl.Float64),
}

ARMS = {
    **dict.fromkeys(("campaign_id", "arm"), pl.String),
    "is_control": pl.Boolean,
    "units": pl.Int64,
    "planned_share": pl.Float64,
}

RESULT_KEY = ["campaign_id", "arm", "control_arm", "segment_dim", "segment", "metric", "method"]

RESULT = {
    **dict.fromkeys(RESULT_KEY, pl.String),
    **dict.fromkeys(("window_days", "treated", "holdout"), pl.Int64),
    **dict.fromkeys(("treated_rate", "holdout_rate", "lift", "std_error", "ci_low", "ci_high"), pl.Float64),
    **dict.fromkeys(("p_value", "adjusted_p_value", "srm_p_value"), pl.Float64),
    **dict.fromkeys(("minimum_detectable_effect", "incremental_revenue", "incremental_roi"), pl.Float64),
    "matured_on": pl.Date,
    "verdict": pl.String,
}
"""Columns of the result in their order: those of `kpi.incrementality`."""

_MAY_BE_NULL = ("matured_on", "contact_cost", "incentive_cost", "planned_share")
_ALLOWED = {"kind": ("share", "mean"), "looks": ("once", "any"), "variant": ("", "without_merged")}
_COUNTS = ("treated", "holdout", "treated_squares", "holdout_squares")


def checked_cells(cells: pl.DataFrame, metrics: Iterable[str]) -> pl.DataFrame:
    """The cells with their columns and types.

    Args:
        cells: see `verdicts.measure`.
        metrics: those whose smallest effect is known.

    Raises:
        ValueError: a column is missing, a value is null, not finite or not allowed, or a row is there twice.
    """
    found = _typed(cells, CELLS, "cells")
    for column, allowed in {**_ALLOWED, "metric": tuple(metrics)}.items():
        _refuse(
            found, ~pl.col(column).is_in(allowed), f"{column}: accepted are {', '.join(map(repr, allowed))}"
        )
    for column in _COUNTS:
        _refuse(found, pl.col(column) < 0, f"{column}: accepted are numbers from 0")
    for people in ("treated", "holdout"):
        total = pl.col(f"{people}_sum")
        is_count = total.is_between(0, pl.col(people)) & (total == pl.col(f"{people}_squares"))
        _refuse(
            found,
            (pl.col("kind") == "share") & ~is_count,
            f"{people}_sum: of a share, accepted are 0 to {people}, and the same as {people}_squares",
        )
        _refuse(
            found,
            (pl.col(people) == 0) & ((total != 0) | (pl.col(f"{people}_squares") != 0)),
            f"{people}_sum: without people there is nothing to add up",
        )
    _refuse(found, pl.struct([*CELL_KEY, "metric"]).is_duplicated(), "the metric of the cell is there twice")
    return found


def checked_arms(arms: pl.DataFrame) -> pl.DataFrame:
    """The arms with their columns and types; raises as `checked_cells` does."""
    found = _typed(arms, ARMS, "arms")
    for column in ("units", "planned_share"):
        _refuse(found, pl.col(column) < 0, f"{column}: accepted are numbers from 0")
    _refuse(found, pl.struct("campaign_id", "arm").is_duplicated(), "the arm is there twice")
    return found


def _typed(table: pl.DataFrame, schema: dict[str, type[pl.DataType]], name: str) -> pl.DataFrame:
    missing = [column for column in schema if column not in table.columns]
    if missing:
        raise ValueError(f"{name}: columns {', '.join(missing)} are missing")
    found = table.select(pl.col(column).cast(of) for column, of in schema.items())
    for column, of in schema.items():
        if column not in _MAY_BE_NULL:
            _refuse(found, pl.col(column).is_null(), f"{column} is null")
        if of == pl.Float64:
            _refuse(found, ~pl.col(column).is_finite(), f"{column} is not finite")
    return found


def _refuse(table: pl.DataFrame, wrong: pl.Expr, message: str) -> None:
    rows = table.filter(wrong)
    if rows.height:
        keys = [column for column in (*CELL_KEY, "metric") if column in rows.columns]
        raise ValueError(f"{message} (first of {rows.height} rows: {rows.select(keys).row(0, named=True)})")
