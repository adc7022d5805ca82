"""Newcombe's hybrid of two score intervals, for shares and for amounts that most people leave at zero.

Score limits of one arm are the means μ that solve (m − μ)² = z²·V(μ)/n: they weigh the observed mean m with
the variance that each candidate would have. For a share V(μ) = μ(1 − μ): Wilson's interval (1927, JASA
22:209). For an amount of which a few people bring much and most nothing, V(μ) = wμ − μ²: a mean that is
higher because more people buy has a variance that is higher in proportion. w = Σx²/Σx is 1 for a share.

The limits of the difference (Newcombe 1998, Statistics in Medicine 17:873, method 10; for other means than
shares: Zou & Donner 2008, Statistics in Medicine 27:1693) are

    lift − √((m₁ − l₁)² + (u₂ − m₂)²)   and   lift + √((u₁ − m₁)² + (m₂ − l₂)²).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise

from pipelines.measurement.arms import Arm, divide

FARTHEST_Z = 37.0
"""Standard errors beyond which the normal distribution's tail is smaller than the smallest numbers."""

OWN_ORDERS = 30.0
"""So many orders of equal size speak for their own arm's w as loudly as both arms' together do."""


@dataclass(frozen=True)
class ScoreArm:
    """One arm of every cell, ready for score limits; arrays with one element per cell.

    Attributes:
        mean: observed mean, from 0 to `dispersion`.
        people: how many, at least 1.
        dispersion: w = variance over mean, as the mean goes to 0; in the unit of the metric.
        skew, offset: the mean is first moved down by dispersion · (skew · z² − offset) / people.
    """

    mean: np.ndarray
    people: np.ndarray
    dispersion: np.ndarray
    skew: np.ndarray
    offset: np.ndarray

    def limits(self, z: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limit at z standard errors; they enclose the mean."""
        squared = z * z / self.people
        step = self.dispersion / self.people
        moved = np.maximum(self.mean - step * (self.skew * z * z - self.offset), 0.0)
        moved = np.minimum(moved, self.dispersion)
        middle = 2 * moved + squared * self.dispersion
        spread = 4 * moved * (self.dispersion - moved) + squared * self.dispersion**2
        root = np.sqrt(squared * spread)
        # The product of the two roots is moved² / (1 + squared): no difference of near equals.
        low = divide(2 * moved**2, middle + root)
        high = (middle + root) / (2 * (1 + squared))
        high = np.minimum(high, self.dispersion)
        return np.fmin(np.nan_to_num(low), self.mean), np.maximum(high, self.mean)

    def where(self, chosen: np.ndarray, other: ScoreArm) -> ScoreArm:
        """This arm's cells where `chosen`, the other's elsewhere."""
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return ScoreArm(*(np.where(chosen, mine, its) for mine, its in pairs))

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The attributes in their order."""
        return self.mean, self.people, self.dispersion, self.skew, self.offset


def share_arm(arm: Arm) -> ScoreArm:
    """An arm of a share; its limits are Wilson's."""
    zero = np.zeros(arm.people.shape)
    return ScoreArm(arm.mean, arm.people, zero + 1, zero, zero)


def corrected_share_arm(arm: Arm, other: Arm) -> ScoreArm:
    """An arm of a share whose limits take into account that few conversions scatter lopsidedly.

    The quantile of the score is z + γ(z² − 1)/6, with γ the skewness (Bartlett 1953, Biometrika 40:12; Gart &
    Nam 1990, Biometrics 46:637). That moves the share by (1 − 2p)(z² − 1)/6n, p the share of both arms
    together.
    """
    skew = (1 - 2 * arm.joined(other).mean) / 6
    return ScoreArm(arm.mean, arm.people, np.ones(skew.shape), skew, skew)


def amount_arm(arm: Arm, other: Arm) -> ScoreArm:
    """An arm of a skewed amount; `total` must not be negative in either, nor zero in both.

    w is the arm's own, shrunk towards that of both arms together by the effective number of orders (Σx)²/Σx²:
    a handful of orders of a small holdout does not tell how unequal orders are.

    The score is skewed itself, and w, estimated from the same orders, is high when the mean is. The first
    terms of its Edgeworth expansion (Hall 1992, The Bootstrap and Edgeworth Expansion, chapter 2) turn the
    quantile z into z + γ(z² − 1)/6 − cz²/2, with γ the skewness of the arm's sum and c the covariance of
    the score with the relative error of w. With third moments as of exponential amounts, E(x³)E(x) =
    1.5·E(x²)², and f the weight of the arm in w, that moves the mean by (w/n)·((1 − f)z² − 1)/4.
    """
    both = arm.joined(other)
    orders = np.nan_to_num(divide(arm.total**2, arm.squares))
    own = orders / (orders + OWN_ORDERS)
    pooled = divide(both.squares, both.total)
    dispersion = own * np.nan_to_num(divide(arm.squares, arm.total)) + (1 - own) * pooled
    weight = own + (1 - own) * divide(arm.total, both.total)
    return ScoreArm(arm.mean, arm.people, dispersion, (1 - weight) / 4, np.full(arm.people.shape, 0.25))


def lift_limits(treated: ScoreArm, holdout: ScoreArm, z: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the difference of the means, treated less holdout, at z standard errors."""
    lift = treated.mean - holdout.mean
    treated_low, treated_high = treated.limits(z)
    holdout_low, holdout_high = holdout.limits(z)
    return (
        lift - np.hypot(treated.mean - treated_low, holdout_high - holdout.mean),
        lift + np.hypot(treated_high - treated.mean, holdout.mean - holdout_low),
    )


def statistic(treated: ScoreArm, holdout: ScoreArm) -> np.ndarray:
    """Standard errors at which the nearer limit of the lift is 0: an interval at more of them contains 0.

    A test by it and the interval never contradict each other. At most `FARTHEST_Z`.
    """
    lift = treated.mean - holdout.mean
    upper, lower = treated.where(lift >= 0, holdout), holdout.where(lift >= 0, treated)

    def nearer_limit(z: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
        return lift_limits(ScoreArm(*arrays[:5]), ScoreArm(*arrays[5:]), z)[0]

    arrays = (*upper.arrays(), *lower.arrays())
    beyond = nearer_limit(np.full(lift.shape, FARTHEST_Z), *arrays) > 0
    between = ~beyond & (nearer_limit(np.zeros(lift.shape), *arrays) > 0)
    found = np.where(beyond, FARTHEST_Z, 0.0)
    if between.any():
        chosen = tuple(each[between] for each in arrays)
        found[between] = elementwise.find_root(nearer_limit, (0.0, FARTHEST_Z), args=chosen).x
    return found
