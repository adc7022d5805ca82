"""Dormancy of shops that no model was made for: few customers, equal ones, old ones. Fit and models run."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from in_dbt import dbt

from pipelines import control
from pipelines.dormancy.fits import FitRules, fit_dormancy
from pipelines.dormancy.histories import Bounds
from pipelines.dormancy.store import KINDS, FitStore
from pipelines.dormancy.tuned_x import fit_date
from pipelines.resources.warehouse import Warehouse

pytestmark = pytest.mark.xdist_group("story")

AS_OF = date(2024, 6, 30)
RULES = FitRules(min_category_customers=30, bounds=Bounds(14, 180, 90))
MODELS = ("int_as_of_date", "int_buyer", "int_category_season", "int_own_x", "int_customer_dormancy")


@dataclass(frozen=True)
class Purchase:
    """A purchase-day of one category, so many days before the as-of date."""

    customer: str
    days_ago: int
    category: str = "tea"
    margin: float = 10.0


def every(
    gap: int, customers: int, *, stop_after: int = 0, first: int = 400, name: str = "c"
) -> list[Purchase]:
    return [
        Purchase(f"{name}{number}", days_ago)
        for number in range(customers)
        for days_ago in range(stop_after + number % gap, first, gap)
    ]


SHOPS: dict[str, list[Purchase]] = {
    "one customer": [Purchase("c1", 10)],
    "one customer who bought today": [Purchase("c1", 0)],
    "one-time buyers only": [Purchase(f"c{number}", number % 300) for number in range(500)],
    "all on one day": [Purchase(f"c{number}", 50) for number in range(500)],
    "clockwork": every(10, 200),
    "a category of three": every(20, 100)
    + [Purchase(f"rare{number}", days, "harps") for number in range(3) for days in (300, 200, 100)],
    "negative margins": [
        Purchase(each.customer, each.days_ago, margin=-5.0) for each in every(20, 100, stop_after=30)
    ],
    "purchases after the date": every(20, 100) + [Purchase(f"c{number}", -5) for number in range(100)],
    "a first purchase after the date": [Purchase("c1", 10), Purchase("later", -1)],
    "twenty years": [*every(90, 100, first=7300), Purchase("once", 7300), Purchase("gone", 7000, margin=0.0)],
    "every day for years": [Purchase("daily", days) for days in range(2_000)] + every(30, 60),
}


CHECKS: dict[str, Callable[[pl.DataFrame], bool]] = {
    # Too little to judge a model: the rule with the profile's fallback.
    "one customer": lambda rows: rows["method"].to_list() == ["tuned_x"],
    "one-time buyers only": lambda rows: set(rows["method"]) == {"tuned_x"},
    "a category of three": lambda rows: set(rows["model_category"]) <= {"all", "tea"},
    "twenty years": lambda rows: (
        set(rows.filter(pl.col("customer_id") == "once")["dormancy_state"]) == {"lost"}
    ),
}


def play(warehouse: Warehouse, tmp_path: Path, purchases: list[Purchase]) -> pl.DataFrame:
    """Dormancy on `AS_OF` of a shop with these purchases and nothing else."""
    rows = pl.DataFrame(
        {
            "customer_id": [each.customer for each in purchases],
            "category": [each.category for each in purchases],
            "purchased_on": [AS_OF - timedelta(days=each.days_ago) for each in purchases],
            "margin": [each.margin for each in purchases],
        }
    )
    store = FitStore(tmp_path / "lake")
    with warehouse.connect() as con:
        con.register("purchase", rows)
        for table, query in {
            "int_kept_category_day": (
                "select distinct customer_id, category, purchased_on, null::date as emptied_on"
            ),
            "int_kept_day": "select distinct customer_id, purchased_on, null::date as emptied_on",
            "int_revenue_day": (
                "select customer_id, purchased_on as booked_on, sum(margin)::decimal(18, 2) as net_amount, "
                "sum(margin)::decimal(18, 2) as margin_amount"
            ),
            "customer": ("select customer_id, 'buyer' as customer_kind, min(purchased_on) as first_seen_on"),
        }.items():
            grouped = " group by all" if "(" in query else ""
            con.execute(f"create or replace table core.{table} as {query} from purchase{grouped}")
        con.execute("delete from core.int_activity_day")
        for day in {fit_date(AS_OF), fit_date(AS_OF - timedelta(days=1))}:
            store.save(fit_dormancy(con, day, RULES))
        control.write_as_of_window(con, [AS_OF])
        for kind in KINDS:
            control.write_parquet_view(con, kind.view, store.files(kind), kind.columns)
    result = dbt(warehouse, tmp_path, "run", "--select", *MODELS)
    assert result.success, result.exception
    with warehouse.connect() as con:
        return con.execute(
            "select * from marts.int_customer_dormancy where as_of_date = $day order by customer_id",
            {"day": AS_OF},
        ).pl()


@pytest.mark.parametrize("shop", SHOPS)
def test_every_customer_has_a_sensible_state_and_no_number_is_none(
    warehouse: Warehouse, tmp_path: Path, shop: str
) -> None:
    purchases = [each for each in SHOPS[shop] if each.days_ago >= 0]

    rows = play(warehouse, tmp_path, SHOPS[shop])

    assert set(rows["customer_id"]) == {each.customer for each in purchases}
    for column in rows.select(pl.col(pl.Float64)).columns:
        assert not rows[column].is_nan().any(), f"{column} is not a number"
        assert not rows[column].is_infinite().any(), f"{column} is infinite"
    for column in (
        "method",
        "model_category",
        "horizon_days",
        "dormant_from_date",
        "dormancy_state",
        "explanation",
    ):
        assert not rows[column].has_nulls(), f"{column} is empty"
    assert rows.filter(pl.col("days_since_purchase") == 0, pl.col("dormant_since").is_not_null()).is_empty()
    assert (rows["expected_value"] >= 0).all()
    assert (rows["days_since_purchase"] >= 0).all()
    last = {
        each.customer: min(p.days_ago for p in purchases if p.customer == each.customer) for each in purchases
    }
    assert dict(rows.select("customer_id", "days_since_purchase").iter_rows()) == last
    assert CHECKS.get(shop, lambda _: True)(rows)


def test_what_is_bought_later_changes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    shop = every(20, 100, stop_after=3)
    later = [Purchase(f"c{number}", -1 - number % 60, "harps", 999.0) for number in range(100)]

    plain = play(warehouse, tmp_path / "plain", shop)
    wise = play(warehouse, tmp_path / "wise", shop + later)

    assert math.isfinite(plain["expected_gap_days"].sum())
    assert wise.equals(plain)
