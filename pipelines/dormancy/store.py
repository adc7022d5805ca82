"""Fits in the lake: history, because a fit is kept as it was made and not made again."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.dormancy.evaluation import MODEL, RULE
from pipelines.dormancy.fits import CategoryFit, WeeklyFit


@dataclass(frozen=True)
class Kind:
    """One kind of rows that a weekly fit leaves behind.

    Attributes:
        view: name of the view in the schema `control` through which the models read it.
        folder: where it is in the lake.
        columns: DuckDB types by column.
    """

    view: str
    folder: str
    columns: dict[str, str]


FIT = Kind(
    "dormancy_fit",
    "dormancy_fits",
    {
        "model_version": "varchar",
        "model_category": "varchar",
        "method": "varchar",
        "fitted_on": "date",
        "fit_number": "integer",
        "backfilled": "boolean",
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
        "refused": "boolean",
        "median_gap_days": "double",
        "horizon_days": "integer",
        "calibration_intercept": "double",
        "calibration_slope": "double",
        "value_weight": "double",
        "value_mean": "double",
    },
)
"""What is in use, by category; `marts.dormancy_model` describes the columns.

Fits are numbered as time goes on: a date is judged by those that were there when its own was made. One that
is made for an older date later on (`backfilled`) has the number of the last before it, and judges no date but
those of its week.
"""

EVALUATION = Kind(
    "dormancy_evaluation",
    "dormancy_evaluations",
    {
        "model_version": "varchar",
        "fitted_on": "date",
        "cutoff": "date",
        "horizon_days": "integer",
        "label": "varchar",
        "category": "varchar",
        "method": "varchar",
        "customers": "integer",
        "base_rate": "double",
        "auc": "double",
        "precision_at_equal_count": "double",
        "false_flag_rate": "double",
        "calibration_error": "double",
        "chosen": "boolean",
    },
)
"""How the methods did on past dates; `marts.dormancy_model_evaluation` describes the columns."""

CALIBRATION = Kind(
    "dormancy_calibration",
    "dormancy_calibrations",
    {
        "model_version": "varchar",
        "fitted_on": "date",
        "cutoff": "date",
        "label": "varchar",
        "category": "varchar",
        "method": "varchar",
        "bin": "integer",
        "customers": "integer",
        "foretold": "double",
        "observed": "double",
    },
)
"""What the method in use foretold, and what happened; `marts.dormancy_model_calibration` describes it."""

KINDS = (FIT, EVALUATION, CALIBRATION)


class FitStore:
    """The fits under the lake, one Parquet file per kind of rows and fit date."""

    def __init__(self, lake_dir: Path) -> None:
        self.lake_dir = lake_dir

    def files(self, kind: Kind) -> list[Path]:
        """Files of all fits, oldest first."""
        return sorted((self.lake_dir / kind.folder).glob("fitted_on=*.parquet"))

    def has(self, fitted_on: date) -> bool:
        """Was a fit made that knows events until the end of this day?"""
        return self._file(FIT, fitted_on).exists()

    def save(self, fit: WeeklyFit) -> None:
        """Write a fit; each file whole or not at all, and the one that `has` looks for last.

        Raises:
            ValueError: there is nothing to save.
        """
        if not fit.fits:
            raise ValueError(f"the fit of {fit.fitted_on} has no category")
        stamp = {"model_version": fit.model_version, "fitted_on": fit.fitted_on}
        self._write(CALIBRATION, fit.fitted_on, [stamp | dataclasses.asdict(row) for row in fit.foretold])
        self._write(EVALUATION, fit.fitted_on, [stamp | dataclasses.asdict(row) for row in fit.evaluations])
        last_number, newest = self._last()
        backfilled = newest is not None and fit.fitted_on < newest
        place = {"fit_number": last_number + (not backfilled), "backfilled": backfilled}
        self._write(FIT, fit.fitted_on, [stamp | place | _flat(each) for each in fit.fits])

    def _last(self) -> tuple[int, date | None]:
        """The highest number of a fit and the newest date of one."""
        import polars as pl  # noqa: PLC0415 - see _write

        files = self.files(FIT)
        if not files:
            return 0, None
        numbers = (pl.read_parquet(file, columns=["fit_number"]).item(0, 0) for file in files)
        return max(numbers), date.fromisoformat(files[-1].stem.removeprefix("fitted_on="))

    def _write(self, kind: Kind, fitted_on: date, rows: Sequence[dict[str, Any]]) -> None:
        import polars as pl  # noqa: PLC0415 - loading the definitions needs no data frames

        types = {
            "varchar": pl.String,
            "date": pl.Date,
            "integer": pl.Int32,
            "double": pl.Float64,
            "boolean": pl.Boolean,
        }
        target = self._file(kind, fitted_on)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        schema = {name: types[type_name] for name, type_name in kind.columns.items()}
        pl.DataFrame(rows, schema=schema).write_parquet(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)

    def _file(self, kind: Kind, fitted_on: date) -> Path:
        return self.lake_dir / kind.folder / f"fitted_on={fitted_on.isoformat()}.parquet"


def _flat(fit: CategoryFit) -> dict[str, Any]:
    return {
        "model_category": fit.model_category,
        "method": RULE if fit.model is None else MODEL,
        "customers": fit.customers,
        **({} if fit.model is None else dataclasses.asdict(fit.model)),
        "tuned_x_days": fit.rule.tuned_x_days,
        "theta": fit.theta,
        "converged": fit.is_decided,
        "refused": fit.refused,
        "median_gap_days": fit.rule.median_gap_days,
        "horizon_days": fit.rule.horizon_days,
        "calibration_intercept": fit.calibration and fit.calibration.intercept,
        "calibration_slope": fit.calibration and fit.calibration.slope,
        "value_weight": fit.prior.weight,
        "value_mean": fit.prior.mean,
    }
