"""How methods are judged, chosen and recalibrated, on scores made by hand."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from purchase_histories import histories

from pipelines.dormancy import evaluation, metrics
from pipelines.dormancy.calibration import Calibration
from pipelines.dormancy.evaluation import Judged, Origin
from pipelines.dormancy.mbg_cnbd import MbgCnbd
from pipelines.dormancy.tuned_x import TunedX

RULE = TunedX("v", "tea", date(2024, 6, 30), 40, 20.0, 40, 30, converged=True)
MODEL = MbgCnbd(k=2, r=1.0, alpha=40.0, a=0.8, b=3.0, log_likelihood=-5.0)


def judged(quality, *, label="shop_horizon", customers=400, base_rate=0.4, scale=1.0, seed=1):
    """Customers with a score per method that tells the two apart by its quality; 0 tells nothing."""
    random = np.random.default_rng(seed)
    stayed_away = random.random(customers) < base_rate
    return Judged(
        cutoff=date(2024, 3, 1),
        horizon_days=60,
        label=label,
        stayed_away=stayed_away,
        scores={
            name: scale * (np.where(stayed_away, -each, each) + random.normal(0, 1, customers))
            for name, each in quality.items()
        },
        flagged=100,
    )


def origin(known, *, methods=None, known_days=60):
    methods = {"tuned_x": RULE, "mbg_cnbd_2": MODEL} if methods is None else methods
    return Origin(date(2024, 3, 1), known_days, known, {"tea": methods})


def many(next_after_days, **changes):
    count = len(next_after_days)
    silent = np.linspace(1, 90, count)
    known = histories(
        np.arange(count) % 4,
        np.where(np.arange(count) % 4, 50, 0),
        np.where(np.arange(count) % 4, 50, 0) + silent,
        category="tea",
        next_after_days=np.array(next_after_days, dtype=float),
    )
    return replace(known, **changes)


def test_the_best_mean_over_cutoffs_and_labels_is_chosen():
    evidence = [
        judged({"tuned_x": 0.3, "mbg_cnbd_1": 1.5, "mbg_cnbd_2": 0.5}),
        judged({"tuned_x": 0.3, "mbg_cnbd_1": 0.1, "mbg_cnbd_2": 1.0}, label="own_horizon"),
    ]
    by_hand = {
        name: np.mean([metrics.auc(each.stayed_away, -each.scores[name]) for each in evidence])
        for name in evidence[0].scores
    }

    assert evaluation.choose(evidence) == max(by_hand, key=by_hand.get)
    for name, value in by_hand.items():
        assert evaluation.mean_auc(evidence, name) == pytest.approx(value)


def test_of_equals_the_rule_and_without_evidence_the_rule():
    alike = judged({"tuned_x": 1.0})
    alike = replace(
        alike, scores={name: alike.scores["tuned_x"] for name in ("mbg_cnbd_1", "tuned_x", "mbg_cnbd_2")}
    )
    models_only = replace(alike, scores={name: alike.scores[name] for name in ("mbg_cnbd_2", "mbg_cnbd_1")})

    assert evaluation.choose([alike]) == "tuned_x"
    assert evaluation.choose([models_only]) == "mbg_cnbd_1"
    assert evaluation.choose([]) == "tuned_x"


def test_of_models_that_rank_alike_the_likelier_and_never_one_that_ranks_worse():
    one = judged({"tuned_x": 0.1, "mbg_cnbd_1": 1.0, "mbg_cnbd_2": 1.0, "mbg_cnbd_3": 0.3})
    same = one.scores["mbg_cnbd_1"]
    one = replace(
        one,
        scores=one.scores | {"mbg_cnbd_2": same},
        log_likelihoods={"mbg_cnbd_1": -90.0, "mbg_cnbd_2": -80.0, "mbg_cnbd_3": -10.0},
    )

    assert one.auc("mbg_cnbd_3") < one.auc("mbg_cnbd_2") - evaluation.MAX_AUC_LOSS
    assert evaluation.choose([one]) == "mbg_cnbd_2"
    assert evaluation.choose([replace(one, log_likelihoods={"mbg_cnbd_1": -90.0})]) == "mbg_cnbd_1"


def test_a_model_that_could_not_be_fitted_at_an_origin_counts_as_nothing_there():
    both = judged({"tuned_x": 0.5, "mbg_cnbd_1": 0.7})
    rule_only = judged({"tuned_x": 0.5})

    assert evaluation.choose([both]) == "mbg_cnbd_1"
    assert evaluation.choose([both, rule_only]) == "tuned_x"


def test_worse_than_the_rule_by_more_than_noise():
    one = judged({"tuned_x": 1.0, "mbg_cnbd_1": 0.5})
    better = judged({"tuned_x": 0.5, "mbg_cnbd_1": 1.0})

    assert evaluation.is_worse_than_rule([one], "mbg_cnbd_1")
    assert not evaluation.is_worse_than_rule([better], "mbg_cnbd_1")
    assert not evaluation.is_worse_than_rule([one], "tuned_x")


def test_both_labels_have_the_same_customers_for_every_method():
    known = many([5, 70, np.inf, 20] * 50, own_horizon_days=np.array([14.0, 30.0, 61.0, 60.0] * 50))
    shop, own = evaluation.judge(origin(known), "tea", 60)

    assert (shop.label, own.label) == evaluation.LABELS
    assert shop.stayed_away.tolist() == [False, True, True, False] * 50
    # Whose own horizon has not passed yet can't be judged by it.
    assert own.stayed_away.tolist() == [False, True, False] * 50
    for each in (shop, own):
        assert set(each.scores) == {"tuned_x", "mbg_cnbd_2"}
        assert {len(score) for score in each.scores.values()} == {len(each.stayed_away)}
    assert shop.flagged == int((known.silent_days >= RULE.tuned_x_days).sum())
    expected = MODEL.p_active(known.repeats, known.age_at_last, known.age, 60)
    assert Calibration().probability(shop.scores["mbg_cnbd_2"]) == pytest.approx(expected)
    assert np.array_equal(np.argsort(-shop.scores["tuned_x"]), np.argsort(known.silent_days))


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(many([np.inf] * 100), id="nobody came back"),
        pytest.param(many([1.0] * 100), id="all came back"),
        pytest.param(many([1.0] * 9 + [np.inf] * 91), id="nine came back"),
        pytest.param(many([]), id="nobody"),
    ],
)
def test_customers_who_all_did_the_same_judge_nothing(known):
    assert evaluation.judge(origin(known), "tea", 60) == []


def test_without_a_rule_or_the_category_nothing_is_judged():
    known = many([1.0, np.inf] * 50)

    assert evaluation.judge(origin(known, methods={"mbg_cnbd_2": MODEL}), "tea", 60) == []
    assert evaluation.judge(origin(known), "books", 60) == []


def log_odds_judged(true_slope, *, seed, customers=4000):
    """A model whose log-odds are too bold, or too timid, by a factor."""
    random = np.random.default_rng(seed)
    score = random.normal(0, 2, customers)
    active = random.random(customers) < Calibration(0.0, true_slope).probability(score)
    return Judged(date(2024, 3, 1), 60, "shop_horizon", ~active, {"mbg_cnbd_1": score, "tuned_x": score}, 10)


def test_recalibration_stays_where_it_improved_a_later_origin():
    earlier, later = log_odds_judged(0.5, seed=1), log_odds_judged(0.5, seed=2)

    found = evaluation.calibration_that_helps([earlier], [later], "mbg_cnbd_1")

    assert found.slope == pytest.approx(0.5, rel=0.1)


def test_a_model_keeps_its_own_probabilities_where_recalibration_did_harm():
    earlier, later = log_odds_judged(0.4, seed=1), log_odds_judged(1.0, seed=2)

    assert evaluation.calibration_that_helps([earlier], [later], "mbg_cnbd_1") == Calibration()
    assert evaluation.calibration_that_helps([], [later], "mbg_cnbd_1") == Calibration()
    assert evaluation.calibration_that_helps([earlier], [], "mbg_cnbd_1") == Calibration()


def test_a_rule_always_takes_what_the_past_says():
    earlier, later = log_odds_judged(0.4, seed=1), log_odds_judged(1.0, seed=2)

    found = evaluation.calibration_that_helps([earlier], [later], "tuned_x")

    assert 0.4 < found.slope < 1.0
    assert evaluation.calibration_that_helps([], [], "tuned_x") is None


def test_rows_say_what_happened_at_equal_count():
    each = judged({"tuned_x": 0.4, "mbg_cnbd_1": 1.0})
    rows = evaluation.evaluations([each], "tea", chosen="mbg_cnbd_1", calibrations={})

    assert [(row.method, row.chosen) for row in rows] == [("mbg_cnbd_1", True), ("tuned_x", False)]
    for row in rows:
        assert row.customers == 400
        assert row.base_rate == pytest.approx(each.stayed_away.mean())
        worst = np.argsort(each.scores[row.method])[:100]
        assert row.precision_at_equal_count == pytest.approx(each.stayed_away[worst].mean())
        assert row.false_flag_rate == pytest.approx(1 - row.precision_at_equal_count)
    # A rule without recalibration has no probability that could come true.
    assert rows[1].calibration_error is None
    assert rows[0].calibration_error is not None


def test_where_the_rule_flags_nobody_there_is_no_precision():
    each = replace(judged({"tuned_x": 0.4}), flagged=0)
    (row,) = evaluation.evaluations([each], "tea", chosen="tuned_x", calibrations={})

    assert row.precision_at_equal_count is None
    assert row.false_flag_rate is None


def test_what_was_foretold_stands_beside_what_happened():
    each = log_odds_judged(1.0, seed=3)
    bins = evaluation.foretold([each], "tea", "mbg_cnbd_1", Calibration())

    assert [row.bin for row in bins] == list(range(1, 11))
    assert sum(row.customers for row in bins) == 4000
    for row in bins:
        assert row.observed == pytest.approx(row.foretold, abs=0.08)
    assert evaluation.foretold([each], "tea", "mbg_cnbd_1", None) == []
