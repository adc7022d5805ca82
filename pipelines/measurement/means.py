"""Difference of two means per person: by score intervals for skewed amounts, by Welch's t for the others.

Most people of a recall bring nothing and a few bring much. Welch's t then claims an effect too often: with a
tenth held out and five buyers expected among them, 15 % of campaigns without effect would seem to help, with
twenty 8 %, instead of 2.5 % (benchmarks/effect_redraws.py). The score intervals keep what they promise.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, t, ttest_ind_from_stats

from pipelines.measurement.arms import Arm, divide
from pipelines.measurement.comparison import Comparison
from pipelines.measurement.score import FARTHEST_Z, ScoreArm, amount_arm, lift_limits, statistic

MOST_MEAN = 0.5
"""Of the dispersion Σx²/Σx: with more, the standard deviation per person is below the mean."""

FARTHEST_WELCH_Z = 8.0
"""A confidence of 1 − 1e−15; for more there are no limits, which would be as good as infinite for a few
people."""


def compare_means(treated: Arm, holdout: Arm, z: np.ndarray | float) -> tuple[Comparison, np.ndarray]:
    """Compare the means of two arms.

    Score intervals serve amounts of one sign that are mostly zero or small: the sums of both arms have the
    sign of their total, and in both the standard deviation per person is at least about the mean. What is
    left, such as an arm of losses beside one of gains, is compared by Welch's t (1947, Biometrika 34:28).

    Args:
        treated, holdout: arms with at least one person in every cell.
        z: standard errors between the lift and its limits; 1.96 for 95 %. Welch's limits are at as many as
            give Student's t the same confidence.

    Returns:
        The comparison, and which cells are compared by score intervals.
    """
    z = np.broadcast_to(z, treated.people.shape)
    found = _welch(treated, holdout, z)
    sign = np.sign(treated.total + holdout.total)
    by_score = (sign != 0) & (treated.total * sign >= 0) & (holdout.total * sign >= 0)
    arms = _amount_arms(treated.only(by_score), holdout.only(by_score), sign[by_score])
    skewed = np.logical_and(*(arm.mean <= MOST_MEAN * arm.dispersion for arm in arms))
    by_score[by_score] = skewed
    if by_score.any():
        arms = _amount_arms(treated.only(by_score), holdout.only(by_score), sign[by_score])
        low, high = lift_limits(*arms, z[by_score])
        loss = sign[by_score] < 0
        low, high = np.where(loss, -high, low), np.where(loss, -low, high)
        others = Comparison(found.lift[by_score], found.std_error[by_score], low, high, statistic(*arms))
        found = found.replaced(by_score, others)
    return found, by_score


def _amount_arms(treated: Arm, holdout: Arm, sign: np.ndarray) -> tuple[ScoreArm, ScoreArm]:
    """The arms with losses told as gains."""
    first, second = (Arm(arm.people, arm.total * sign, arm.squares) for arm in (treated, holdout))
    return amount_arm(first, second), amount_arm(second, first)


def _welch(treated: Arm, holdout: Arm, z: np.ndarray) -> Comparison:
    """Welch's t, told as the standard normal quantile of the same probability."""
    lift = treated.mean - holdout.mean
    parts = treated.variance / treated.people, holdout.variance / holdout.people
    std_error = np.sqrt(parts[0] + parts[1])
    freedom = divide(
        (parts[0] + parts[1]) ** 2,
        parts[0] ** 2 / (treated.people - 1) + parts[1] ** 2 / (holdout.people - 1),
    )
    deviations = [np.sqrt(arm.variance) for arm in (treated, holdout)]
    tested = np.isfinite(freedom)
    p_value = np.full(lift.shape, np.nan)
    p_value[tested] = ttest_ind_from_stats(
        *(
            each[tested]
            for arm, deviation in zip((treated, holdout), deviations, strict=True)
            for each in (arm.mean, deviation, arm.people)
        ),
        equal_var=False,
    ).pvalue
    told = np.where(z <= FARTHEST_WELCH_Z, z, np.nan)
    half_width = t.isf(norm.sf(told), freedom) * std_error
    far = np.minimum(norm.isf(p_value / 2), FARTHEST_Z)
    return Comparison(lift, std_error, lift - half_width, lift + half_width, far)
