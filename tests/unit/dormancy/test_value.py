"""Bühlmann's estimate against the plain formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from purchase_histories import TODAY, open_shop

from pipelines.dormancy.tuned_x import POOLED
from pipelines.dormancy.value import MAX_WEIGHT, ValuePrior, fit_value_priors


def priors(margins, *, min_customers=1, extra_rows=(), extra_revenue=()):
    """Priors of customers whose days' margins are given, by category and customer; the last day is newest."""
    rows, revenue = list(extra_rows), list(extra_revenue)
    for category, customers in margins.items():
        for number, of_days in enumerate(customers):
            for age, margin in enumerate(of_days):
                rows.append((f"{category}{number}", category, age + 1))
                revenue.append((f"{category}{number}", age + 1, margin))
    with open_shop(rows, revenue) as con:
        return fit_value_priors(con, TODAY, min_customers=min_customers)


def by_hand(customers):
    """Bühlmann & Straub: variance within, variance between, and their ratio."""
    days = np.array([len(of_days) for of_days in customers], dtype=float)
    means = np.array([np.mean(of_days) for of_days in customers])
    mean = float(np.average(means, weights=days))
    if days.sum() == len(customers):
        return ValuePrior(mean, 1.0)
    within = sum(((np.array(each) - np.mean(each)) ** 2).sum() for each in customers) / (
        days.sum() - len(customers)
    )
    spread = days.sum() - (days**2).sum() / days.sum()
    if not spread:
        return ValuePrior(mean, MAX_WEIGHT)
    between = ((days * (means - mean) ** 2).sum() - (len(customers) - 1) * within) / spread
    return ValuePrior(mean, MAX_WEIGHT if between <= 1e-9 else min(within / between, MAX_WEIGHT))


MARGINS = st.lists(st.lists(st.integers(-50, 200).map(float), min_size=1, max_size=5), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(tea=MARGINS, books=MARGINS)
def test_priors_are_those_of_the_formula(tea, books):
    found = priors({"tea": tea, "books": books})

    assert set(found) == {"tea", "books", POOLED}
    for category, customers in (("tea", tea), ("books", books), (POOLED, tea + books)):
        expected = by_hand(customers)
        assert found[category].mean == pytest.approx(expected.mean, abs=1e-9)
        # Where customers differ by no more than chance, rounding decides between a huge weight and the most.
        if expected.weight < 0.9 * MAX_WEIGHT:
            assert found[category].weight == pytest.approx(expected.weight, rel=1e-4, abs=1e-9)
        else:
            assert found[category].weight > 0.5 * MAX_WEIGHT


def test_generated_customers_give_the_ratio_of_the_variances():
    random = np.random.default_rng(4)
    own_means = random.normal(30, 6, 400)
    found = priors({"tea": [random.normal(mean, 12, 6).round(2).tolist() for mean in own_means]})["tea"]

    assert found.mean == pytest.approx(30, abs=1)
    assert found.weight == pytest.approx(12**2 / 6**2, rel=0.25)


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        pytest.param({}, ValuePrior(0.0, MAX_WEIGHT), id="nobody"),
        pytest.param({"tea": [[7.0]]}, ValuePrior(7.0, 1.0), id="one customer, one day"),
        pytest.param({"tea": [[7.0, 9.0]]}, ValuePrior(8.0, MAX_WEIGHT), id="one customer"),
        pytest.param({"tea": [[5.0], [9.0]]}, ValuePrior(7.0, 1.0), id="nobody bought twice"),
        pytest.param({"tea": [[5.0, 5.0]] * 3}, ValuePrior(5.0, MAX_WEIGHT), id="all alike"),
        pytest.param({"tea": [[-5.0, -5.0], [-9.0, -9.0]]}, ValuePrior(-7.0, 0.0), id="losses"),
    ],
)
def test_degenerate_shops_have_finite_priors(margins, expected):
    found = priors(margins)[POOLED]

    assert (found.mean, found.weight) == pytest.approx((expected.mean, expected.weight), abs=1e-9)


def test_a_small_category_has_no_prior_of_its_own():
    assert set(priors({"tea": [[1.0]] * 5, "books": [[2.0]] * 2}, min_customers=3)) == {"tea", POOLED}


def test_what_happened_after_the_fit_date_and_what_came_back_does_not_matter():
    margins = {"tea": [[5.0, 6.0], [9.0, 12.0]]}
    later = {
        "extra_rows": [("tea0", "tea", -3), ("tea1", "tea", 30, 10), ("x", "tea", -1)],
        "extra_revenue": [("tea0", -3, 999.0), ("tea1", 30, 500.0), ("x", -1, 1.0)],
    }

    assert priors(margins, **later) == priors(margins)


def test_a_day_without_revenue_was_worth_nothing():
    assert priors({}, extra_rows=[("c", "tea", 3)])[POOLED].mean == 0.0
