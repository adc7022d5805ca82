"""The weekly fit: every method on the past, and per category the one that the evidence speaks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from pipelines.dormancy import evaluation
from pipelines.dormancy.calibration import Calibration
from pipelines.dormancy.evaluation import Evaluation, Foretold, Judged, Method, Origin
from pipelines.dormancy.fitting import NotFittedError
from pipelines.dormancy.histories import Bounds, Histories, read_histories
from pipelines.dormancy.mbg_cnbd import SHAPES, MbgCnbd, fit_mbg_cnbd
from pipelines.dormancy.tuned_x import POOLED, TunedX, fit_tuned_x
from pipelines.dormancy.value import ValuePrior, fit_value_priors

if TYPE_CHECKING:
    import duckdb
    import numpy as np

THETA_RANGE = (0.2, 0.8)
"""Within these a tuned threshold on p_active stays: beyond them nearly nobody, or everybody, sleeps."""


@dataclass(frozen=True)
class FitRules:
    """How to fit; durations are in days.

    Attributes:
        min_category_customers: categories with fewer customers are pooled.
        bounds: of horizons.
        theta: threshold on p_active, or `tuned` per category on past origins.
        horizon_days: the shop's horizon; None for twice its median gap.
    """

    min_category_customers: int
    bounds: Bounds
    theta: float | Literal["tuned"] = 0.5
    horizon_days: int | None = None


@dataclass(frozen=True)
class CategoryFit:
    """What is in use for one category.

    Attributes:
        rule: the best X-days rule: what the model has to beat, and what is in use without one.
        model: the model in use; None where the rule does better or nothing else could be fitted.
        theta: threshold on p_active; None for the rule.
        calibration: from the method's score to the probability of a purchase; None where the past can't tell.
        refused: a model was chosen on the earlier origin and did worse than the rule on the later one.
        prior: what a purchase-day of the category is worth.
    """

    model_category: str
    customers: int
    rule: TunedX
    model: MbgCnbd | None
    theta: float | None
    calibration: Calibration | None
    refused: bool
    prior: ValuePrior

    @property
    def method(self) -> Method:
        """The model in use, or the rule."""
        return self.model or self.rule

    @property
    def method_name(self) -> str:
        """As in the evaluation: `tuned_x`, or `mbg_cnbd_` with its k."""
        return evaluation.method_name(self.method)

    @property
    def is_decided(self) -> bool:
        """False when the data could decide neither model nor rule, and a fallback is in use."""
        return self.model is not None or self.rule.converged


@dataclass(frozen=True)
class WeeklyFit:
    """The fits of one date, by category, and how the methods did before."""

    fitted_on: date
    fits: tuple[CategoryFit, ...]
    evaluations: tuple[Evaluation, ...]
    foretold: tuple[Foretold, ...]

    @property
    def model_version(self) -> str:
        """The date and a fingerprint of the result."""
        digest = hashlib.sha256(repr(self.fits).encode()).hexdigest()[:8]
        return f"{self.fitted_on.isoformat()}-{digest}"

    def mean_auc(self, category: str) -> tuple[float | None, float | None]:
        """Of a category's method in use and of its rule, over past origins and labels; None without any."""
        of_category = [row for row in self.evaluations if row.category == category]
        chosen = [row.auc for row in of_category if row.chosen]
        rule = [row.auc for row in of_category if row.method == evaluation.RULE]
        return (
            sum(chosen) / len(chosen) if chosen else None,
            sum(rule) / len(rule) if rule else None,
        )

    def p_active(self, histories: Histories, horizon_days: np.ndarray | float) -> np.ndarray:
        """Probability of a purchase within the horizon, each customer by the fit of the category.

        Where neither model nor past gives one, it is empty (NaN).
        """
        import numpy as np  # noqa: PLC0415

        by_category = {fit.model_category: fit for fit in self.fits}
        horizon = np.broadcast_to(np.asarray(horizon_days, dtype=float), len(histories))
        answer = np.full(len(histories), np.nan)
        of = np.array([name if name in by_category else POOLED for name in histories.category], dtype=object)
        for category, fit in by_category.items():
            chosen = of == category
            if not chosen.any() or fit.calibration is None:
                continue
            scores = evaluation.score(fit.method, histories.where(chosen), horizon[chosen])
            answer[chosen] = fit.calibration.probability(scores)
        return answer


def fit_dormancy(con: duckdb.DuckDBPyConnection, fitted_on: date, rules: FitRules) -> WeeklyFit:
    """Fit, evaluate and choose, on all purchase-days until `fitted_on`.

    Reads `core.int_kept_category_day` and `core.int_revenue_day`. The pooled category `all` is always among
    the fits. Where the past can't judge a model (too short, too few customers, all of them alike) the best
    X-days rule is used, and where that can't be tuned either, its fallback (`converged` is false).
    """
    tuned = _tuned(con, fitted_on, rules)
    horizon_days = rules.horizon_days or tuned[POOLED].horizon_days
    now = read_histories(con, fitted_on, fitted_on, rules.bounds)
    large = {
        str(category)
        for category in now.category[now.category_customers >= rules.min_category_customers]
        if category != POOLED
    }
    models = {category: _models(now.of(category)) for category in sorted({*large, POOLED})}
    origins = [
        _origin(con, fitted_on - timedelta(days=steps * horizon_days), fitted_on, models, rules)
        for steps in (2, 1)
    ]
    priors = fit_value_priors(con, fitted_on, min_customers=rules.min_category_customers)
    fits: list[CategoryFit] = []
    evaluations: list[Evaluation] = []
    foretold: list[Foretold] = []
    for category in sorted(models):
        evidence = _Evidence(*(evaluation.judge(origin, category, horizon_days) for origin in origins))
        if category != POOLED and category not in tuned and not evidence.judged:
            continue  # Neither a rule nor evidence of its own: left to the pooled fit.
        usable = {evaluation.method_name(model): model for model in models[category].values()}
        fit = _category_fit(category, evidence, usable, tuned.get(category, tuned[POOLED]), rules.theta)
        own = now.category == category
        fits.append(
            replace(
                fit,
                customers=int(now.category_customers[own][0]) if own.any() else fit.rule.customers,
                prior=priors.get(category, priors[POOLED]),
            )
        )
        evaluations += evidence.rows(fit)
        foretold += evaluation.foretold(evidence.judged, category, fit.method_name, fit.calibration)
    return WeeklyFit(fitted_on, tuple(fits), tuple(evaluations), tuple(foretold))


@dataclass(frozen=True)
class _Evidence:
    """One category's customers at the earlier and at the later origin, as each label judges them."""

    earlier: list[Judged]
    later: list[Judged]

    @property
    def judged(self) -> list[Judged]:
        return [*self.earlier, *self.later]

    def rows(self, fit: CategoryFit) -> list[Evaluation]:
        chosen = fit.method_name
        calibrations = {
            name: found
            for name in {evaluation.RULE, chosen}
            if (found := evaluation.calibration_that_helps(self.earlier, self.later, name)) is not None
        }
        return evaluation.evaluations(
            self.judged, fit.model_category, chosen=chosen, calibrations=calibrations
        )


def _category_fit(
    category: str,
    evidence: _Evidence,
    usable: Mapping[str, MbgCnbd],
    rule: TunedX,
    theta: float | Literal["tuned"],
) -> CategoryFit:
    chosen = evaluation.choose(evidence.judged)
    # What the earlier origin alone would have chosen must not have done worse than the rule afterwards.
    refused = bool(evidence.earlier and evidence.later) and evaluation.is_worse_than_rule(
        evidence.later, evaluation.choose(evidence.earlier)
    )
    model = None if refused else usable.get(chosen)
    in_use = evaluation.method_name(model or rule)
    calibration = evaluation.calibration_that_helps(evidence.earlier, evidence.later, in_use)
    return CategoryFit(
        model_category=category,
        customers=rule.customers,
        rule=rule,
        model=model,
        theta=None if model is None else _theta(evidence.judged, in_use, calibration or Calibration(), theta),
        calibration=calibration,
        refused=refused,
        prior=ValuePrior(0.0, 0.0),
    )


def _tuned(con: duckdb.DuckDBPyConnection, day: date, rules: FitRules) -> dict[str, TunedX]:
    fits = fit_tuned_x(
        con,
        day,
        min_category_customers=rules.min_category_customers,
        min_horizon_days=rules.bounds.min_horizon_days,
        max_horizon_days=rules.bounds.max_horizon_days,
        fallback_x_days=rules.bounds.default_gap_days,
    )
    return {fit.model_category: fit for fit in fits}


def _models(histories: Histories, near: Mapping[int, MbgCnbd] | None = None) -> dict[int, MbgCnbd]:
    """The model for each regularity that could be fitted; which could not is missing in the evaluation."""
    fitted = {}
    for k in SHAPES if near is None else near:
        with suppress(NotFittedError):
            fitted[k] = fit_mbg_cnbd(histories, k, None if near is None else near[k])
    return fitted


def _origin(
    con: duckdb.DuckDBPyConnection,
    cutoff: date,
    known_until: date,
    models: Mapping[str, Mapping[int, MbgCnbd]],
    rules: FitRules,
) -> Origin:
    histories = read_histories(con, cutoff, known_until, rules.bounds)
    tuned = _tuned(con, cutoff, rules)
    methods: dict[str, dict[str, Method]] = {}
    for category, near in models.items():
        rule = tuned.get(category, tuned[POOLED])
        fitted = _models(histories.of(category), near)
        methods[category] = {evaluation.RULE: rule} | {
            evaluation.method_name(model): model for model in fitted.values()
        }
    return Origin(cutoff, (known_until - cutoff).days, histories, methods)


def _theta(
    judged: Sequence[Judged], method: str, calibration: Calibration, theta: float | Literal["tuned"]
) -> float:
    """The threshold of the profile, or the one with the highest Youden's J on past origins."""
    if theta != "tuned":
        return theta
    import numpy as np  # noqa: PLC0415

    usable = [each for each in judged if method in each.scores]
    stayed_away = np.concatenate([each.stayed_away for each in usable])
    p_active = calibration.probability(np.concatenate([each.scores[method] for each in usable]))
    candidates = np.round(np.arange(THETA_RANGE[0], THETA_RANGE[1] + 0.005, 0.01), 2)
    youden_j = [
        float((p_active < candidate)[stayed_away].mean() - (p_active < candidate)[~stayed_away].mean())
        for candidate in candidates
    ]
    return float(candidates[int(np.argmax(youden_j))])
