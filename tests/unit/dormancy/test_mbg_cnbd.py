"""The model against other forms of itself: the textbook's, an integral, differences, and simulated lives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from purchase_histories import histories, histories_of, purchases_of_model
from scipy.integrate import dblquad
from scipy.optimize import approx_fprime
from scipy.special import beta as beta_function
from scipy.special import gamma as gamma_function

from pipelines.dormancy.fitting import NotFittedError
from pipelines.dormancy.mbg_cnbd import MIN_REPEATERS, MbgCnbd, _objective, fit_mbg_cnbd

CUSTOMERS = [(0, 0, 30), (0, 0, 0), (1, 20, 60), (3, 90, 95), (6, 200, 330), (9, 150, 150)]
"""(x, t_x, T), on which the textbook's gamma functions and powers stay finite."""


def model(k, r=0.8, alpha=25.0, a=0.7, b=2.4):
    return MbgCnbd(k, r, alpha, a, b, log_likelihood=-1.0)


def arrays(*values):
    return tuple(np.array([float(value)]) for value in values)


def textbook_joint(m, x, t_x, alive_until):
    """P(this history and still a customer with no purchase until the age), up to the same constant for all.

    Reutterer, Platzer & Schröder 2021: the customer stayed x + 1 times, B(a, b + x + 1) / B(a, b); no
    purchase since the last one happens with fewer than k Erlang stages, each term by the gamma function.
    """
    total = 0.0
    for j in range(m.k):
        total += (
            (alive_until - t_x) ** j
            / math.factorial(j)
            * gamma_function(m.r + m.k * x + j)
            / (m.alpha + alive_until) ** (m.r + m.k * x + j)
        )
    return beta_function(m.a, m.b + x + 1) / beta_function(m.a, m.b) * total


def textbook_left(m, x, t_x):
    """The same for a customer who left at the last purchase."""
    return (
        beta_function(m.a + 1, m.b + x)
        / beta_function(m.a, m.b)
        * gamma_function(m.r + m.k * x)
        / (m.alpha + t_x) ** (m.r + m.k * x)
    )


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize(("x", "t_x", "age"), CUSTOMERS)
def test_probabilities_are_those_of_the_textbook_form(k, x, t_x, age):
    m = model(k)
    alive, left = textbook_joint(m, x, t_x, age), textbook_left(m, x, t_x)

    assert m.p_alive(*arrays(x, t_x, age))[0] == pytest.approx(alive / (alive + left), rel=1e-9)
    for horizon in (1, 60, 400):
        silent = textbook_joint(m, x, t_x, age + horizon)
        expected = (alive - silent) / (alive + left)
        assert m.p_active(*arrays(x, t_x, age), horizon)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("x", "t_x", "age"), [(0, 0, 30), (2, 40, 75)])
def test_probabilities_are_those_of_the_integral_over_rates_and_drop_out(k, x, t_x, age):
    """Without any formula of the mixture: the likelihood of one customer, integrated numerically.

    Over u = λ(α + T) and p, each with its density; constants that all share are left out.
    """
    m, horizon = model(k, r=1.5, alpha=20.0, a=1.4, b=2.5), 45

    def mass(of_customer):
        def integrand(p, u):
            rate = u / (m.alpha + age)
            return (
                rate ** (m.r - 1)
                * math.exp(-m.alpha * rate)
                * p ** (m.a - 1)
                * (1 - p) ** (m.b - 1)
                * rate ** (k * x)
                * of_customer(rate, p)
            )

        return dblquad(integrand, 0, 80, 0, 1, epsabs=0, epsrel=1e-10)[0]

    def silent(rate, until):
        """No purchase from the last one until the age: fewer than k stages."""
        return math.exp(-rate * until) * sum(
            (rate * (until - t_x)) ** j / math.factorial(j) for j in range(k)
        )

    left = mass(lambda rate, p: math.exp(-rate * t_x) * (1 - p) ** x * p)
    alive = mass(lambda rate, p: (1 - p) ** (x + 1) * silent(rate, age))
    stays_silent = mass(lambda rate, p: (1 - p) ** (x + 1) * silent(rate, age + horizon))

    assert m.p_alive(*arrays(x, t_x, age))[0] == pytest.approx(alive / (alive + left), rel=1e-7)
    expected = (alive - stays_silent) / (alive + left)
    assert m.p_active(*arrays(x, t_x, age), horizon)[0] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_likelihood_is_that_of_the_textbook_form(k):
    x, t_x, age = (np.array(values, dtype=float) for values in zip(*CUSTOMERS, strict=True))
    m, sum_log_gaps = model(k), 3.0 * x
    expected = [
        math.log(textbook_joint(m, *each) + textbook_left(m, *each[:2]))
        + m.r * math.log(m.alpha)
        - math.lgamma(m.r)
        + (k - 1) * logs
        - each[0] * math.lgamma(k)
        for each, logs in zip(CUSTOMERS, sum_log_gaps, strict=True)
    ]

    objective = _objective(histories(x, t_x, age, sum_log_gaps), k)
    value, _ = objective(np.log([m.r, m.alpha, m.a, m.b]))

    assert -value == pytest.approx(np.mean(expected), rel=1e-10)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("values", [(0.8, 25.0, 0.7, 2.4), (3.0, 4.0, 5.0, 0.2), (0.1, 300.0, 0.01, 40.0)])
def test_gradient_is_that_of_finite_differences(k, values):
    x, t_x, age = (np.array(each, dtype=float) for each in zip(*CUSTOMERS, strict=True))
    objective = _objective(histories(x, t_x, age, 2.0 * x), k)
    at = np.log(values)

    _, gradient = objective(at)
    differences = approx_fprime(at, lambda point: objective(point)[0], 1e-7)

    assert gradient == pytest.approx(differences, abs=2e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_twenty_years_of_any_history_give_finite_probabilities(k):
    x, t_x, age = (
        grid.ravel().astype(float)
        for grid in np.meshgrid([0, 1, 50, 2000, 7300], [0, 1, 365, 7300], [0, 1, 90, 7300])
    )
    possible = (t_x <= age) & ((x == 0) == (t_x == 0))
    for m in (
        model(k),
        model(k, r=40.0, alpha=0.01, a=1e-5, b=1e5),
        model(k, r=1e-3, alpha=1e4, a=50, b=0.01),
    ):
        p_alive = m.p_alive(x[possible], t_x[possible], age[possible])
        p_active = m.p_active(x[possible], t_x[possible], age[possible], 90.0)

        assert np.isfinite(p_alive).all()
        assert ((p_active >= 0) & (p_active <= p_alive) & (p_alive <= 1)).all()
        assert (m.expected_gap_days(x[possible], t_x[possible]) > 0).all()


HISTORY = st.tuples(st.integers(0, 3000), st.floats(0, 7300), st.floats(0, 7300))
PARAMETER = st.floats(1e-4, 1e4)


@settings(max_examples=200, deadline=None)
@given(
    k=st.integers(1, 4),
    parameters=st.tuples(PARAMETER, PARAMETER, PARAMETER, PARAMETER),
    history=HISTORY,
    horizon=st.floats(1, 720),
)
def test_p_active_is_a_probability_no_higher_than_p_alive(k, parameters, history, horizon):
    repeats, age_at_last, silent = history
    m = MbgCnbd(k, *parameters, log_likelihood=-1.0)
    known = arrays(repeats, age_at_last if repeats else 0, (age_at_last if repeats else 0) + silent)

    p_alive, p_active = m.p_alive(*known)[0], m.p_active(*known, horizon)[0]

    assert 0 <= p_active <= p_alive <= 1
    assert m.p_active(*known, horizon + 30)[0] >= p_active


@pytest.mark.parametrize("x", [0, 1, 5, 30])
def test_with_irregular_gaps_a_longer_silence_never_raises_the_probability(x):
    silent = np.arange(0.0, 3000.0)
    last = 100.0 if x else 0.0
    p_active = model(1).p_active(np.full_like(silent, x), np.full_like(silent, last), last + silent, 60.0)

    assert (np.diff(p_active) < 0).all()


def test_with_regular_gaps_the_probability_first_rises():
    """The DESIGN's reason to take the last day on which it falls below the threshold."""
    silent = np.arange(0.0, 400.0)
    p_active = model(3, r=20.0, alpha=600.0).p_active(
        np.full_like(silent, 6.0), np.full_like(silent, 540.0), 540.0 + silent, 30.0
    )
    assert p_active.argmax() > 20
    assert p_active[-1] < 0.1


@pytest.mark.parametrize("k", [1, 2, 3])
def test_simulated_customers_give_their_parameters_back(k):
    truth = {"r": 2.0, "alpha": 40.0 * k, "a": 1.0, "b": 4.0}
    known = histories_of(purchases_of_model(6000, seed=k, k=k, **truth))

    fits = {each: fit_mbg_cnbd(known, each) for each in (1, 2, 3)}

    assert max(fits, key=lambda each: fits[each].log_likelihood) == k
    found = fits[k]
    # a and b alone are weakly identified; the mean drop-out is not.
    assert found.a / (found.a + found.b) == pytest.approx(0.2, abs=0.03)
    assert found.alpha / found.r == pytest.approx(truth["alpha"] / truth["r"], rel=0.12)
    truly = MbgCnbd(k, **truth, log_likelihood=-1.0)
    at = (known.repeats, known.age_at_last, known.age, 60.0)
    assert np.abs(found.p_active(*at) - truly.p_active(*at)).mean() < 0.02


def test_a_fit_near_another_is_the_same_and_a_start_that_leads_nowhere_is_replaced():
    known = histories_of(purchases_of_model(1500, seed=5))
    cold = fit_mbg_cnbd(known, 1)
    far = MbgCnbd(1, r=1e-5, alpha=1e5, a=1e5, b=1e-5, log_likelihood=-1.0)

    for near in (cold, far):
        found = fit_mbg_cnbd(known, 1, near)
        assert found.log_likelihood == pytest.approx(cold.log_likelihood, rel=1e-6)
        assert (found.r, found.alpha) == pytest.approx((cold.r, cold.alpha), rel=1e-2)


def test_too_few_who_bought_twice_are_told():
    known = histories([1] * (MIN_REPEATERS - 1) + [0] * 500, [10] * (MIN_REPEATERS - 1) + [0] * 500, 60)

    with pytest.raises(NotFittedError, match="29 customers bought on a second day; 30 are needed"):
        fit_mbg_cnbd(known, 1)
