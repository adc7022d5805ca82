"""What is read of each customer, against plain Python."""

import math
from collections import defaultdict
from dataclasses import fields
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from purchase_histories import BOUNDS, days_ago, open_shop

from pipelines.dormancy.histories import Histories, read_histories
from pipelines.dormancy.tuned_x import POOLED


def read(rows, cutoff, known_until=None, **named):
    with open_shop(rows) as con:
        return read_histories(
            con, days_ago(cutoff), days_ago(cutoff if known_until is None else known_until), BOUNDS, **named
        )


def by_hand(rows, cutoff, known_until):
    """One dictionary per customer, in the order of their values: the ids are not among what is read."""
    kept = [
        (customer, category, age)
        for customer, category, age, emptied in rows
        if age >= cutoff and (emptied is None or emptied < cutoff)
    ]
    days, in_category = defaultdict(set), defaultdict(lambda: defaultdict(set))
    for customer, category, age in kept:
        days[customer].add(age)
        in_category[customer][category].add(age)
    later = defaultdict(set)
    for customer, _, age, emptied in rows:
        if known_until <= age < cutoff and (emptied is None or emptied < known_until):
            later[customer].add(age)
    category_of, gaps_of = {}, {}
    for customer, ages in days.items():
        recent = {
            name: {age for age in found if age < min(ages) + 730}
            for name, found in in_category[customer].items()
        }
        recent = {name: found for name, found in recent.items() if found}
        category_of[customer] = min(
            recent, key=lambda name, recent=recent: (-len(recent[name]), min(recent[name]), name)
        )
        oldest_first = sorted(ages, reverse=True)
        gaps_of[customer] = [a - b for a, b in pairwise(oldest_first)]
    all_gaps = [gap for gaps in gaps_of.values() for gap in gaps]
    found = []
    for customer, ages in days.items():
        category = category_of[customer]
        same = [each for each in days if category_of[each] == category]
        gaps = [gap for each in same for gap in gaps_of[each]] or all_gaps
        usual_gap = median(gaps) if gaps else BOUNDS.default_gap_days
        age_at_last, repeats = max(ages) - min(ages), len(ages) - 1
        own_horizon = math.ceil(2 * (2 * usual_gap + age_at_last) / (2 + repeats))
        found.append(
            {
                "category": category,
                "category_customers": float(len(same)),
                "is_pooled": True,
                "repeats": float(repeats),
                "age_at_last": float(age_at_last),
                "age": float(max(ages) - cutoff),
                "sum_log_gaps": sum(math.log(gap) for gap in gaps_of[customer]),
                "own_horizon_days": float(
                    min(max(own_horizon, BOUNDS.min_horizon_days), BOUNDS.max_horizon_days)
                ),
                "next_after_days": float(cutoff - max(later[customer])) if later[customer] else math.inf,
            }
        )
    return sorted(found, key=in_order)


def in_order(row):
    return tuple(round(value, 9) if isinstance(value, float) else value for value in row.values())


def as_rows(found):
    names = [field.name for field in fields(Histories)]
    columns = [getattr(found, name).tolist() for name in names]
    return sorted((dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)), key=in_order)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", "c3", "c4", "c5"]),
        st.sampled_from(["tea", "books", POOLED]),
        st.one_of(st.integers(0, 120), st.integers(0, 2000)),
        st.one_of(st.none(), st.integers(0, 60)),
    ).map(lambda row: (*row[:3], None if row[3] is None or row[3] > row[2] else row[3])),
    max_size=40,
    unique_by=lambda row: row[:3],
)


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, cutoff=st.integers(0, 100), window=st.integers(0, 60))
@example(rows=[("c1", "tea", 50, None), ("c1", "books", 50, None)], cutoff=10, window=10)
@example(rows=[("c1", "tea", 50, 20), ("c1", "tea", 30, None)], cutoff=25, window=25)
def test_histories_are_those_counted_by_hand(rows, cutoff, window):
    known_until = max(cutoff - window, 0)
    expected, found = by_hand(rows, cutoff, known_until), as_rows(read(rows, cutoff, known_until))

    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == {
            name: pytest.approx(value) if isinstance(value, float) else value for name, value in other.items()
        }


def test_nobody_gives_empty_arrays():
    found = read([], 0)

    assert len(found) == 0
    assert len(found.of(POOLED)) == 0
    assert found.silent_days.shape == (0,)


def test_a_day_that_is_returned_later_still_counts_until_then():
    rows = [("c1", "tea", 90, None), ("c1", "tea", 40, 20)]

    assert read(rows, 30).repeats.tolist() == [1.0]
    assert read(rows, 10).repeats.tolist() == [0.0]


def test_a_purchase_that_came_back_within_the_window_is_no_return_to_the_shop():
    rows = [("c1", "tea", 90, None), ("c1", "tea", 40, 20)]

    assert read(rows, 50, 30).next_after_days.tolist() == [10.0]
    assert read(rows, 50, 10).next_after_days.tolist() == [math.inf]


def test_the_sample_is_the_same_every_time_and_does_not_depend_on_other_categories():
    tea = [(f"t{n}", "tea", 10 + n, None) for n in range(60)]
    books = [(f"b{n}", "books", 10 + n, None) for n in range(40)]
    found, alone = read(tea + books, 0, sample=20), read(tea, 0, sample=20)

    assert len(found.of("tea")) == len(found.of("books")) == len(found.of(POOLED)) == 20
    assert set(found.category_customers[found.category == "tea"]) == {60.0}
    assert sorted(found.of("tea").age) == sorted(alone.of("tea").age)
    assert read((tea + books)[::-1], 0, sample=20).age.tolist() == found.age.tolist()


def test_silence_and_selection():
    found = read([("c1", "tea", 50, None), ("c1", "tea", 20, None), ("c2", "books", 40, None)], 5)

    assert sorted(found.silent_days) == [15.0, 35.0]
    assert found.of("tea").age_at_last.tolist() == [30.0]
    assert found.where(np.zeros(2, dtype=bool)).category.tolist() == []
