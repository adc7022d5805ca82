"""Judging on any day: sequential tests that stay honest however often one looks.

The likelihood of the lift is mixed over effects from a normal distribution around 0 with the scale τ of
effects worth seeing (Robbins 1970, Annals of Mathematical Statistics 41:1397; for experiments on websites
Johari, Koomen, Pekelis & Walsh 2022, Operations Research 70:1806). With V the variance of the lift at this
look,

    Λ = √(V/(V + τ²)) · exp(z²/2 · τ²/(V + τ²)),  z = lift/√V,

and without an effect Λ ever reaches 1/α in at most α of the campaigns (Ville's inequality). 1/Λ is a p-value
and the lifts for which Λ < 1/α an interval, valid at all looks at once. As V is estimated, this holds for
large samples (Waudby-Smith et al. 2024, Annals of Statistics 52:2613); z and the limits come from the score
intervals, which hold for small ones too.
"""

from __future__ import annotations

import numpy as np


def boundary(variance: np.ndarray, scale: np.ndarray, alpha: float) -> np.ndarray:
    """Standard errors that a lift must be away from 0 in order to be decisive at this look.

    Args:
        variance: of the lift without an effect, above 0.
        scale: τ, in the unit of the lift.
        alpha: chance to be ever decisive without an effect.
    """
    ratio = scale**2 / variance
    return np.asarray(np.sqrt((1 + 1 / ratio) * (np.log1p(ratio) - 2 * np.log(alpha))))


def p_value(statistic: np.ndarray, variance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Always-valid p-values of lifts that are `statistic` standard errors away from 0; see `boundary`."""
    ratio = scale**2 / variance
    logarithm = np.log1p(ratio) / 2 - statistic**2 / 2 * ratio / (1 + ratio)
    return np.asarray(np.exp(np.minimum(logarithm, 0.0)))
