"""Fits of dormancy rules in the lake: history, because a fit is kept as it was made and not made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pipelines.dormancy.tuned_x import METHOD, TunedX

COLUMNS = {
    "model_version": "varchar",
    "model_category": "varchar",
    "method": "varchar",
    "fitted_on": "date",
    "customers": "integer",
    "k": "integer",
    "r": "double",
    "alpha": "double",
    "a": "double",
    "b": "double",
    "tuned_x_days": "integer",
    "theta": "double",
    "log_likelihood": "double",
    "converged": "boolean",
    "median_gap_days": "double",
    "horizon_days": "integer",
}
"""Columns of a fit and their DuckDB types; `marts.dormancy_model` describes them."""


class FitStore:
    """The fits under `<lake>/dormancy_models/`, one Parquet file per fit date."""

    def __init__(self, lake_dir: Path) -> None:
        self.folder = lake_dir / "dormancy_models"

    def files(self) -> list[Path]:
        """Files of all fits, oldest first."""
        return sorted(self.folder.glob("fitted_on=*.parquet"))

    def has(self, fitted_on: date) -> bool:
        """Was a fit made that knows events until the end of this day?"""
        return self._file(fitted_on).exists()

    def save(self, fits: Sequence[TunedX]) -> Path:
        """Write the rules of one fit date, whole or not at all.

        Raises:
            ValueError: there is nothing to save, or it is of several dates.
        """
        import polars as pl  # noqa: PLC0415 - loading the definitions needs no data frames

        types = {
            "varchar": pl.String,
            "date": pl.Date,
            "integer": pl.Int32,
            "double": pl.Float64,
            "boolean": pl.Boolean,
        }
        dates = {fit.fitted_on for fit in fits}
        if len(dates) != 1:
            raise ValueError(f"a fit has one date; given: {sorted(dates)}")
        rows = [
            {
                "model_version": fit.model_version,
                "model_category": fit.model_category,
                "method": METHOD,
                "fitted_on": fit.fitted_on,
                "customers": fit.customers,
                "tuned_x_days": fit.tuned_x_days,
                "converged": fit.converged,
                "median_gap_days": fit.median_gap_days,
                "horizon_days": fit.horizon_days,
            }
            for fit in fits
        ]
        schema = {name: types[kind] for name, kind in COLUMNS.items()}
        target = self._file(dates.pop())
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        pl.DataFrame(rows, schema=schema).write_parquet(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        return target

    def _file(self, fitted_on: date) -> Path:
        return self.folder / f"fitted_on={fitted_on.isoformat()}.parquet"
