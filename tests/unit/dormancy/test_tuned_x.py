"""The best X-days rule against a plain search through every X, on generated purchase days."""

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from statistics import median

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dormancy.tuned_x import POOLED, fit_date, fit_tuned_x

FITTED_ON = date(2024, 6, 30)
MIN_HORIZON, MAX_HORIZON, FALLBACK = 14, 60, 40


def fit(rows, *, min_customers=1):
    """Fits by category; a row is customer, category, days before the fit date, days before when returned."""
    with duckdb.connect() as con:
        con.execute("create schema core")
        con.execute(
            "create table core.int_kept_category_day "
            "(customer_id varchar, category varchar, purchased_on date, emptied_on date)"
        )
        if rows:
            con.executemany(
                "insert into core.int_kept_category_day values (?, ?, ?, ?)",
                [
                    (customer, category, days_ago(age), None if emptied is None else days_ago(emptied))
                    for customer, category, age, emptied in rows
                ],
            )
        fits = fit_tuned_x(
            con,
            FITTED_ON,
            min_category_customers=min_customers,
            min_horizon_days=MIN_HORIZON,
            max_horizon_days=MAX_HORIZON,
            fallback_x_days=FALLBACK,
        )
    assert [each.model_category for each in fits] == sorted({each.model_category for each in fits})
    return {each.model_category: each for each in fits}


def days_ago(age):
    return FITTED_ON - timedelta(days=age)


def search(rows, *, min_customers=1):
    """`(x or None, horizon, customers)` by category, found by trying every X at every cut-off."""
    kept = [
        (customer, category, age)
        for customer, category, age, emptied in rows
        if age >= 0 and (emptied is None or emptied < 0)
    ]
    last = {customer: min(age for other, _, age in kept if other == customer) for customer, _, _ in kept}
    days, recent = defaultdict(set), defaultdict(lambda: defaultdict(set))
    for customer, category, age in kept:
        days[customer].add(age)
        if age - last[customer] < 730:
            recent[customer][category].add(age)
    members = {POOLED: set(days)}
    for customer, by_category in recent.items():
        # Most purchase-days, then the latest, then the name.
        main = min(by_category, key=lambda name: (-len(by_category[name]), min(by_category[name]), name))
        if main != POOLED:
            members.setdefault(main, set()).add(customer)
    found = {}
    for category, customers in members.items():
        if not customers or (category != POOLED and len(customers) < min_customers):
            continue
        gaps = [
            later - sooner
            for customer in customers
            for sooner, later in zip(sorted(days[customer]), sorted(days[customer])[1:], strict=False)
        ]
        gap = median(gaps) if gaps else FALLBACK
        horizon = min(max(ceil(2 * gap), MIN_HORIZON), MAX_HORIZON)
        found[category] = (best_x(customers, days, horizon), horizon, len(customers))
    return found


def best_x(customers, days, horizon):
    silences = []
    for cutoff in (horizon, 2 * horizon, 3 * horizon, 4 * horizon):
        for customer in customers:
            before = [age for age in days[customer] if age >= cutoff]
            if before:
                returned = any(cutoff - horizon <= age < cutoff for age in days[customer])
                silences.append((min(before) - cutoff, returned))
    stayers = [silent for silent, returned in silences if not returned]
    returners = [silent for silent, returned in silences if returned]
    candidates = {silent for silent in stayers + returners if silent > 0}
    if not (stayers and returners and candidates):
        return None

    def youden_j(x):
        flagged = sum(silent >= x for silent in stayers), sum(silent >= x for silent in returners)
        return Fraction(flagged[0], len(stayers)) - Fraction(flagged[1], len(returners))

    return min(candidates, key=lambda x: (-youden_j(x), x))


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", "c3", "c4", "c5", "c6", "c7"]),
        st.sampled_from(["tea", "books", "wine"]),
        st.integers(-5, 300),
        st.none(),
    ),
    max_size=60,
    unique_by=lambda row: row[:3],
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, min_customers=st.integers(1, 4))
def test_no_other_x_is_better_and_of_equals_the_smallest_is_taken(rows, min_customers):
    fits, found = fit(rows, min_customers=min_customers), search(rows, min_customers=min_customers)

    for category, (x, horizon, customers) in found.items():
        if x is None and category != POOLED:
            assert category not in fits, "a category that cannot decide is left to the pooled rule"
            continue
        assert fits[category].converged == (x is not None)
        assert fits[category].tuned_x_days == (FALLBACK if x is None else x)
        assert (fits[category].horizon_days, fits[category].customers) == (horizon, customers)
    assert set(fits) - {POOLED} <= set(found)


def sleepers_and_regulars(category, *, gap, sleep_after, count=4, prefix=""):
    """Half of the customers buy every `gap` days until today, half stopped `sleep_after` days ago."""
    regulars = [
        (f"{prefix}r{n}", category, age, None) for n in range(count) for age in range(n % gap, 300, gap)
    ]
    sleepers = [
        (f"{prefix}s{n}", category, age, None)
        for n in range(count)
        for age in range(sleep_after + n, 300, gap)
    ]
    return regulars + sleepers


def test_x_lies_just_above_the_silence_of_the_regular():
    """Those who buy every ten days are silent for nine days at most; who is silent longer has stopped."""
    fits = fit(sleepers_and_regulars("tea", gap=10, sleep_after=45))

    assert fits["tea"].converged
    assert fits["tea"].median_gap_days == 10
    assert fits["tea"].horizon_days == 20
    assert 1 <= fits["tea"].tuned_x_days <= 25


def test_a_category_has_the_rule_of_its_own_customers():
    slow = sleepers_and_regulars("books", gap=30, sleep_after=120, prefix="b")
    fits = fit(slow + sleepers_and_regulars("tea", gap=6, sleep_after=40, prefix="t"))

    assert set(fits) == {"all", "books", "tea"}
    assert fits["books"].median_gap_days > fits["tea"].median_gap_days
    assert fits["books"].horizon_days > fits["tea"].horizon_days
    assert fits["all"].customers == fits["books"].customers + fits["tea"].customers


def test_a_category_with_too_few_customers_is_pooled():
    few = sleepers_and_regulars("books", gap=30, sleep_after=120, count=2, prefix="b")
    many = sleepers_and_regulars("tea", gap=6, sleep_after=40, count=3, prefix="t")

    assert set(fit(few + many, min_customers=5)) == {"all", "tea"}
    assert set(fit(few + many, min_customers=4)) == {"all", "books", "tea"}


def test_what_happens_after_the_fit_date_is_not_known():
    rows = sleepers_and_regulars("tea", gap=10, sleep_after=45)
    later = [(f"s{n}", "books", -1 - n, None) for n in range(4)]

    assert fit(rows + later) == fit(rows)


def test_a_day_whose_units_all_came_back_is_none_from_the_day_of_the_return():
    rows = sleepers_and_regulars("tea", gap=10, sleep_after=45)
    returned = [("s1", "tea", 33, 5)]

    assert fit(rows + returned) == fit(rows)
    returned_later = [("s1", "tea", 33, -1)]
    assert fit(rows + returned_later) == fit([*rows, ("s1", "tea", 33, None)])


def test_a_customer_of_two_categories_counts_where_most_days_are():
    rows = [("c1", "tea", 10, None), ("c1", "tea", 20, None), ("c1", "books", 1, None)]
    others = sleepers_and_regulars("books", gap=10, sleep_after=45)

    fits = fit(rows + others)

    assert fits["books"].customers == 8
    assert fits["all"].customers == 9


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="nobody"),
        pytest.param([("c1", "tea", 100, None)], id="one customer, one day"),
        pytest.param([(f"c{n}", "tea", 7 * n, None) for n in range(40)], id="all bought once"),
        pytest.param([(f"c{n}", "tea", 50, None) for n in range(40)], id="all on one day"),
        pytest.param([("c1", "tea", 0, None)], id="on the fit date"),
        pytest.param([("c1", "tea", -1, None)], id="after the fit date"),
        pytest.param([("c1", "tea", 50, 20)], id="returned"),
        pytest.param([("c1", POOLED, 50, None)], id="a category named like the pool"),
    ],
)
def test_where_the_past_cannot_decide_the_pooled_rule_says_so_with_finite_values(rows):
    fits = fit(rows)

    assert list(fits) == [POOLED]
    rule = fits[POOLED]
    assert not rule.converged
    assert rule.tuned_x_days == FALLBACK
    assert rule.median_gap_days == FALLBACK
    assert MIN_HORIZON <= rule.horizon_days <= MAX_HORIZON


def test_the_version_follows_the_result_and_nothing_else():
    rows = sleepers_and_regulars("tea", gap=10, sleep_after=45)
    versions = {each.model_version for each in fit(rows).values()}
    others = {
        each.model_version for each in fit(sleepers_and_regulars("tea", gap=12, sleep_after=45)).values()
    }

    assert versions == {each.model_version for each in fit(rows[::-1]).values()}
    assert len(versions) == len(others) == 1
    assert versions != others


@given(day=st.dates(date(1970, 1, 5), date(2100, 1, 1)))
def test_a_fit_serves_the_week_from_its_sunday(day):
    sunday = fit_date(day)

    assert sunday.isoweekday() == 7
    assert 0 <= (day - sunday).days <= 6
    assert fit_date(sunday) == sunday
    assert fit_date(sunday - timedelta(days=1)) == sunday - timedelta(days=7)
