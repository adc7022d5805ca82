"""What counts as a difference between two tables."""

import duckdb
import pytest

from pipelines.spark.comparison import TOLERANCE, as_table, compare

REFERENCE = "(values (1, 'a', 0.5::double), (2, 'b', 1e6::double), (3, null, null)) as t (id, class, score)"


@pytest.fixture
def con():
    with duckdb.connect() as con:
        yield con


def differing(con, found):
    return compare(con, "t", f"(select * from {found})", f"(select * from {REFERENCE})")


def test_equal_tables_in_another_order(con):
    same = "(values (3, null, null), (2, 'b', 1e6::double), (1, 'a', 0.5::double)) as t (id, class, score)"

    found = differing(con, same)

    assert (found.rows, found.differing, found.differs) == (3, 0, False)


@pytest.mark.parametrize(
    ("row", "missing", "far"),
    [
        ("(1, 'b', 0.5::double)", 1, 0),
        ("(1, null, 0.5::double)", 1, 0),
        ("(1, 'a', 0.51::double)", 0, 1),
        ("(1, 'a', null)", 0, 1),
        (f"(1, 'a', {0.5 * (1 + 3 * TOLERANCE)}::double)", 0, 1),
        (f"(1, 'a', {0.5 * (1 + TOLERANCE / 3)}::double)", 0, 0),
    ],
)
def test_a_class_must_be_equal_and_a_float_nearly(con, row, missing, far):
    other = f"(values {row}, (2, 'b', 1e6::double), (3, null, null)) as t (id, class, score)"

    found = differing(con, other)

    assert (found.missing, found.added, found.far) == (missing, missing, far)
    assert found.differs == bool(missing or far)


def test_rows_that_are_there_too_often(con):
    found = differing(con, f"(select * from {REFERENCE} union all select * from {REFERENCE})")

    assert (found.missing, found.added) == (0, 3)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ("id, class", "score is missing instead of DOUBLE"),
        ("id, class, score::varchar as score", "score is VARCHAR instead of DOUBLE"),
        ("id::double as id, class, score", "id is DOUBLE instead of INTEGER"),
    ],
)
def test_other_columns_are_a_difference(con, columns, what):
    found = differing(con, f"(select {columns} from {REFERENCE})")

    assert found.differs
    assert what in found.columns


def test_wider_numbers_are_the_same_kind(con):
    found = compare(
        con,
        "t",
        "(select 1::bigint as n, 1::decimal(38,2) as m)",
        "(select 1::integer as n, 1::decimal(18,2) as m)",
    )

    assert not found.differs


def test_the_lines_name_what_differs(con):
    lines = as_table([differing(con, "(values (1, 'x', 0.5::double)) as t (id, class, score)")]).splitlines()

    assert lines[0].split()[:3] == ["table", "rows", "differing"]
    assert lines[1].split()[:3] == ["t", "3", "3"]
    assert "class" in lines[1]
