"""Ranking, flags and calibration against plain counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dormancy import metrics

OUTCOMES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40).map(
    lambda pairs: (np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs]))
)


@settings(deadline=None)
@given(OUTCOMES)
def test_auc_is_the_share_of_pairs_in_the_right_order(outcomes):
    stayed_away, score = outcomes
    pairs = [
        1.0 if sleeper > returner else 0.5 if sleeper == returner else 0.0
        for sleeper in score[stayed_away]
        for returner in score[~stayed_away]
    ]

    found = metrics.auc(stayed_away, score)

    assert found == (pytest.approx(np.mean(pairs)) if pairs else None)


@pytest.mark.parametrize(
    ("stayed_away", "score", "expected"),
    [
        ([True, True, False], [3, 2, 1], 1.0),
        ([True, False], [1, 2], 0.0),
        ([True, False, True, False], [5, 5, 5, 5], 0.5),
        ([True, True], [1, 2], None),
        ([False], [1], None),
        ([], [], None),
    ],
)
def test_auc_of_cases_worked_out_by_hand(stayed_away, score, expected):
    assert metrics.auc(np.array(stayed_away, dtype=bool), np.array(score, dtype=float)) == expected


@settings(deadline=None)
@given(OUTCOMES, st.data())
def test_precision_is_the_mean_over_the_ways_to_break_ties(outcomes, data):
    stayed_away, score = outcomes
    count = data.draw(st.integers(1, len(score)))
    places = [[] for _ in range(7)]
    for slept, value in zip(stayed_away, score, strict=True):
        places[int(value)].append(float(slept))
    hits, left = 0.0, count
    for group in reversed(places):
        taken = min(left, len(group))
        if taken:
            hits += taken * np.mean(group)
            left -= taken

    assert metrics.precision_at(stayed_away, score, count) == pytest.approx(hits / count)


def test_nobody_flagged_has_no_precision():
    assert metrics.precision_at(np.array([True, False]), np.array([1.0, 2.0]), 0) is None


def test_precision_of_all_is_the_base_rate():
    stayed_away = np.array([True, False, False, True, True])

    assert metrics.precision_at(stayed_away, np.arange(5.0), 5) == pytest.approx(0.6)


def test_bins_are_equally_large_and_in_order():
    probability = np.linspace(0.99, 0.01, 100)
    happened = np.arange(100) < 50

    bins = metrics.calibration_bins(happened, probability)

    assert [each.customers for each in bins] == [10] * 10
    assert [each.foretold for each in bins] == sorted(each.foretold for each in bins)
    assert [each.observed for each in bins] == [0.0] * 5 + [1.0] * 5


def test_fewer_customers_than_bins_have_one_each():
    bins = metrics.calibration_bins(np.array([True, False, True]), np.array([0.9, 0.2, 0.4]))

    assert [(each.customers, each.foretold, each.observed) for each in bins] == [
        (1, 0.2, 0.0),
        (1, 0.4, 1.0),
        (1, 0.9, 1.0),
    ]


def test_calibration_error_is_the_mean_distance():
    happened = np.array([True, False] * 50)

    assert metrics.calibration_error(happened, np.full(100, 0.5)) == pytest.approx(0)
    assert metrics.calibration_error(happened, np.full(100, 0.8)) == pytest.approx(0.3)
    assert metrics.calibration_error(np.ones(100, dtype=bool), np.zeros(100)) == pytest.approx(1)


def test_log_loss_is_finite_for_certainties_that_were_wrong():
    happened = np.array([True, False])

    assert metrics.log_loss(happened, np.array([0.5, 0.5])) == pytest.approx(np.log(2))
    assert 20 < metrics.log_loss(happened, np.array([0.0, 1.0])) < 21
    assert metrics.log_loss(happened, np.array([1.0, 0.0])) < 1e-8
