"""Always-valid tests against the mixture that defines them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from pipelines.measurement.always_valid import boundary, p_value


@settings(deadline=None, max_examples=20)
@given(st.floats(-4, 4), st.floats(0.2, 3), st.floats(0.2, 3))
def test_the_p_value_is_one_over_the_mixed_likelihood_ratio(statistic, std_error, scale):
    lift = statistic * std_error

    def weighed(effect):
        ratio = np.exp(lift * effect / std_error**2 - effect**2 / (2 * std_error**2))
        return ratio * norm.pdf(effect, scale=scale)

    mixed = quad(weighed, -12 * scale, 12 * scale, points=[0, lift], limit=200)[0]

    found = p_value(np.array(statistic), np.array(std_error**2), np.array(scale))
    assert found == pytest.approx(min(1, 1 / mixed), rel=1e-6)


@given(st.floats(1e-6, 1e3), st.floats(1e-3, 1e2), st.sampled_from([0.2, 0.05, 0.001]))
def test_the_p_value_is_alpha_at_the_boundary(variance, scale, alpha):
    arrays = np.array([variance]), np.array([scale])

    limit = boundary(*arrays, alpha)

    assert p_value(limit, *arrays) == pytest.approx(alpha)
    assert limit > norm.isf(alpha / 2)


def test_nothing_seen_is_no_evidence():
    assert p_value(np.zeros(1), np.ones(1), np.ones(1)) == 1


def test_a_stream_of_noise_rarely_crosses_the_boundary_however_often_one_looks():
    """5 % of 2,000 streams may; 4 standard errors more would be 7 %."""
    rng = np.random.default_rng(5)
    people = np.arange(1, 501) * 20.0
    means = np.cumsum(rng.normal(scale=np.sqrt(20), size=(2_000, 500)), axis=1) / people

    found = p_value(np.abs(means) * np.sqrt(people), 1 / people, np.array(0.1))

    assert np.mean((found <= 0.05).any(axis=1)) < 0.07
    assert np.mean((np.abs(means) * np.sqrt(people) > norm.isf(0.025)).any(axis=1)) > 0.3
