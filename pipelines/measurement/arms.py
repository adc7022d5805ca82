"""One arm of an experiment: how many people, and the power sums of what they did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ROUNDING = 1e-12
"""Differences of sums that are smaller than this share of the sums are rounding, not variation."""


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotients, NaN where the denominator is not positive."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    found = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=found, where=denominator > 0)
    return found


@dataclass(frozen=True)
class Arm:
    """One arm of every cell; arrays of floats, one element per cell.

    Attributes:
        people: how many.
        total: sum of the metric over them; for a share how many of them.
        squares: sum of its squares; for a share the same as `total`.
    """

    people: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean of the metric per person; NaN without people."""
        return divide(self.total, self.people)

    @property
    def variance(self) -> np.ndarray:
        """Sample variance of the metric per person; NaN with fewer than two people."""
        return divide(self._deviations(), self.people - 1)

    @property
    def plug_in_variance(self) -> np.ndarray:
        """Variance of the metric among these very people; NaN without people."""
        return divide(self._deviations(), self.people)

    def _deviations(self) -> np.ndarray:
        """Sum of squared deviations from the mean."""
        found = self.squares - self.total * np.nan_to_num(self.mean)
        return np.asarray(np.where(found > _ROUNDING * self.squares, found, 0.0))

    def only(self, chosen: np.ndarray) -> Arm:
        """The cells that are chosen by a boolean array."""
        return Arm(self.people[chosen], self.total[chosen], self.squares[chosen])

    def joined(self, other: Arm) -> Arm:
        """Both arms as one."""
        return Arm(self.people + other.people, self.total + other.total, self.squares + other.squares)


def null_variance(treated: Arm, holdout: Arm) -> np.ndarray:
    """Variance of the difference of the means if both arms are of one kind; NaN if an arm is empty."""
    per_person = treated.joined(holdout).plug_in_variance
    return np.asarray(divide(per_person, treated.people) + divide(per_person, holdout.people))
