"""MBG/CNBD-k: when customers buy, how regularly, and whether they are still customers.

Reutterer, Platzer & Schröder 2021, "Leveraging purchase regularity for predicting customer behavior the
easy way", International Journal of Research in Marketing 38:194. A customer's gaps between purchase-days are
Erlang of shape k with a rate that differs between customers by Gamma(r, α); after every purchase, the first
one included, the customer leaves for good with a probability that differs by Beta(a, b).

With x repeat purchase-days, t_x the age at the last one and T the age now (in days, from the first
purchase): s = r + kx, c = a / (b + x), u(t) = (t − t_x) / (α + t), and the survival of the silence

    Ã(t) = (1 − u)^s · Σ_{j<k} (s)_j u^j / j!        with (s)_j the rising factorial,

P(alive) = Ã(T) / (Ã(T) + c), and P(at least one purchase within H) = (Ã(T) − Ã(T + H)) / (Ã(T) + c). It is
the textbook form divided by what overflows there; kept in logarithms it stays finite after twenty years. The
dbt macros `mbg_cnbd_*` score by the same formulas.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.dormancy.fitting import NotFittedError, Objective, maximise

if TYPE_CHECKING:
    import numpy as np

    from pipelines.dormancy.histories import Histories

SHAPES = (1, 2, 3)
"""The k that are tried: 1 is irregular (exponential gaps), 3 as regular as any category measured so far."""

MIN_REPEATERS = 30
"""Customers with a second purchase-day without whom no rate can be told."""

PARAMETERS = ("r", "alpha", "a", "b")


@dataclass(frozen=True)
class MbgCnbd:
    """Fitted parameters; `alpha` is in days. `a` and `b` alone are weakly identified: never compare them."""

    k: int
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def p_alive(self, repeats: np.ndarray, age_at_last: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Probability that each customer has not left for good.

        Args:
            repeats: x, purchase-days after the first.
            age_at_last: t_x, days from the first purchase to the last.
            age: T, days from the first purchase to now.
        """
        return _logistic(self._log_survival(repeats, age_at_last, age) - self._log_odds_left(repeats))

    def p_active(
        self,
        repeats: np.ndarray,
        age_at_last: np.ndarray,
        age: np.ndarray,
        horizon_days: np.ndarray | float,
    ) -> np.ndarray:
        """Probability of at least one purchase-day within the next `horizon_days`; arguments as `p_alive`."""
        import numpy as np  # noqa: PLC0415

        now = self._log_survival(repeats, age_at_last, age)
        later = self._log_survival(repeats, age_at_last, age + horizon_days)
        p_alive = _logistic(now - self._log_odds_left(repeats))
        return np.asarray(p_alive * -np.expm1(later - now))

    def expected_gap_days(self, repeats: np.ndarray, age_at_last: np.ndarray) -> np.ndarray:
        """Expected days between purchases of a customer who stays: k (α + t_x) / (r + kx)."""
        import numpy as np  # noqa: PLC0415

        return np.asarray(self.k * (self.alpha + age_at_last) / (self.r + self.k * repeats))

    def _log_survival(self, repeats: np.ndarray, age_at_last: np.ndarray, age: np.ndarray) -> np.ndarray:
        return _survival(self.r + self.k * repeats, self.k, self.alpha, age_at_last, age).log

    def _log_odds_left(self, repeats: np.ndarray) -> np.ndarray:
        import numpy as np  # noqa: PLC0415

        return np.asarray(np.log(self.a) - np.log(self.b + repeats))


@dataclass(frozen=True)
class _Survival:
    """ln Ã with its derivatives, by s and by α."""

    log: np.ndarray
    by_s: np.ndarray
    by_alpha: np.ndarray


def _survival(s: np.ndarray, k: int, alpha: float, age_at_last: np.ndarray, age: np.ndarray) -> _Survival:
    import numpy as np  # noqa: PLC0415

    u = (age - age_at_last) / (alpha + age)
    log_kept = np.log(alpha + age_at_last) - np.log(alpha + age)  # ln(1 − u)
    term = np.ones_like(u)
    total, total_by_s, total_by_u, harmonic = term, 0 * u, 0 * u, 0 * u
    for j in range(1, k):
        total_by_u = total_by_u + term * (s + j - 1)
        harmonic = harmonic + 1 / (s + j - 1)
        term = term * (s + j - 1) * u / j
        total = total + term
        total_by_s = total_by_s + term * harmonic
    return _Survival(
        log=s * log_kept + np.log(total),
        by_s=log_kept + total_by_s / total,
        by_alpha=s * (1 / (alpha + age_at_last) - 1 / (alpha + age)) - total_by_u / total * u / (alpha + age),
    )


def fit_mbg_cnbd(histories: Histories, k: int, near: MbgCnbd | None = None) -> MbgCnbd:
    """Fit the model to customers' histories.

    Args:
        histories: what is known of each customer.
        k: regularity of the gaps, 1 or more.
        near: parameters to start from, of a fit of the same customers at another date; saves time.

    Raises:
        NotFittedError: too few customers bought twice, or the data decide nothing.
    """
    repeaters = int((histories.repeats > 0).sum())
    if repeaters < MIN_REPEATERS:
        raise NotFittedError(f"{repeaters} customers bought on a second day; {MIN_REPEATERS} are needed")
    # Several starts: the likelihood is flat along a and b, and from far away the rate can run off.
    typical_gap_days = max(float(histories.age_at_last.sum() / histories.repeats.sum()), 1.0)
    starts = [(1.0, typical_gap_days / k, 1.0, 2.0), (0.5, typical_gap_days / k / 2, 0.3, 5.0)]
    objective = _objective(histories, k)
    found = None
    if near is not None:
        with suppress(NotFittedError):  # What was good at another date may lead nowhere at this one.
            found = maximise(
                objective, [(near.r, near.alpha, near.a, near.b)], PARAMETERS, decided=("r", "alpha")
            )
    found = found or maximise(objective, starts, PARAMETERS, decided=("r", "alpha"))
    r, alpha, a, b = found.values
    return MbgCnbd(k, r, alpha, a, b, log_likelihood=found.mean_log_likelihood * len(histories.repeats))


def _objective(histories: Histories, k: int) -> Objective:
    import numpy as np  # noqa: PLC0415
    from scipy.special import betaln, digamma, gammaln  # noqa: PLC0415

    x, t_x, age = histories.repeats, histories.age_at_last, histories.age
    # Without parameters: it makes the likelihoods of different k comparable.
    constant = float(np.mean((k - 1) * histories.sum_log_gaps - x * gammaln(k)))

    def objective(log_values: np.ndarray) -> tuple[float, np.ndarray]:
        r, alpha, a, b = np.exp(log_values)
        s = r + k * x
        silence = _survival(s, k, alpha, t_x, age)
        log_odds_alive = silence.log + np.log(b + x) - np.log(a)
        alive = _logistic(log_odds_alive)
        log_likelihood = (
            betaln(a + 1, b + x)
            - betaln(a, b)
            + gammaln(s)
            - gammaln(r)
            + r * np.log(alpha)
            - s * np.log(alpha + t_x)
            + np.logaddexp(0, log_odds_alive)
        )
        gradient = np.array(
            [
                r
                * np.mean(
                    digamma(s) - digamma(r) + np.log(alpha) - np.log(alpha + t_x) + alive * silence.by_s
                ),
                alpha * np.mean(r / alpha - s / (alpha + t_x) + alive * silence.by_alpha),
                a
                * np.mean(digamma(a + 1) - digamma(a + b + x + 1) - digamma(a) + digamma(a + b) - alive / a),
                b
                * np.mean(
                    digamma(b + x) - digamma(a + b + x + 1) - digamma(b) + digamma(a + b) + alive / (b + x)
                ),
            ]
        )
        return -float(np.mean(log_likelihood)) - constant, -gradient

    return objective


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    import numpy as np  # noqa: PLC0415
    from scipy.special import expit  # noqa: PLC0415 - stays finite where exp overflows

    return np.asarray(expit(log_odds))
