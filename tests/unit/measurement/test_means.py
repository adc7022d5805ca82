"""Differences of means against SciPy on the single amounts, and what score intervals do for skewed ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_ind

from pipelines.measurement.arms import Arm
from pipelines.measurement.means import compare_means

Z = norm.isf(0.025)
CENTS = st.integers(-1_000_000, 100_000_000).map(lambda cents: cents / 100)

RNG = np.random.default_rng(11)
WEIGHTS = RNG.normal(50, 6, 30), RNG.normal(53, 9, 17)


def arm(*samples):
    return Arm(
        *(np.array([function(each) for each in samples], float) for function in (len, np.sum, _squares))
    )


def _squares(values):
    return np.sum(np.square(values))


def people(buyers, amounts):
    """So many people of whom the first bought for these amounts."""
    return np.concatenate([amounts, np.zeros(buyers - len(amounts))])


def test_what_is_not_skewed_is_compared_by_welch():
    found, by_score = compare_means(arm(WEIGHTS[0]), arm(WEIGHTS[1]), Z)

    expected = ttest_ind(*WEIGHTS, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert not by_score[0]
    assert found.low[0] == pytest.approx(interval.low)
    assert found.high[0] == pytest.approx(interval.high)
    assert found.p_value[0] == pytest.approx(expected.pvalue)


def test_welch_gives_the_figures_of_another_implementation():
    """Sums of gamma draws and what statsmodels 0.15.0 made of the draws (CompareMeans, usevar="unequal").

    Their mean is above their standard deviation.
    """
    treated = Arm(*(np.array([each]) for each in (30.0, 51.96, 128.4222)))
    holdout = Arm(*(np.array([each]) for each in (17.0, 36.83, 91.2717)))

    found, by_score = compare_means(treated, holdout, Z)

    assert not by_score[0]
    assert (found.low[0], found.high[0]) == pytest.approx((-1.0276823796809713, 0.15874120321038343))
    assert found.p_value[0] == pytest.approx(0.14683154245940938)


def test_what_most_people_leave_at_zero_is_compared_by_score_intervals():
    amounts = np.array([5.0, 12, 30, 31, 80])
    treated, holdout = people(900, np.tile(amounts, 9)), people(100, amounts)

    found, by_score = compare_means(arm(treated), arm(holdout), Z)

    assert by_score[0]
    assert found.lift[0] == pytest.approx(0, abs=1e-12)
    assert found.p_value[0] == pytest.approx(1)
    # The holdout is the small arm: its mean may be much above what was seen, and less below.
    assert -found.low[0] > 1.3 * found.high[0]


def test_amounts_that_are_all_alike_and_those_of_shares_hardly_differ():
    treated, holdout = people(20_000, np.ones(1_100)), people(20_000, np.ones(1_000))

    found, by_score = compare_means(arm(treated), arm(holdout), Z)

    expected = ttest_ind(treated, holdout, equal_var=False)
    assert by_score[0]
    assert found.p_value[0] == pytest.approx(expected.pvalue, rel=0.05)
    assert found.low[0] == pytest.approx(expected.confidence_interval(0.95).low, rel=0.02)


def test_losses_mirror_gains():
    treated, holdout = people(900, np.array([5.0, 8, 40, 60])), people(300, np.array([9.0, 30]))

    gain, by_score = compare_means(arm(treated), arm(holdout), Z)
    loss, _ = compare_means(arm(-treated), arm(-holdout), Z)

    assert by_score[0]
    assert (loss.low, loss.high) == (pytest.approx(-gain.high), pytest.approx(-gain.low))
    assert loss.p_value == pytest.approx(gain.p_value)


def test_gains_beside_losses_are_compared_by_welch():
    found, by_score = compare_means(
        arm(people(50, np.array([20.0, -30]))), arm(people(50, np.array([9.0]))), Z
    )

    assert not by_score[0]
    assert found.low[0] < 0 < found.high[0]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(CENTS, min_size=1, max_size=30),
    st.lists(CENTS, min_size=1, max_size=30),
    st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
)
def test_intervals_contain_the_lift_and_agree_with_the_test(treated, holdout, others):
    arms = [
        arm(people(len(each) + more, each)) for each, more in zip((treated, holdout), others, strict=True)
    ]

    found, _ = compare_means(*arms, Z)
    mirrored, _ = compare_means(*reversed(arms), Z)

    if np.isnan(found.p_value[0]):
        assert min(each.people[0] for each in arms) < 2 or sum(each.variance[0] for each in arms) == 0
        return
    assert found.low[0] <= found.lift[0] <= found.high[0]
    assert mirrored.low[0] == pytest.approx(-found.high[0])
    if abs(found.p_value[0] - 0.05) > 1e-6:
        assert (found.p_value[0] < 0.05) == (found.low[0] * found.high[0] > 0)
