"""What the tests of dbt say as checks, and that the rows they show hold nothing personal."""

import duckdb
import pytest

from pipelines.checks.dbt_tests import EXAMPLES, failing_rows, guards, remedy


def generic(name, **arguments):
    return {
        "name": name,
        "test_metadata": {"name": name, "kwargs": arguments},
        "attached_node": "model.winback.customer",
    }


SINGULAR = {
    "name": "assert_sum",
    "test_metadata": None,
    "config": {"meta": {"remedy": "Look at the sums."}},
    "raw_code": (
        '{{ config(meta={\n  "remedy": "Look at the sums.",\n}) }}\n\n'
        "-- Parts are\n-- the whole.\nselect 1\n-- no"
    ),
}


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (generic("unique_key", columns=["a", "b"]), "No two rows have the same a, b."),
        (generic("not_null", column_name="a"), "a is never empty."),
        (generic("accepted_values", column_name="a", values=[1, "x"]), "a is one of 1, x."),
        (
            generic("relationships", column_name="a", to="ref('customer')", field="b"),
            "Every a is in customer.",
        ),
        (SINGULAR, "Parts are the whole."),
    ],
)
def test_a_test_says_what_it_guards(test, said):
    assert guards(test) == said


def test_a_remedy_of_its_own_comes_first():
    assert remedy(SINGULAR) == "Look at the sums."
    assert "lacks" in remedy(generic("relationships", column_name="a", to="ref('customer')", field="b"))
    seed = generic("unique", column_name="a") | {"attached_node": "seed.winback.offer"}
    assert "the policy table" in remedy(seed)


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute(
            "create table people as select 'c' || i as customer_id, 'p' || i || '@example.org' as email, "
            "date '2024-01-01' as day from range(30) as r(i)"
        )
        yield connection


def test_rows_show_open_columns_alone(con):
    rows = failing_rows(con, "select * from people;", SINGULAR, {"customer_id", "day"})

    assert len(rows) == EXAMPLES
    assert {name for row in rows for name in row} == {"customer_id", "day"}
    assert rows[0]["day"] == "2024-01-01"


@pytest.mark.parametrize(
    ("column", "shown"), [("customer_id", {"unique_field", "n_records"}), ("email", {"n_records"})]
)
def test_the_tested_column_is_shown_if_it_is_open(con, column, shown):
    query = f"select {column} as unique_field, count(*) as n_records from people group by all"

    rows = failing_rows(con, query, generic("unique", column_name=column), {"customer_id"})

    assert {name for row in rows for name in row} == shown
    assert "@" not in str(rows)
