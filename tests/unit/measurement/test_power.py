"""Minimum detectable effects against another implementation and against every outcome that can happen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from pipelines.measurement.arms import Arm
from pipelines.measurement.power import minimum_detectable_lift, minimum_detectable_shift, people_needed
from pipelines.measurement.shares import compare_shares

Z = norm.isf(0.025)


def detectable(base, treated, holdout, dispersion=1.0, power=0.8):
    arrays = (np.array([float(each)]) for each in (base, dispersion, treated, holdout))
    return minimum_detectable_lift(*arrays, z=Z, power=power)[0]


@pytest.mark.parametrize(
    ("base", "treated", "holdout", "lift"),
    [
        # statsmodels 0.15.0, power_proportions_2indep: 80.000 % of these lifts are seen.
        (0.05, 9_000, 1_000, 0.02298755),
        (0.005, 1_000, 1_000, 0.01349051),
        (0.3, 18_000, 2_000, 0.03079906),
    ],
)
def test_another_implementation_gives_the_same_power(base, treated, holdout, lift):
    assert detectable(base, treated, holdout) == pytest.approx(lift, rel=1e-5)


def test_four_of_five_effects_of_that_size_are_seen():
    """The chances of all outcomes in which the product's own test sees the effect."""
    people, base = (2_700, 300), 0.1
    shares = base + detectable(base, *people), base
    likely = [
        np.arange(*binom.ppf([1e-7, 1 - 1e-7], each, share).astype(int))
        for each, share in zip(people, shares, strict=True)
    ]
    grids = [grid.ravel().astype(float) for grid in np.meshgrid(*likely, indexing="ij")]
    chance = np.prod(
        [binom.pmf(grid, each, share) for grid, each, share in zip(grids, people, shares, strict=True)],
        axis=0,
    )
    arms = [
        Arm(np.full(grid.shape, float(each)), grid, grid) for grid, each in zip(grids, people, strict=True)
    ]

    found = compare_shares(*arms, Z)

    assert chance[(found.p_value <= 0.05) & (found.lift > 0)].sum() == pytest.approx(0.8, abs=0.02)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.001, 0.4), st.floats(0.01, 0.3), st.floats(0.1, 0.9))
def test_the_size_that_an_effect_needs_is_where_it_is_the_smallest_that_is_seen(base, effect, treated_share):
    people = people_needed(base, effect, treated_share=treated_share)

    assert detectable(base, people * treated_share, people * (1 - treated_share)) <= effect * (1 + 1e-6)
    fewer = people - 1
    assert detectable(base, fewer * treated_share, fewer * (1 - treated_share)) >= effect * (1 - 1e-6)


def test_money_is_a_share_times_what_an_order_leaves():
    assert detectable(0.05 * 30, 900, 100, dispersion=30) == pytest.approx(30 * detectable(0.05, 900, 100))


def test_more_unequal_orders_take_larger_effects():
    assert detectable(1.5, 900, 100, dispersion=60) > detectable(1.5, 900, 100, dispersion=30)


def test_what_not_even_everybody_would_show_is_not_a_number():
    assert np.isnan(detectable(0.9, 3, 3))


def test_a_shift_takes_the_quantiles_of_error_and_power():
    assert minimum_detectable_shift(np.array([4.0]), Z, 0.8) == pytest.approx(2 * (1.959964 + 0.841621))


@pytest.mark.parametrize("arguments", [(0, 0.1), (0.1, 0), (0.6, 0.5), (0.1, -0.05)])
def test_an_effect_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="accepted are 0 < base < base"):
        people_needed(*arguments)


def test_a_share_of_treated_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="share between 0 and 1"):
        people_needed(0.1, 0.1, treated_share=1)
