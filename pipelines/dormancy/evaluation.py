"""How each method would have done on past dates, and which of them to use.

Rolling origins: at a past cut-off every method is fitted on what was known then, and judged by what happened
next. Two labels, the same for all methods: no purchase within the shop's horizon, and none within the
customer's own horizon (twice a gap that no method fits, so that no method grades itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from pipelines.dormancy import metrics
from pipelines.dormancy.calibration import Calibration, fit_calibration
from pipelines.dormancy.mbg_cnbd import MbgCnbd
from pipelines.dormancy.tuned_x import TunedX

if TYPE_CHECKING:
    import numpy as np

    from pipelines.dormancy.histories import Histories

RULE = "tuned_x"
MODEL = "mbg_cnbd"
LABELS = ("shop_horizon", "own_horizon")
"""No purchase within the shop's horizon; none within the customer's own, as far as it has passed."""

MIN_EACH = 10
"""Customers who stayed away, and who came back, without whom a method can't be judged."""

MAX_AUC_LOSS = 0.005
"""By how much a method in use may rank worse than the rule that it replaces, on the same customers."""

Method: TypeAlias = MbgCnbd | TunedX
"""A fitted model, or a rule."""


@dataclass(frozen=True)
class Origin:
    """A past cut-off.

    Attributes:
        cutoff: last day known to the methods.
        known_days: days after the cut-off of which purchases are known.
        histories: customers as they stood at the cut-off.
        methods: what was fitted at the cut-off, by category and name.
    """

    cutoff: date
    known_days: int
    histories: Histories
    methods: Mapping[str, Mapping[str, Method]]


@dataclass(frozen=True)
class Evaluation:
    """One method, judged at one past date; see `marts.dormancy_model_evaluation`."""

    cutoff: date
    horizon_days: int
    label: str
    category: str
    method: str
    customers: int
    base_rate: float
    auc: float
    precision_at_equal_count: float | None
    false_flag_rate: float | None
    calibration_error: float | None
    chosen: bool


@dataclass(frozen=True)
class Foretold:
    """A bin of the method in use: probability of a purchase, and share that bought."""

    cutoff: date
    label: str
    category: str
    method: str
    bin: int
    customers: int
    foretold: float
    observed: float


@dataclass(frozen=True)
class Judged:
    """Customers of one category with their label, and the score of each method: higher is likelier to buy.

    Attributes:
        flagged: how many the rule would call asleep.
        log_likelihoods: of the models, on what was known at the cut-off.
    """

    cutoff: date
    horizon_days: int
    label: str
    stayed_away: np.ndarray
    scores: Mapping[str, np.ndarray]
    flagged: int
    log_likelihoods: Mapping[str, float] = field(default_factory=dict)

    def auc(self, method: str) -> float:
        """The area under the curve; 0 for a method that could not be fitted."""
        if method not in self.scores:
            return 0.0
        return metrics.auc(self.stayed_away, -self.scores[method]) or 0.0


def method_name(method: Method) -> str:
    """As in the evaluation: the rule, or the model with its regularity.

    >>> method_name(MbgCnbd(k=2, r=1, alpha=30, a=1, b=2, log_likelihood=-1))
    'mbg_cnbd_2'
    """
    return f"{MODEL}_{method.k}" if isinstance(method, MbgCnbd) else RULE


def score(method: Method, histories: Histories, horizon_days: np.ndarray | float) -> np.ndarray:
    """What a method says of each customer: log-odds of a purchase; of the rule, minus the log of silence."""
    import numpy as np  # noqa: PLC0415
    from scipy.special import logit  # noqa: PLC0415

    if isinstance(method, TunedX):
        return np.asarray(-np.log1p(histories.silent_days))
    p_active = method.p_active(histories.repeats, histories.age_at_last, histories.age, horizon_days)
    return np.asarray(logit(np.clip(p_active, 1e-12, 1 - 1e-12)))


def judge(origin: Origin, category: str, horizon_days: int) -> list[Judged]:
    """Each label's customers of a category with the scores of all methods that were fitted for it.

    Args:
        origin: the past cut-off.
        category: whose customers are judged; `all` for a sample of everybody.
        horizon_days: the shop's horizon.
    """
    import numpy as np  # noqa: PLC0415

    methods = origin.methods.get(category, {})
    rule = methods.get(RULE)
    if not isinstance(rule, TunedX):
        return []
    everybody = origin.histories.of(category)
    judged = []
    for label in LABELS:
        members, horizon = everybody, np.full(len(everybody), float(horizon_days))
        if label == "own_horizon":
            members = everybody.where(everybody.own_horizon_days <= origin.known_days)
            horizon = members.own_horizon_days
        stayed_away = members.next_after_days > horizon
        sleepers = int(stayed_away.sum())
        if min(sleepers, len(members) - sleepers) < MIN_EACH:
            continue
        judged.append(
            Judged(
                cutoff=origin.cutoff,
                horizon_days=horizon_days,
                label=label,
                stayed_away=stayed_away,
                scores={name: score(method, members, horizon) for name, method in methods.items()},
                flagged=int((members.silent_days >= rule.tuned_x_days).sum()),
                log_likelihoods={
                    name: method.log_likelihood
                    for name, method in methods.items()
                    if isinstance(method, MbgCnbd)
                },
            )
        )
    return judged


def choose(judged: Sequence[Judged]) -> str:
    """The method with the best mean AUC; of equals the rule.

    Of models that rank alike (within `MAX_AUC_LOSS` of the best) the one with the highest likelihood at the
    origins: windows of a few hundred customers can't tell them apart, all their gaps together can.
    """
    names = sorted({name for each in judged for name in each.scores}, key=lambda name: (name != RULE, name))
    best = max(names, key=lambda name: mean_auc(judged, name)) if names else RULE
    alike = [
        name
        for name in names
        if mean_auc(judged, name) >= mean_auc(judged, best) - MAX_AUC_LOSS
        and all(name in each.log_likelihoods for each in judged)
    ]
    if best == RULE or not alike:
        return best
    return max(alike, key=lambda name: sum(each.log_likelihoods[name] for each in judged))


def is_worse_than_rule(judged: Sequence[Judged], method: str) -> bool:
    """Does a method rank worse than the rule that it would replace, by more than noise may explain?"""
    return mean_auc(judged, method) < mean_auc(judged, RULE) - MAX_AUC_LOSS


def mean_auc(judged: Sequence[Judged], method: str) -> float:
    """Over cut-offs and labels, each counting alike."""
    return sum(each.auc(method) for each in judged) / len(judged) if judged else 0.0


def calibrate(judged: Sequence[Judged], method: str) -> Calibration | None:
    """Recalibrate a method on past origins; None when these can't tell."""
    import numpy as np  # noqa: PLC0415

    usable = [each for each in judged if method in each.scores]
    if not usable:
        return None
    return fit_calibration(
        np.concatenate([each.scores[method] for each in usable]),
        ~np.concatenate([each.stayed_away for each in usable]),
    )


def calibration_that_helps(
    earlier: Sequence[Judged], later: Sequence[Judged], method: str
) -> Calibration | None:
    """The recalibration to use from now on: where it improved a later origin, or where it is needed.

    A model's own probabilities stand unless recalibration on an earlier origin foretold the later one better.
    The rule has no probability of its own, so it always takes what the past says.
    """
    fitted = calibrate([*earlier, *later], method)
    if method == RULE:
        return fitted
    trial = calibrate(earlier, method)
    if trial is None or fitted is None or not later:
        return Calibration()
    gain = sum(
        metrics.log_loss(~each.stayed_away, Calibration().probability(each.scores[method]))
        - metrics.log_loss(~each.stayed_away, trial.probability(each.scores[method]))
        for each in later
        if method in each.scores
    )
    return fitted if gain > 0 else Calibration()


def evaluations(
    judged: Iterable[Judged],
    category: str,
    *,
    chosen: str,
    calibrations: Mapping[str, Calibration],
) -> list[Evaluation]:
    """What `marts.dormancy_model_evaluation` says of a category.

    Args:
        judged: the category's customers, by origin and label.
        category: its name.
        chosen: the method in use.
        calibrations: of methods whose probability is compared with what happened.
    """
    rows = []
    for each in judged:
        for name, scores in sorted(each.scores.items()):
            precision = metrics.precision_at(each.stayed_away, -scores, each.flagged)
            calibration = calibrations.get(name, None if name == RULE else Calibration())
            rows.append(
                Evaluation(
                    cutoff=each.cutoff,
                    horizon_days=each.horizon_days,
                    label=each.label,
                    category=category,
                    method=name,
                    customers=len(each.stayed_away),
                    base_rate=float(each.stayed_away.mean()),
                    auc=each.auc(name),
                    precision_at_equal_count=precision,
                    false_flag_rate=None if precision is None else 1 - precision,
                    calibration_error=None
                    if calibration is None
                    else metrics.calibration_error(~each.stayed_away, calibration.probability(scores)),
                    chosen=name == chosen,
                )
            )
    return rows


def foretold(
    judged: Iterable[Judged], category: str, method: str, calibration: Calibration | None
) -> list[Foretold]:
    """What a method foretold at past origins beside what happened; nothing without a probability."""
    if calibration is None:
        return []
    return [
        Foretold(
            each.cutoff, each.label, category, method, number, found.customers, found.foretold, found.observed
        )
        for each in judged
        if method in each.scores
        for number, found in enumerate(
            metrics.calibration_bins(~each.stayed_away, calibration.probability(each.scores[method])), start=1
        )
    ]
