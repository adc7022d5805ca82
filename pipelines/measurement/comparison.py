"""What a comparison of two arms says, whichever method made it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm


@dataclass(frozen=True)
class Comparison:
    """Treated less holdout; arrays with one element per cell, NaN where nothing can be said.

    Attributes:
        lift: difference of the means, in the unit of the metric per person.
        std_error: its standard error, from the variances in the arms.
        low, high: limits of the lift at the z that the comparison was made with.
        statistic: how far the lift is from 0, in standard errors: at that z a limit of the lift is 0.
    """

    lift: np.ndarray
    std_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    statistic: np.ndarray

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided, for a single look: at most 1 − confidence just when that interval leaves out 0."""
        return np.asarray(2 * norm.sf(self.statistic))

    def replaced(self, chosen: np.ndarray, others: Comparison) -> Comparison:
        """With the cells where `chosen` taken from `others`, which has these cells only."""
        return Comparison(
            *(
                _replaced(mine, chosen, its)
                for mine, its in zip(self.__dict__.values(), others.__dict__.values(), strict=True)
            )
        )


def _replaced(values: np.ndarray, chosen: np.ndarray, others: np.ndarray) -> np.ndarray:
    found = values.copy()
    found[chosen] = others
    return found
