"""The sample-ratio test against SciPy's tests of one campaign."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from pipelines.measurement.cells import ARMS
from pipelines.measurement.split import sample_ratio_p_values


def arms(*campaigns):
    return pl.DataFrame(
        [
            {
                "campaign_id": f"campaign_{number}",
                "arm": f"arm_{arm}",
                "is_control": arm == 0,
                "units": units,
                "planned_share": share,
            }
            for number, campaign in enumerate(campaigns)
            for arm, (units, share) in enumerate(campaign)
        ],
        schema=ARMS,
    )


def p_values(*campaigns):
    return sample_ratio_p_values(arms(*campaigns))["srm_p_value"].to_list()


@given(st.lists(st.tuples(st.integers(900, 1_100), st.integers(1, 3)), min_size=2, max_size=4))
def test_large_campaigns_are_tested_by_chi_square(campaign):
    units, shares = zip(*campaign, strict=True)
    expected = [sum(units) * share / sum(shares) for share in shares]

    assert p_values(campaign) == [pytest.approx(chisquare(units, expected).pvalue, abs=1e-12)]


@given(st.integers(0, 60), st.integers(0, 60))
def test_small_ones_by_the_exact_test(treated, holdout):
    found = p_values([(treated, 0.9), (holdout, 0.1)])

    if treated + holdout == 0:
        assert found == [None]
        return
    tails = [
        binomtest(holdout, treated + holdout, 0.1, alternative=side).pvalue for side in ("less", "greater")
    ]
    assert found == [pytest.approx(min(1, 2 * min(tails)))]


def test_small_ones_of_three_arms_by_the_worst_arm_times_three():
    worst = 2 * binomtest(1, 60, 0.25, alternative="less").pvalue

    assert p_values([(1, 0.25), (28, 0.375), (31, 0.375)]) == [pytest.approx(3 * worst)]


def test_campaigns_are_tested_apart():
    assert p_values([(500, 0.5), (500, 0.5)], [(600, 0.5), (400, 0.5)]) == [
        1.0,
        pytest.approx(2.5e-10, rel=0.02),
    ]


@pytest.mark.parametrize(
    "campaign",
    [
        [(500, None), (500, None)],
        [(500, 0.5), (500, None)],
        [(500, 1.0)],
        [(0, 0.5), (0, 0.5)],
        [(500, 0.0), (500, 0.0)],
        [(500, 1.0), (0, 0.0)],
    ],
)
def test_what_has_no_plan_is_not_tested(campaign):
    assert p_values(campaign) == [None]


def test_units_in_an_arm_that_should_have_none_are_no_chance():
    assert p_values([(990, 1.0), (10, 0.0)]) == [0.0]
