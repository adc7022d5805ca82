"""From scores to probabilities that come true."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from pipelines.dormancy import metrics
from pipelines.dormancy.calibration import Calibration, fit_calibration


def drawn(intercept, slope, *, count=20_000, seed=1):
    """Scores, and what happened with the probability that belongs to each."""
    random = np.random.default_rng(seed)
    score = random.normal(0, 2, count)
    return score, random.random(count) < expit(intercept + slope * score)


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-1.5, 0.4), (0.7, 2.5)])
def test_the_line_that_made_the_data_is_found(intercept, slope):
    score, happened = drawn(intercept, slope)

    found = fit_calibration(score, happened)

    assert found.intercept == pytest.approx(intercept, abs=0.08)
    assert found.slope == pytest.approx(slope, rel=0.06)
    assert metrics.calibration_error(happened, found.probability(score)) < 0.015


@pytest.mark.parametrize("seed", [1, 2])
def test_no_other_line_is_likelier(seed):
    score, happened = drawn(-0.5, 0.7, count=500, seed=seed)
    found = fit_calibration(score, happened)
    best = metrics.log_loss(happened, found.probability(score))

    for step in (-0.05, 0.05):
        for other in (
            Calibration(found.intercept + step, found.slope),
            Calibration(found.intercept, found.slope + step),
        ):
            assert metrics.log_loss(happened, other.probability(score)) > best


def test_the_default_takes_the_score_for_log_odds():
    assert Calibration().probability(np.array([0.0, np.log(3)])) == pytest.approx([0.5, 0.75])


@pytest.mark.parametrize("happened", [True, False])
def test_where_all_did_the_same_there_is_none(happened):
    assert fit_calibration(np.arange(5.0), np.full(5, happened)) is None


def test_a_score_that_says_the_opposite_or_nothing_has_none():
    score, happened = drawn(0.0, 1.0, count=2_000)
    without_meaning = np.random.default_rng(9).permutation(score)

    assert fit_calibration(-score, happened) is None
    assert fit_calibration(without_meaning, happened) is None


@settings(deadline=None)
@given(st.floats(-20, 20), st.floats(0.05, 20), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_probabilities_keep_the_ranking(intercept, slope, scores):
    ordered = np.sort(np.array(scores))
    probability = Calibration(intercept, slope).probability(ordered)

    assert ((probability >= 0) & (probability <= 1)).all()
    assert (np.diff(probability) >= 0).all()


def test_scores_that_part_the_two_perfectly_stay_finite():
    score = np.concatenate([np.full(50, -2.0), np.full(50, 2.0)])

    found = fit_calibration(score, score > 0)

    assert found is not None
    assert np.isfinite([found.intercept, found.slope]).all()
    assert np.isfinite(found.probability(score)).all()
