"""BG/NBD: another model, whose published fit checks the fitting code. Nothing is scored by it.

Fader, Hardie & Lee 2005, "Counting your customers the easy way", Marketing Science 24:275, equation 6. On the
CDNOW sample (2,357 customers, 39 weeks) they give r .243, α 4.414, a .793, b 2.426, log-likelihood −9582.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.dormancy.fitting import maximise

if TYPE_CHECKING:
    import numpy as np

PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "log_likelihood": -9582.4}
"""On the CDNOW sample, in weeks."""


@dataclass(frozen=True)
class BgNbd:
    """Fitted parameters; `alpha` is in the unit of the ages."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


def fit_bg_nbd(repeats: np.ndarray, age_at_last: np.ndarray, age: np.ndarray) -> BgNbd:
    """Fit to repeat purchases, age at the last one and age now, in one unit of time.

    Raises:
        NotFittedError: the data decide nothing.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.optimize import approx_fprime  # noqa: PLC0415
    from scipy.special import betaln, gammaln  # noqa: PLC0415

    bought_again = repeats > 0
    one_less = np.where(bought_again, repeats - 1, 0)

    def mean_negative(log_values: np.ndarray) -> float:
        r, alpha, a, b = np.exp(log_values)
        stayed = betaln(a, b + repeats) - (r + repeats) * np.log(alpha + age)
        left = np.where(
            bought_again,
            betaln(a + 1, b + one_less) - (r + repeats) * np.log(alpha + age_at_last),
            -np.inf,
        )
        log_likelihood = (
            gammaln(r + repeats) - gammaln(r) + r * np.log(alpha) - betaln(a, b) + np.logaddexp(stayed, left)
        )
        return -float(np.mean(log_likelihood))

    found = maximise(
        lambda log_values: (mean_negative(log_values), approx_fprime(log_values, mean_negative, 1e-8)),
        [(1.0, 1.0, 1.0, 1.0), (0.5, 5.0, 0.5, 2.0)],
        ("r", "alpha", "a", "b"),
        decided=("r", "alpha"),
    )
    r, alpha, a, b = found.values
    return BgNbd(r, alpha, a, b, log_likelihood=found.mean_log_likelihood * len(repeats))
