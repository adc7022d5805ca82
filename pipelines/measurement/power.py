"""What a comparison of given size can see: the minimum detectable effect, and the size that an effect needs.

Shares and skewed amounts have the variance V(μ) = wμ − μ² (see `score`; w is 1 for a share). An effect δ on
top of a base μ is seen with the wanted power if

    δ ≥ z·√(V(μ̄)·(1/n₁ + 1/n₂)) + z_power·√(V(μ + δ)/n₁ + V(μ)/n₂),  μ̄ the mean over both arms

(Fleiss, Levin & Paik 2003, Statistical Methods for Rates and Proportions, 3rd ed., chapter 4, there for
shares; without correction for continuity).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import elementwise
from scipy.stats import norm


def minimum_detectable_lift(
    base: np.ndarray,
    dispersion: np.ndarray,
    treated: np.ndarray,
    holdout: np.ndarray,
    *,
    z: np.ndarray | float,
    power: float,
) -> np.ndarray:
    """The smallest rise above the base that is seen with the given power.

    Args:
        base: mean per person without the effect, above 0 and below `dispersion`.
        dispersion: w, in the unit of the metric; 1 for a share.
        treated, holdout: people in the arms, at least 1.
        z: standard errors that a lift must be away from 0; 1.96 for a single look at 95 %.
        power: the chance to see it, for example 0.8.

    Returns:
        In the unit of the metric per person; NaN where not even the highest possible mean would be seen.
    """
    z_power = norm.isf(1 - power)
    # V(μ) ≤ wμ gives a lift that is seen for certain: the root of δ² = spread · (base + δ).
    spread = (z + z_power) ** 2 * dispersion * (1 / treated + 1 / holdout)
    seen = (spread + np.sqrt(spread**2 + 4 * spread * base)) / 2
    arrays = np.broadcast_arrays(base, dispersion, treated, holdout, z, z_power)
    highest = np.minimum(seen, arrays[1] - arrays[0])
    possible = _excess(highest, *arrays) >= 0
    found = np.full(highest.shape, np.nan)
    if possible.any():
        chosen = tuple(each[possible] for each in arrays)
        bracket = (np.zeros(len(chosen[0])), highest[possible])
        found[possible] = elementwise.find_root(_excess, bracket, args=chosen).x
    return found


def _excess(
    lift: np.ndarray,
    base: np.ndarray,
    dispersion: np.ndarray,
    treated: np.ndarray,
    holdout: np.ndarray,
    *quantiles: np.ndarray,
) -> np.ndarray:
    """How much larger the lift is than what is seen with the wanted power."""
    middle = base + lift * treated / (treated + holdout)
    null, base_variance, treated_variance = (
        mean * np.maximum(dispersion - mean, 0.0) for mean in (middle, base, base + lift)
    )
    z, z_power = quantiles
    return np.asarray(
        lift
        - z * np.sqrt(null * (1 / treated + 1 / holdout))
        - z_power * np.sqrt(treated_variance / treated + base_variance / holdout)
    )


def minimum_detectable_shift(null_variance: np.ndarray, z: np.ndarray | float, power: float) -> np.ndarray:
    """The same for means whose variance the effect does not change (Bloom 1995, Evaluation Review 19:547).

    `null_variance` is that of the difference of the means, in squared units of the metric.
    """
    return np.asarray((z + norm.isf(1 - power)) * np.sqrt(null_variance))


def people_needed(
    base: float,
    effect: float,
    *,
    dispersion: float = 1.0,
    treated_share: float = 0.5,
    confidence: float = 0.95,
    power: float = 0.8,
) -> int:
    """People in both arms together that an effect needs in order to be seen, rounded up.

    Args:
        base: mean per person without the effect, above 0.
        effect: the rise, above 0; base + effect is below `dispersion`.
        dispersion: w, in the unit of the metric; 1 for a share.
        treated_share: the part of the people that is treated, between 0 and 1.

    Raises:
        ValueError: the base, the effect or the part is outside these bounds.

    Example: a recall that lifts 5 % to 6 %, with a tenth held out.

        >>> people_needed(0.05, 0.01, treated_share=0.9)
        46506
    """
    if not (0 < base < base + effect < dispersion and 0 < treated_share < 1):
        raise ValueError(
            f"base {base}, effect {effect}, treated_share {treated_share}: accepted are "
            f"0 < base < base + effect < {dispersion} and a share between 0 and 1"
        )
    # Standard errors shrink with the square root of the size, so those of a single person tell it.
    excess = _excess(
        *(np.array(each) for each in (effect, base, dispersion, treated_share, 1 - treated_share)),
        np.array(norm.isf((1 - confidence) / 2)),
        np.array(norm.isf(1 - power)),
    )
    return int(np.ceil(((effect - float(excess)) / effect) ** 2))
