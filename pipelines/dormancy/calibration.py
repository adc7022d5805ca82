"""From a score to a probability that comes true: logistic recalibration on an earlier origin.

Two parameters (Platt 1999; Cox 1958): ln(p / (1 − p)) = intercept + slope · score. It keeps the ranking, fits
on few customers, and SQL needs no more than one exponential to apply it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


MIN_SLOPE = 0.05
"""With less, next to everybody would stand on the same side of every threshold."""


@dataclass(frozen=True)
class Calibration:
    """How a score becomes a probability; the default takes the score for log-odds as they are."""

    intercept: float = 0.0
    slope: float = 1.0

    def probability(self, score: np.ndarray) -> np.ndarray:
        """The probability that belongs to each score."""
        import numpy as np  # noqa: PLC0415
        from scipy.special import expit  # noqa: PLC0415

        return np.asarray(expit(self.intercept + self.slope * score))


def fit_calibration(score: np.ndarray, happened: np.ndarray) -> Calibration | None:
    """Fit by maximum likelihood; None when all did the same or a higher score would mean a lower chance."""
    import numpy as np  # noqa: PLC0415
    from scipy.optimize import minimize  # noqa: PLC0415
    from scipy.special import expit  # noqa: PLC0415

    if happened.all() or not happened.any():
        return None
    target = happened.astype(float)

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        log_odds = values[0] + values[1] * score
        error = expit(log_odds) - target
        return (
            float(np.mean(np.logaddexp(0, log_odds) - target * log_odds)),
            np.array([error.mean(), (error * score).mean()]),
        )

    found = minimize(objective, np.array([0.0, 1.0]), jac=True, method="BFGS")
    intercept, slope = (float(value) for value in found.x)
    return Calibration(intercept, slope) if np.isfinite(found.fun) and slope > MIN_SLOPE else None
