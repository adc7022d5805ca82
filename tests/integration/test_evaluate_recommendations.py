"""`make evaluate-recommendations` in short: what it compares with, and what it says of missing data."""

import json
import sys
from datetime import date, timedelta

import duckdb
import pytest

from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

import evaluate_recommendations
import recommendation_speed
from evaluate_recommendations import PERSONAL_FREQUENCY, popularity, share, split
from recommendation_models import run_models

CUTOFF = date(2024, 6, 30)


@pytest.fixture
def shop():
    """Two customers: one buys a again and x for the first time, the other only what is new."""
    with duckdb.connect() as con:
        con.execute("create schema shop")
        con.execute(
            """
            create table shop.int_purchase_line as
            select customer_id, product_id, purchased_on, cast(emptied_on as date) as emptied_on
            from (values
                ('c1', 'a', date '2024-06-01', null), ('c1', 'a', date '2024-06-10', null),
                ('c1', 'b', date '2024-06-20', null), ('c1', 'sent_back', date '2024-06-20', '2024-06-25'),
                ('c2', 'b', date '2024-06-30', null),
                ('c1', 'a', date '2024-07-01', null), ('c1', 'x', date '2024-07-30', null),
                ('c1', 'too_late', date '2024-07-31', null), ('c2', 'x', date '2024-07-01', null),
                ('without_history', 'x', date '2024-07-01', null)
            ) as lines (customer_id, product_id, purchased_on, emptied_on)
            """
        )
        yield con


def test_the_share_is_of_those_who_had_bought_before(shop):
    split(shop, "shop", CUTOFF)

    assert shop.execute("from bought order by all").fetchall() == [("c1", "a"), ("c1", "x"), ("c2", "x")]
    assert share(shop, PERSONAL_FREQUENCY) == (1 / 2 + 0) / 2
    assert share(shop, popularity(CUTOFF, new_only=False)) == (1 / 2 + 0) / 2
    assert share(shop, "select 'c2' as customer_id, 'x' as product_id", "bought_new") == (0 + 1) / 2


def test_popular_new_products_are_not_the_customers_own(shop):
    split(shop, "shop", CUTOFF)

    found = shop.execute(f"from ({popularity(CUTOFF, new_only=True)}) order by all").fetchall()

    assert found == [("c2", "a")]


def test_reference_data_that_is_not_there_is_not_evaluated(tmp_path, capsys):
    assert evaluate_recommendations.main(["--data", str(tmp_path), "--section", "held-out"]) == 0

    printed = capsys.readouterr().out
    assert printed.count("not evaluated") == 2
    assert json.loads(printed.splitlines()[-1]) == {"figures": {}, "missed": []}


def test_the_models_give_the_same_rows_twice_and_know_nothing_later():
    with duckdb.connect(config={"threads": 2}) as con:
        recommendation_speed.make_shop(con, 1_000)
        last = recommendation_speed.AS_OF_DATE
        earlier = last - timedelta(days=100)

        def rows(as_of_date: date) -> list[tuple]:
            run_models(con, "shop", as_of_date)
            return con.execute("from shop.recommendation order by all").fetchall()

        first = rows(earlier)
        assert len(first) > 5_000
        assert {row[2] for row in first} == {"repeat", "explore"}
        assert {row[2] for row in rows(last)} == {"repeat", "explore", "reminder"}
        con.execute("delete from shop.int_sales_line where ordered_on > ?", [earlier])
        assert rows(earlier) == first
