"""The false discovery rate against the published example and SciPy, family by family."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from pipelines.measurement.families import adjusted_p_values

# Benjamini & Hochberg 1995, section 3.2: at q = .05 the first four are discoveries.
PUBLISHED = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
PUBLISHED += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000]


def adjusted(families, values):
    rows = pl.DataFrame(
        {"family": families, "p_value": values}, schema={"family": pl.String, "p_value": pl.Float64}
    )
    return adjusted_p_values(rows, ["family"]).to_list()


def test_the_published_example_has_four_discoveries():
    found = adjusted(["a"] * 15, PUBLISHED)

    assert [value <= 0.05 for value in found] == [True] * 4 + [False] * 11


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.floats(0, 1)), max_size=40))
def test_each_family_is_adjusted_by_itself(rows):
    found = adjusted([family for family, _ in rows], [value for _, value in rows])

    for family in "abc":
        mine = [number for number, row in enumerate(rows) if row[0] == family and row[1] is not None]
        if mine:
            expected = false_discovery_control([rows[number][1] for number in mine], method="bh")
            assert [found[number] for number in mine] == pytest.approx(list(expected))
    assert [value is None for value in found] == [value is None for _, value in rows]
