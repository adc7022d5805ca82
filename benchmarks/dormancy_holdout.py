"""What each method says at a cut-off, judged by a window that none of them knew."""

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
from scipy.optimize import isotonic_regression

from pipelines.dormancy import metrics
from pipelines.dormancy.fits import FitRules, WeeklyFit, fit_dormancy
from pipelines.dormancy.fitting import NotFittedError
from pipelines.dormancy.histories import Bounds, Histories, read_histories
from pipelines.dormancy.mbg_cnbd import SHAPES, MbgCnbd, fit_mbg_cnbd
from pipelines.dormancy.tuned_x import POOLED

BOUNDS = Bounds(min_horizon_days=14, max_horizon_days=180, default_gap_days=90)
MIN_CATEGORY_CUSTOMERS = 200
EVERYBODY = 10**9

CHOSEN = "chosen"
RECENCY = "recency (X days rule)"
ISOTONIC = "recency, isotonic"
P_ALIVE = "P(alive) alone"
RATIO = "recency ÷ own mean gap"


@dataclass(frozen=True)
class HeldOut:
    """Customers at a cut-off with what they did in the window after it.

    Attributes:
        fit: of all methods, on what was known at the cut-off.
        histories: everybody at the cut-off, with the next purchase of the window.
        stayed_away: no purchase in the window.
        scores: of each method by name; a higher one means likelier to stay away.
        best_x_days: the one X that separated best on the same window one earlier, over all categories.
    """

    cutoff: date
    horizon_days: int
    fit: WeeklyFit
    histories: Histories
    stayed_away: np.ndarray
    scores: dict[str, np.ndarray]
    best_x_days: int

    def auc(self, name: str) -> float:
        found = metrics.auc(self.stayed_away, self.scores[name])
        assert found is not None, "every window has sleepers and returners"
        return found

    def precision(self, name: str, flagged: int) -> float:
        """Share that stayed away among so many customers with the highest score."""
        found = metrics.precision_at(self.stayed_away, self.scores[name], flagged)
        assert found is not None, "the rule flags somebody"
        return found

    def flagged_by(self, x_days: int) -> int:
        """Customers whom an X days rule flags at the cut-off."""
        return int((self.histories.silent_days >= x_days).sum())

    @property
    def p_active(self) -> np.ndarray:
        """Probability of a purchase in the window, by the method in use."""
        return -self.scores[CHOSEN]

    @property
    def calibration_error(self) -> float:
        """Of the chosen methods' probability of a purchase in the window."""
        return metrics.calibration_error(~self.stayed_away, self.p_active)


def hold_out(con: duckdb.DuckDBPyConnection, cutoff: date, horizon_days: int) -> HeldOut:
    """Fit the shop in `core` at the cut-off and score everybody by every method."""
    rules = FitRules(MIN_CATEGORY_CUSTOMERS, BOUNDS, horizon_days=horizon_days)
    fit = fit_dormancy(con, cutoff, rules)
    histories = _histories(con, cutoff, horizon_days)
    earlier = _histories(con, cutoff - timedelta(days=horizon_days), horizon_days)
    stayed_away_earlier = earlier.next_after_days > horizon_days
    scores = {
        CHOSEN: -fit.p_active(histories, horizon_days),
        RECENCY: histories.silent_days,
        ISOTONIC: _isotonic(earlier, stayed_away_earlier, histories),
        P_ALIVE: -p_alive(fit, histories),
        RATIO: histories.silent_days / _own_gap_days(histories),
    }
    for k in SHAPES:
        scores |= _of_regularity(k, histories, horizon_days)
    return HeldOut(
        cutoff=cutoff,
        horizon_days=horizon_days,
        fit=fit,
        histories=histories,
        stayed_away=histories.next_after_days > horizon_days,
        scores=scores,
        best_x_days=_best_x_days(stayed_away_earlier, earlier.silent_days),
    )


def categories(histories: Histories) -> list[str]:
    """The categories that occur, in order."""
    return sorted({str(name) for name in histories.category})


def model_of(fit: WeeklyFit, category: str) -> MbgCnbd:
    """The model in use for a category, or for all where a rule is."""
    models = {each.model_category: each.model for each in fit.fits}
    found = models.get(category) or models[POOLED]
    assert found is not None, "a model is in use at least for all"
    return found


def p_alive(fit: WeeklyFit, histories: Histories) -> np.ndarray:
    """Probability that each customer has not left, by the model in use for the category."""
    answer = np.empty(len(histories))
    for category in categories(histories):
        own = histories.category == category
        of = histories.where(own)
        answer[own] = model_of(fit, category).p_alive(of.repeats, of.age_at_last, of.age)
    return answer


def _histories(con: duckdb.DuckDBPyConnection, cutoff: date, horizon_days: int) -> Histories:
    known_until = cutoff + timedelta(days=horizon_days)
    return read_histories(con, cutoff, known_until, BOUNDS, sample=EVERYBODY)


def _of_regularity(k: int, histories: Histories, horizon_days: int) -> dict[str, np.ndarray]:
    """The model of one regularity for every category, as it comes; nothing where one can't be fitted."""
    answer = np.empty(len(histories))
    try:
        for category in categories(histories):
            own = histories.category == category
            of = histories.where(own)
            model = fit_mbg_cnbd(of, k)
            answer[own] = -model.p_active(of.repeats, of.age_at_last, of.age, horizon_days)
    except NotFittedError:
        return {}
    return {f"MBG/CNBD, k = {k}": answer}


def _isotonic(earlier: Histories, stayed_away: np.ndarray, now: Histories) -> np.ndarray:
    """Chance to stay away by days of silence, as it was one window earlier, per category."""
    answer = np.empty(len(now))
    for category in categories(now):
        own, before = now.category == category, earlier.category == category
        days, place, customers = np.unique(
            earlier.silent_days[before], return_inverse=True, return_counts=True
        )
        share = np.bincount(place, stayed_away[before]) / customers
        rising = isotonic_regression(share, weights=customers).x
        answer[own] = np.interp(now.silent_days[own], days, rising)
    return answer


def _own_gap_days(histories: Histories) -> np.ndarray:
    """Each customer's mean gap; who bought once has the category's mean."""
    gap = histories.age_at_last / np.maximum(histories.repeats, 1)
    once = histories.repeats == 0
    for category in categories(histories):
        own = histories.category == category
        gap[own & once] = gap[own & ~once].mean()
    return gap


def _best_x_days(stayed_away: np.ndarray, silent_days: np.ndarray) -> int:
    """The X with the highest share of sleepers flagged, less the share of returners (Youden's J)."""
    candidates = np.unique(silent_days[silent_days > 0])
    sleepers, returners = np.sort(silent_days[stayed_away]), np.sort(silent_days[~stayed_away])
    # Whoever is silent for as long as X is flagged, so the shares below X are taken.
    youden_j = np.searchsorted(returners, candidates) / len(returners) - np.searchsorted(
        sleepers, candidates
    ) / len(sleepers)
    return int(candidates[np.argmax(youden_j)])
