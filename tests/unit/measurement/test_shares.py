"""Differences of shares against published and independent figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, norm

from pipelines.measurement.arms import Arm
from pipelines.measurement.shares import compare_shares

Z = norm.isf(0.025)

COUNTED = st.integers(1, 2_000).flatmap(lambda people: st.tuples(st.integers(0, people), st.just(people)))


def arm(people, counts):
    people, counts = (each.astype(float) for each in np.broadcast_arrays(people, np.atleast_1d(counts)))
    return Arm(people, counts, counts)


def compare(treated_count, treated, holdout_count, holdout, z=Z):
    return compare_shares(arm(treated, treated_count), arm(holdout, holdout_count), z)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10.
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
        # A recall with a tenth held out, by statsmodels 0.15.0 (confint_proportions_2indep, "newcomb").
        ((450, 9000, 38, 1000), -0.002389, 0.023222),
        ((3, 1800, 0, 200), -0.017211, 0.004889),
    ],
)
def test_limits_are_the_published_ones(counts, low, high):
    found = compare(*counts)

    assert found.low[0] == pytest.approx(low, abs=6e-5)
    assert found.high[0] == pytest.approx(high, abs=6e-5)


def test_large_samples_agree_with_the_chi_square_test():
    table = np.array([[5_300, 94_700], [5_000, 95_000]])

    found = compare(5_300, 100_000, 5_000, 100_000)

    assert found.p_value[0] == pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=0.03)
    assert found.std_error[0] == pytest.approx(np.sqrt(0.053 * 0.947 / 1e5 + 0.05 * 0.95 / 1e5))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(COUNTED, COUNTED), min_size=1, max_size=40), st.sampled_from([0.2, 0.05, 0.002]))
def test_interval_and_test_do_not_contradict_each_other(pairs, alpha):
    treated, holdout = (np.array([pair[arm] for pair in pairs]).T for arm in (0, 1))

    found = compare(*treated, *holdout, z=norm.isf(alpha / 2))
    mirrored = compare(*holdout, *treated, z=norm.isf(alpha / 2))

    assert (found.low >= -1).all() and (found.high <= 1).all()
    assert (found.low <= found.lift).all() and (found.lift <= found.high).all()
    assert (found.p_value >= 0).all() and (found.p_value <= 1).all()
    assert ((found.p_value > alpha - 1e-9) | (found.low > 0) | (found.high < 0)).all()
    assert mirrored.low == pytest.approx(-found.high)
    assert mirrored.p_value == pytest.approx(found.p_value)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(*[st.integers(0, 50)] * 2, st.integers(2, 40)), min_size=1, max_size=40))
def test_more_people_narrow_the_interval(pairs):
    treated, holdout, times = np.array(pairs).T
    few = compare(treated, 50, holdout, 50)
    many = compare(treated * times, 50 * times, holdout * times, 50 * times)

    assert (many.high - many.low < few.high - few.low).all()
    assert (many.p_value <= few.p_value + 1e-9).all()


@pytest.mark.parametrize(
    ("people", "share"), [((9_000, 1_000), 0.005), ((1_000, 1_000), 0.01), ((900, 100), 0.9)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.0016])
def test_no_side_claims_an_effect_more_often_than_stated(people, share, alpha):
    """Every outcome that can happen, with its probability; .0016 is what one of 31 segments must reach."""
    likely = [np.arange(*binom.ppf([1e-8, 1 - 1e-8], each, share).astype(int)) for each in people]
    treated, holdout = (grid.ravel() for grid in np.meshgrid(*likely, indexing="ij"))
    chance = binom.pmf(treated, people[0], share) * binom.pmf(holdout, people[1], share)

    found = compare(treated, people[0], holdout, people[1])

    claimed = found.p_value <= alpha
    for side in (found.lift > 0, found.lift < 0):
        assert chance[claimed & side].sum() < 1.06 * alpha / 2
