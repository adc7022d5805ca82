"""The weekly fit on generated shops: the evidence decides, and no shop breaks it."""

import math
from dataclasses import asdict
from datetime import timedelta

import numpy as np
import pytest
from purchase_histories import BOUNDS, TODAY, histories, open_shop, purchases_of_model

from pipelines.dormancy import evaluation, fits, metrics
from pipelines.dormancy.evaluation import Judged
from pipelines.dormancy.fits import FitRules, fit_dormancy
from pipelines.dormancy.histories import read_histories
from pipelines.dormancy.mbg_cnbd import MbgCnbd
from pipelines.dormancy.tuned_x import POOLED, TunedX


def fit(rows, revenue=(), *, fitted_on=TODAY, **rules):
    with open_shop(rows, revenue) as con:
        return fit_dormancy(
            con, fitted_on, FitRules(**{"min_category_customers": 50, "bounds": BOUNDS} | rules)
        )


def of(found, category):
    return next(each for each in found.fits if each.model_category == category)


def unlike_customers(**named):
    """Some buy every week, some twice a year; most stay: silence alone says little."""
    return purchases_of_model(900, seed=11, r=0.6, alpha=20.0, a=0.4, b=6.0, **named)


def bursts_and_passers_by():
    """What the model takes for lively customers who left are some who always come back after six weeks.

    Half of the customers buy on seven days in a row every six weeks, all their lives. The others buy one day
    every six weeks and leave soon: their silence tells it, their frequency does not.
    """
    random = np.random.default_rng(1)
    rows = []
    for number in range(600):
        age, days, stays = int(random.integers(1, 500)), *((7, 1.0) if number % 2 else (1, 0.7))
        while age >= 0:
            rows += [(f"tea{number}", "tea", age - day) for day in range(days) if age >= day]
            age -= int(random.integers(35, 50)) if random.random() < stays else 1000
    return rows


@pytest.fixture(scope="module")
def lively():
    return fit(unlike_customers(), horizon_days=60)


def test_where_customers_differ_the_model_wins(lively):
    found = of(lively, "tea")

    assert found.method_name.startswith("mbg_cnbd_")
    assert not found.refused
    assert found.theta == 0.5
    model_auc, rule_auc = lively.mean_auc("tea")
    assert model_auc > rule_auc + 0.03
    chosen = [row for row in lively.evaluations if row.category == "tea" and row.chosen]
    assert {row.method for row in chosen} == {found.method_name}
    assert {row.label for row in chosen} == set(evaluation.LABELS)
    assert {row.cutoff for row in chosen} == {TODAY - timedelta(days=60), TODAY - timedelta(days=120)}


def test_the_model_also_wins_on_a_window_that_it_never_saw():
    cutoff = TODAY - timedelta(days=60)
    with open_shop(unlike_customers()) as con:
        found = fit_dormancy(con, cutoff, FitRules(50, BOUNDS, horizon_days=60))
        known = read_histories(con, cutoff, TODAY, BOUNDS)
    stayed_away = known.next_after_days > 60
    p_active = found.p_active(known, 60)

    assert metrics.auc(stayed_away, -p_active) > metrics.auc(stayed_away, known.silent_days) + 0.03
    assert metrics.calibration_error(~stayed_away, p_active) < 0.06


def test_where_frequency_misleads_the_rule_wins():
    found = fit(bursts_and_passers_by(), horizon_days=60)
    tea = of(found, "tea")

    assert tea.method_name == "tuned_x"
    assert tea.model is None
    assert tea.theta is None
    assert tea.calibration is not None
    model_auc, rule_auc = found.mean_auc("tea")
    assert model_auc == rule_auc
    assert any(row.method.startswith("mbg_cnbd") for row in found.evaluations), "the model was judged too"


def test_each_category_has_the_method_that_its_own_past_speaks_for():
    found = fit([*unlike_customers(category="wine"), *bursts_and_passers_by()], horizon_days=60)

    assert [each.model_category for each in found.fits] == [POOLED, "tea", "wine"]
    assert of(found, "tea").method_name == "tuned_x"
    assert of(found, "wine").method_name.startswith("mbg_cnbd")
    assert of(found, POOLED).customers == of(found, "tea").customers + of(found, "wine").customers


def test_probabilities_come_from_the_category_or_else_from_all(lively):
    known = histories([0, 5], [0, 60], [10, 100], category="tea")
    elsewhere = histories([0, 5], [0, 60], [10, 100], category="a new one")
    tea, pooled = of(lively, "tea"), of(lively, POOLED)

    for asked, used in ((known, tea), (elsewhere, pooled)):
        score = evaluation.score(used.method, asked, 30)
        assert lively.p_active(asked, 30) == pytest.approx(used.calibration.probability(score))
    assert (lively.p_active(known, 90) > lively.p_active(known, 30)).all()


def test_a_tuned_threshold_parts_the_past_best(lively):
    tuned = of(fit(unlike_customers(), horizon_days=60, theta="tuned"), "tea")

    assert fits.THETA_RANGE[0] <= tuned.theta <= fits.THETA_RANGE[1]
    assert tuned.model == of(lively, "tea").model


def judged(rule, model):
    random = np.random.default_rng(1)
    stayed_away = random.random(400) < 0.4
    scores = {
        name: np.where(stayed_away, -quality, quality) + random.normal(0, 1, 400)
        for name, quality in (("tuned_x", rule), ("mbg_cnbd_1", model))
    }
    return [Judged(TODAY, 60, "shop_horizon", stayed_away, scores, 100)]


MODEL = MbgCnbd(1, 1.0, 30.0, 1.0, 2.0, log_likelihood=-1.0)
RULE = TunedX("v", "tea", TODAY, 400, 20.0, 40, 30, converged=True)


@pytest.mark.parametrize(
    ("earlier", "later", "method", "refused"),
    [
        pytest.param(judged(0.5, 1.5), judged(0.5, 1.4), "mbg_cnbd_1", False, id="better twice"),
        pytest.param(judged(0.5, 2.0), judged(0.8, 0.4), "tuned_x", True, id="better once, then worse"),
        pytest.param(judged(1.0, 0.5), judged(0.5, 1.5), "mbg_cnbd_1", False, id="worse once, then better"),
        pytest.param(judged(1.0, 0.5), judged(1.0, 0.5), "tuned_x", False, id="worse twice"),
        pytest.param([], judged(0.5, 1.5), "mbg_cnbd_1", False, id="a short past"),
        pytest.param([], [], "tuned_x", False, id="no past"),
    ],
)
def test_a_model_that_failed_after_it_was_chosen_is_refused(earlier, later, method, refused):
    found = fits._category_fit("tea", fits._Evidence(earlier, later), {"mbg_cnbd_1": MODEL}, RULE, 0.5)

    assert (found.method_name, found.refused) == (method, refused)
    assert (found.theta is None) == (found.model is None)


def test_what_happens_after_the_fit_date_is_not_known():
    rows = unlike_customers()
    later = [("tea1", "books", -5), ("new", "tea", -1)]

    assert fit([*rows, *later], [("tea1", -5, 900.0)]) == fit(rows)


def test_the_version_follows_the_result():
    rows = unlike_customers()

    assert fit(rows).model_version == fit(rows[::-1]).model_version
    assert fit(rows).model_version.startswith("2024-06-30-")
    assert fit(rows[: len(rows) // 2]).model_version != fit(rows).model_version


def finite(values):
    return all(math.isfinite(value) for value in values if isinstance(value, int | float))


TWENTY_YEARS = [
    (f"c{n}", "tea", age)
    for n in range(120)
    for age in range(n % 7, 7300, 30 + 11 * (n % 40))
    if age > 60 * (n % 9)
]

DEGENERATE = {
    "nobody": [],
    "one customer": [("c", "tea", 40)],
    "one customer, often": [("c", "tea", age) for age in range(0, 400, 10)],
    "all bought once": [(f"c{n}", "tea", n) for n in range(300)],
    "all on one day": [(f"c{n}", "tea", 50) for n in range(300)],
    "all on the fit date": [(f"c{n}", "tea", 0) for n in range(300)],
    "all after the fit date": [(f"c{n}", "tea", -1 - n % 5) for n in range(300)],
    "all came back": [(f"c{n}", "tea", 50, 20) for n in range(300)],
    "all every day": [(f"c{n}", "tea", age) for n in range(60) for age in range(200)],
    "same gap for all": [(f"c{n}", "tea", age) for n in range(80) for age in range(n % 20, 400, 20)],
    "three customers": [(f"c{n}", "tea", age) for n in range(3) for age in range(n, 300, 9)],
    "yesterday and today": [(f"c{n}", "tea", age) for n in range(100) for age in (0, 1)],
    "twenty years": TWENTY_YEARS,
    "a category named like the pool": [(f"c{n}", POOLED, n % 90) for n in range(200)],
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("min_customers", [1, 50])
@pytest.mark.parametrize("shop", DEGENERATE)
def test_no_shop_breaks_the_fit(shop, min_customers):
    found = fit(DEGENERATE[shop], min_category_customers=min_customers)

    pooled = of(found, POOLED)
    for each in found.fits:
        flat = asdict(each)
        for part in (flat, flat["rule"], flat["prior"], flat["model"] or {}, flat["calibration"] or {}):
            assert finite(part.values()), part
        assert each.rule.tuned_x_days > 0
        assert BOUNDS.min_horizon_days <= each.rule.horizon_days <= BOUNDS.max_horizon_days
        assert each.model is None or (each.calibration is not None and each.theta is not None)
    for row in (*found.evaluations, *found.foretold):
        assert finite(asdict(row).values()), row
    if shop not in ("twenty years", "same gap for all", "three customers", "one customer, often"):
        assert pooled.model is None
    # Anybody can be scored, or it is said that nobody can.
    anybody = histories([0, 0, 3, 2000], [0, 0, 30, 7300], [0, 7300, 60, 7300], category="tea")
    p_active = found.p_active(anybody, 60)
    category = next((each for each in found.fits if each.model_category == "tea"), pooled)
    if category.calibration is None:
        assert np.isnan(p_active).all()
    else:
        assert ((p_active >= 0) & (p_active <= 1)).all()


def test_without_any_past_the_fallback_says_so():
    found = of(fit([]), POOLED)

    assert not found.is_decided
    assert found.rule.tuned_x_days == BOUNDS.default_gap_days
    assert (found.customers, found.calibration) == (0, None)


def test_a_category_of_three_customers_is_pooled():
    rows = [*unlike_customers(), *((f"b{n}", "books", age) for n in range(3) for age in range(n, 300, 9))]

    assert [each.model_category for each in fit(rows).fits] == [POOLED, "tea"]


def test_negative_margins_have_a_negative_prior():
    rows = unlike_customers()
    found = fit(rows, [(customer, age, -4.0 - age % 3) for customer, _, age in rows[:500]])

    assert of(found, POOLED).prior.mean < 0
    assert of(found, POOLED).prior.weight > 0


def test_the_horizon_is_twice_the_median_gap_unless_it_is_given(lively):
    found = fit(unlike_customers())

    assert {row.horizon_days for row in lively.evaluations} == {60}
    assert {row.horizon_days for row in found.evaluations} == {of(found, POOLED).rule.horizon_days}
