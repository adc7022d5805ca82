"""From counted cells to verdicts: each treated arm against its holdout, per segment and metric."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import norm

from pipelines.measurement import always_valid
from pipelines.measurement.arms import Arm, divide, null_variance
from pipelines.measurement.cells import CELL_KEY, RESULT, RESULT_KEY, checked_arms, checked_cells
from pipelines.measurement.families import adjusted_p_values
from pipelines.measurement.means import compare_means
from pipelines.measurement.power import minimum_detectable_lift, minimum_detectable_shift
from pipelines.measurement.settings import MeasurementSettings
from pipelines.measurement.shares import compare_shares
from pipelines.measurement.split import sample_ratio_p_values

LESS_IS_BETTER = ("unsubscribed", "complained")
"""Metrics of which a rise is harmful."""

_FAMILY = ["campaign_id", "metric", "variant"]
_METHODS = {"share": "newcombe_wilson", "mean": "newcombe_score"}


def measure(cells: pl.DataFrame, arms: pl.DataFrame, settings: MeasurementSettings) -> pl.DataFrame:
    """Judge every cell.

    Args:
        cells: one row per campaign_id, arm, control_arm, segment_dim, segment, metric and variant
            (`cells.CELLS`): people whose window has closed (treated, holdout) with the sum and the sum of
            squares of the metric over them; kind 'share' or 'mean'; looks 'once' (judged when the campaign
            has matured) or 'any' (may be judged on any day); what contact and incentives of the treated
            cost.
        arms: one row per campaign_id and arm (`cells.ARMS`): randomised units and their planned share.
        settings: what counts as seen, and what is worth seeing.

    Returns:
        One row per cell and metric with the columns `cells.RESULT`, sorted by their key. Rates and lifts are
        in the unit of the metric per person. What can't be said is null; nothing is NaN or infinite.

    Raises:
        ValueError: the tables break the rules of `cells`.
    """
    rows = checked_cells(cells, settings.smallest_effect)
    split = sample_ratio_p_values(checked_arms(arms))
    rows = _with_statistics(rows, settings).join(split, on="campaign_id", how="left")
    judged = pl.when((pl.col("looks") == "any") | pl.col("is_matured")).then("p_value")
    adjusted = adjusted_p_values(rows.with_columns(p_value=judged), _FAMILY)
    return (
        rows.with_columns(adjusted_p_value=adjusted)
        .with_columns(
            _rate("treated"),
            _rate("holdout"),
            *_incremental_money(),
            verdict=_verdict(settings),
            method=pl.when(pl.col("variant") == "")
            .then("method")
            .otherwise(pl.concat_str("method", pl.lit("_"), "variant")),
        )
        .select(pl.col(column).cast(of) for column, of in RESULT.items())
        .sort(RESULT_KEY)
    )


def _with_statistics(rows: pl.DataFrame, settings: MeasurementSettings) -> pl.DataFrame:
    """The rows with their method and statistics; null where an arm is empty, or nothing has varied yet."""
    rows = rows.with_row_index("_row")
    variance = null_variance(_arm(rows, "treated"), _arm(rows, "holdout"))
    scale = pl.col("metric").replace_strict(dict(settings.smallest_effect), return_dtype=pl.Float64)
    compared = rows.with_columns(_variance=variance, smallest_effect=scale).filter(
        pl.col("_variance").is_not_nan() & ((pl.col("looks") == "once") | (pl.col("_variance") > 0))
    )
    statistics = pl.concat(
        [_compared(compared.filter(kind=kind), kind, settings) for kind in _METHODS], how="vertical"
    )
    default = (
        pl.when(looks="any").then(pl.lit("always_valid")).otherwise(pl.col("kind").replace_strict(_METHODS))
    )
    return (
        rows.join(statistics, on="_row", how="left")
        .with_columns(smallest_effect=scale, method=pl.coalesce("method", default))
        .drop("_row")
    )


def _compared(rows: pl.DataFrame, kind: str, settings: MeasurementSettings) -> pl.DataFrame:
    """Method and statistics of cells of one kind, in which both arms have people."""
    treated, holdout = _arm(rows, "treated"), _arm(rows, "holdout")
    is_any = (rows["looks"] == "any").to_numpy()
    scale = rows["smallest_effect"].to_numpy()
    # A single look needs neither; 1 stands for what is not used.
    variance = np.where(is_any, rows["_variance"].to_numpy(), 1.0)
    alpha = 1 - settings.confidence
    z = np.where(is_any, always_valid.boundary(variance, scale, alpha), norm.isf(alpha / 2))
    if kind == "share":
        found, by_score = compare_shares(treated, holdout, z), np.full(rows.height, True)
    else:
        found, by_score = compare_means(treated, holdout, z)
    method = np.where(is_any, "always_valid", np.where(by_score, _METHODS[kind], "welch"))
    p_value = np.where(is_any, always_valid.p_value(found.statistic, variance, scale), found.p_value)
    seen = _minimum_detectable(rows, by_score, z, settings)
    return rows.select("_row").with_columns(
        pl.Series("method", method, dtype=pl.String),
        *(
            pl.Series(name, values, dtype=pl.Float64).fill_nan(None)
            for name, values in (
                ("lift", found.lift),
                ("std_error", found.std_error),
                ("ci_low", found.low),
                ("ci_high", found.high),
                ("p_value", p_value),
                ("minimum_detectable_effect", seen),
            )
        ),
    )


def _minimum_detectable(
    rows: pl.DataFrame, by_score: np.ndarray, z: np.ndarray, settings: MeasurementSettings
) -> np.ndarray:
    """The minimum detectable effect of each cell, from the mean and the variation of both arms together.

    Half an outcome is added to a share, so that nobody's conversion does not look like certainty.
    """
    both = _arm(rows, "treated").joined(_arm(rows, "holdout"))
    is_share = (rows["kind"] == "share").to_numpy()
    base = np.where(is_share, (both.total + 0.5) / (both.people + 1), np.abs(both.mean))
    dispersion = np.where(is_share, 1.0, np.nan_to_num(divide(both.squares, np.abs(both.total))))
    variance = rows["_variance"].to_numpy()
    found = minimum_detectable_shift(np.where(variance > 0, variance, np.nan), z, settings.power)
    people = (rows[name].to_numpy()[by_score].astype(float) for name in ("treated", "holdout"))
    found[by_score] = minimum_detectable_lift(
        base[by_score], dispersion[by_score], *people, z=z[by_score], power=settings.power
    )
    return found


def _arm(rows: pl.DataFrame, name: str) -> Arm:
    columns = (name, f"{name}_sum", f"{name}_squares")
    return Arm(*(rows[column].to_numpy().astype(float) for column in columns))


def _rate(arm: str) -> pl.Expr:
    return pl.when(pl.col(arm) > 0).then(pl.col(f"{arm}_sum") / pl.col(arm)).alias(f"{arm}_rate")


def _incremental_money() -> tuple[pl.Expr, pl.Expr]:
    """What the treated of the cell brought beyond the holdout: revenue, and margin less cost over cost."""
    gained = {
        metric: (pl.col("treated") * pl.when(metric=metric).then("lift")).max().over(CELL_KEY)
        for metric in ("revenue", "net_margin")
    }
    cost = pl.col("contact_cost") + pl.col("incentive_cost")
    roi = pl.when(cost > 0).then((gained["net_margin"] - pl.col("contact_cost")) / cost)
    return gained["revenue"].alias("incremental_revenue"), roi.alias("incremental_roi")


def _verdict(settings: MeasurementSettings) -> pl.Expr:
    """The first that holds; an adjusted p-value that is null decides nothing."""
    decisive = (pl.col("adjusted_p_value") <= settings.false_discovery_rate).fill_null(False)
    rises = pl.col("lift") > 0
    good = rises != pl.col("metric").is_in(LESS_IS_BETTER)
    too_early = ~pl.col("is_matured") & ~((pl.col("looks") == "any") & decisive)
    small_enough = pl.col("minimum_detectable_effect") <= pl.col("smallest_effect")
    return (
        pl.when((pl.col("srm_p_value") < settings.split_alpha).fill_null(False))
        .then(pl.lit("invalid_split"))
        .when(too_early)
        .then(pl.lit("too_early"))
        .when(decisive)
        .then(pl.when(good).then(pl.lit("effective")).otherwise(pl.lit("harmful")))
        .when(small_enough.fill_null(False))
        .then(pl.lit("no_effect_seen"))
        .otherwise(pl.lit("too_small_to_tell"))
    )
