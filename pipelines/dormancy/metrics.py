"""How well a score tells who stays away: ranking, flags and calibration.

Arrays have one element per customer; `stayed_away` is boolean, a score is higher for who is likelier to stay
away. Ties are split fairly: a flag that could fall on any of several equals counts in part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def auc(stayed_away: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the ROC curve: the chance that a sleeper scores above a returner, ties counting half.

    None when all customers did the same. By ranks (Mann & Whitney 1947).
    """
    import numpy as np  # noqa: PLC0415
    from scipy.stats import rankdata  # noqa: PLC0415

    sleepers = int(np.count_nonzero(stayed_away))
    returners = len(stayed_away) - sleepers
    if not sleepers or not returners:
        return None
    ranks = rankdata(score)[stayed_away].sum()
    return float((ranks - sleepers * (sleepers + 1) / 2) / (sleepers * returners))


def precision_at(stayed_away: np.ndarray, score: np.ndarray, count: int) -> float | None:
    """Share of sleepers among the `count` customers with the highest score; None when nobody is flagged."""
    import numpy as np  # noqa: PLC0415

    if count < 1:
        return None
    threshold = np.partition(score, len(score) - count)[len(score) - count]
    above, at = score > threshold, score == threshold
    places_left = count - np.count_nonzero(above)
    hits = np.count_nonzero(stayed_away & above) + places_left * float(stayed_away[at].mean())
    return float(hits / count)


@dataclass(frozen=True)
class CalibrationBin:
    """Customers with neighbouring probabilities: what was foretold of them, and what happened."""

    customers: int
    foretold: float
    observed: float


def calibration_bins(happened: np.ndarray, probability: np.ndarray, bins: int = 10) -> list[CalibrationBin]:
    """Foretold and observed share over equally large bins, in the order of the probability."""
    import numpy as np  # noqa: PLC0415

    order = np.argsort(probability, kind="stable")
    return [
        CalibrationBin(len(part), float(probability[part].mean()), float(happened[part].mean()))
        for part in np.array_split(order, min(bins, len(order)))
    ]


def calibration_error(happened: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean absolute difference of foretold and observed share over the bins of `calibration_bins`."""
    found = calibration_bins(happened, probability, bins)
    return sum(abs(each.foretold - each.observed) for each in found) / len(found)


def log_loss(happened: np.ndarray, probability: np.ndarray) -> float:
    """Mean negative log-likelihood of what happened."""
    import numpy as np  # noqa: PLC0415

    safe = np.clip(probability, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(happened, np.log(safe), np.log1p(-safe))))
