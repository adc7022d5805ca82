"""Score limits of one arm and of a difference: their definition, and the Wilson interval of SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from pipelines.measurement.arms import Arm
from pipelines.measurement.score import (
    FARTHEST_Z,
    ScoreArm,
    amount_arm,
    corrected_share_arm,
    lift_limits,
    share_arm,
    statistic,
)

Z = norm.isf(0.025)

COUNTS = st.integers(1, 5_000).flatmap(lambda people: st.tuples(st.just(people), st.integers(0, people)))
AMOUNTS = st.lists(st.floats(0.01, 1_000), max_size=12)


def share(people, count):
    return Arm(*(np.array([float(each)]) for each in (people, count, count)))


def amounts(values, people=500):
    return Arm(*(np.array([float(each)]) for each in (people, sum(values), sum(x * x for x in values))))


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_limits_of_a_share_are_wilsons(counted, confidence):
    people, count = counted

    low, high = share_arm(share(people, count)).limits(norm.isf((1 - confidence) / 2))

    expected = binomtest(count, people).proportion_ci(confidence, method="wilson")
    assert low[0] == pytest.approx(expected.low, abs=1e-9)
    assert high[0] == pytest.approx(expected.high, abs=1e-9)


def test_limits_of_an_amount_are_where_its_variance_explains_the_distance():
    arm = ScoreArm(*(np.array([each]) for each in (1.5, 400.0, 60.0, 0.0, 0.0)))

    for limit in arm.limits(Z):
        variance = 60 * limit[0] - limit[0] ** 2
        assert (1.5 - limit[0]) ** 2 == pytest.approx(Z**2 * variance / 400, rel=1e-9)


def test_the_unit_of_an_amount_does_not_matter():
    treated, holdout = [20.0, 35.0, 50.0], [10.0, 90.0]
    arms = amounts(treated), amounts(holdout)
    cents = [amounts([100 * value for value in values]) for values in (treated, holdout)]

    limits = lift_limits(amount_arm(*arms), amount_arm(*reversed(arms)), Z)
    in_cents = lift_limits(amount_arm(*cents), amount_arm(*reversed(cents)), Z)

    assert np.array(in_cents) == pytest.approx(100 * np.array(limits))


def test_a_small_arm_borrows_how_unequal_orders_are_and_a_large_one_does_not():
    few, many, others = (
        amounts([30.0] * 3),
        amounts([30.0] * 3_000, 50_000),
        amounts([10.0, 200.0] * 500, 50_000),
    )
    pooled = (few.squares + others.squares) / (few.total + others.total)

    assert amount_arm(few, others).dispersion == pytest.approx(pooled, rel=0.1)
    assert amount_arm(many, others).dispersion == pytest.approx(30, rel=0.05)


@settings(deadline=None, max_examples=40)
@given(AMOUNTS, AMOUNTS.filter(len), st.floats(0, 6), st.floats(0, 3))
def test_limits_enclose_the_mean_and_widen_with_z(mine, others, z, step):
    arms = amounts(mine), amounts(others)
    for arm in (amount_arm(*arms), corrected_share_arm(share(500, len(mine)), share(90, len(others)))):
        low, high = arm.limits(z)
        wider_low, wider_high = arm.limits(z + step)

        assert 0 <= wider_low <= low + 1e-12 <= arm.mean + 2e-12
        assert arm.mean <= high <= wider_high * (1 + 1e-12)


@settings(deadline=None, max_examples=40)
@given(AMOUNTS, AMOUNTS.filter(len))
def test_a_limit_is_zero_at_the_statistic(mine, others):
    arms = amounts(mine), amounts(others)
    scores = amount_arm(*arms), amount_arm(*reversed(arms))

    found = statistic(*scores)

    assert 0 <= found[0] <= FARTHEST_Z
    if 0 < found[0] < FARTHEST_Z:
        assert min(np.abs(lift_limits(*scores, found))) == pytest.approx(0, abs=1e-6 * sum(others))


def test_differences_beyond_measure_are_the_farthest():
    arms = share(10_000_000, 9_000_000), share(10_000_000, 10)

    assert statistic(*(share_arm(arm) for arm in arms)) == FARTHEST_Z
