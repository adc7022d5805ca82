"""How well recommendations foretell purchases: `python benchmarks/evaluate_recommendations.py`.

Two real shops, each cut on a date. What the product's own models recommend on that date (they see nothing
later) is compared with what the customer bought in the 30 days after it: products found among the first ten,
divided by the products bought or by ten, whichever is less; the mean over customers who bought in the window
and had bought before. Beside it stand what is bought by most customers in the last 90 days (popularity), the
customer's own products by number of purchase-days (personal frequency), and an established implementation
where it is installed (`implicit`: item-item cosine and ALS). The list of new products is judged on products
new to the customer.

Everything was tuned on the earlier cuts, one and two months before the one with targets; both are printed.
Section `speed`: seconds and memory for a million customers. Each target is printed with "met" or "MISSED";
the last line is JSON, and the end is 1 if a target is missed. Data sets that are not there are
"not evaluated".
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

import recommendation_implicit  # noqa: E402
import recommendation_speed  # noqa: E402
from dormancy_reference import SETS, ReferenceSet, data_folder, load  # noqa: E402
from evaluate_dormancy import Report  # noqa: E402
from recommendation_models import run_models  # noqa: E402

HORIZON_DAYS = 30
FIRST = 10


@dataclass(frozen=True)
class Target:
    """What is asked on the cut, and the cuts on which was tuned.

    Attributes:
        cutoff: the last day that the models know.
        earlier: cuts for tuning; no target.
        min_share: of the combined list.
        min_gain: of the list of new products, as a multiple of popularity.
    """

    cutoff: date
    earlier: tuple[date, ...]
    min_share: float
    min_gain: float


TARGETS = {
    "online_retail_ii": Target(date(2011, 11, 9), (date(2011, 9, 10), date(2011, 10, 10)), 0.325, 1.5),
    "complete_journey": Target(date(2017, 12, 1), (date(2017, 10, 2), date(2017, 11, 1)), 0.375, 1.05),
}

LISTS = {
    "lists combined (message_rank)": "message_rank is not null",
    "list repeat alone": "list = 'repeat'",
}
COMBINED = "lists combined (message_rank)"


def open_shop(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Complete a loaded data set with what the models read: products for sale, no tickets and no visits."""
    con.execute(
        f"""
        create table {schema}.product as
        select product_id, product_id as name, true as active, true as in_stock
        from {schema}.stg_catalog__products
        where product_id is not null
        """
    )
    con.execute(
        f"""
        create or replace table {schema}.stg_catalog__products as
        select product_id, cast(null as integer) as replenishment_days from {schema}.product
        """
    )
    con.execute(
        f"""
        create table {schema}.ticket (
            ticket_id varchar, customer_id varchar, product_id varchar, order_id varchar, kind varchar,
            opened_at timestamp
        )
        """
    )
    con.execute(
        f"""
        create table {schema}.stg_web__events (
            visitor_id varchar, account_id varchar, product_id varchar, kind varchar, occurred_on date
        )
        """
    )
    con.execute(f"create table {schema}.int_visitor (visitor_id varchar, customer_id varchar)")
    con.execute(
        f"create table {schema}.customer_account (source varchar, account_key varchar, customer_id varchar)"
    )


def split(con: duckdb.DuckDBPyConnection, schema: str, cutoff: date) -> None:
    """Make `known`, purchase-days until the cut, and `bought` and `bought_new`, what followed."""
    con.execute(
        f"""
        create or replace temp table known as
        select distinct customer_id, product_id, purchased_on
        from {schema}.int_purchase_line
        where purchased_on <= $cutoff and (emptied_on is null or emptied_on > $cutoff)
        """,
        {"cutoff": cutoff},
    )
    con.execute(
        f"""
        create or replace temp table bought as
        select distinct customer_id, product_id
        from {schema}.int_purchase_line
        where purchased_on > $cutoff and purchased_on <= $cutoff + $days
            and customer_id in (select customer_id from known)
        """,
        {"cutoff": cutoff, "days": HORIZON_DAYS},
    )
    con.execute(
        """
        create or replace temp table bought_new as
        select customer_id, product_id from bought anti join known using (customer_id, product_id)
        """
    )


def share(con: duckdb.DuckDBPyConnection, recommended: str, bought: str = "bought") -> float:
    """Mean share found of the products bought.

    Args:
        con: after `split`.
        recommended: query or table of customer_id and product_id, ten a customer at most.
        bought: `bought` or `bought_new`.
    """
    row = con.execute(
        f"""
        with wanted as (
            select customer_id, least({FIRST}, count(*)) as products from {bought} group by customer_id
        ),
        found as (
            select customer_id, count(*) as products
            from {bought}
            semi join ({recommended}) as recommended using (customer_id, product_id)
            group by customer_id
        )
        select avg(coalesce(found.products, 0) / wanted.products)
        from wanted
        left join found using (customer_id)
        """
    ).fetchone()
    assert row is not None
    return float(row[0])


def popularity(cutoff: date, new_only: bool) -> str:
    """The products of most customers in the last 90 days, for each customer of the window.

    Of new products the customer's own are left out before the ten are counted.
    """
    own = "anti join known using (customer_id, product_id)" if new_only else ""
    return f"""
        select customer_id, product_id
        from (select distinct customer_id from bought) as customers
        cross join (
            select product_id, count(distinct customer_id) as customers
            from known
            where purchased_on > date '{cutoff}' - 90
            group by product_id
            order by customers desc, product_id
            limit 2000
        ) as popular
        {own}
        qualify row_number() over (
            partition by customer_id order by popular.customers desc, product_id
        ) <= {FIRST}
    """


PERSONAL_FREQUENCY = f"""
    select customer_id, product_id
    from known
    group by customer_id, product_id
    qualify row_number() over (
        partition by customer_id order by count(*) desc, max(purchased_on) desc, product_id
    ) <= {FIRST}
"""


def judge(con: duckdb.DuckDBPyConnection, chosen: ReferenceSet, cutoff: date) -> dict[str, float]:
    """Shares of every method on one cut of a loaded data set; those on new products have `new:` before."""
    run_models(con, chosen.name, cutoff)
    split(con, chosen.name, cutoff)
    recommended = f"select customer_id, product_id from {chosen.name}.recommendation where "
    found = {name: share(con, recommended + where) for name, where in LISTS.items()}
    found["popularity"] = share(con, popularity(cutoff, new_only=False))
    found["personal frequency"] = share(con, PERSONAL_FREQUENCY)
    found["new: list explore"] = share(con, recommended + "list = 'explore'", "bought_new")
    found["new: popularity"] = share(con, popularity(cutoff, new_only=True), "bought_new")
    for name in recommendation_implicit.recommend(con, FIRST):
        found[f"implicit {name}"] = share(con, f"from implicit_{name}")
        found[f"new: implicit {name}"] = share(con, f"from implicit_{name}_new", "bought_new")
    return found


def held_out(con: duckdb.DuckDBPyConnection, data: Path, report: Report) -> None:
    """Every method on every cut of each data set."""
    for chosen in SETS:
        target = TARGETS.get(chosen.name)
        if target is None:
            continue
        print(f"\n{chosen.title}: share of the next {HORIZON_DAYS} days' products in the first {FIRST}")
        if not load(con, chosen, data):
            print("  not evaluated: no reference data")
            continue
        open_shop(con, chosen.name)
        cuts = (*target.earlier, target.cutoff)
        found = {cutoff: judge(con, chosen, cutoff) for cutoff in cuts}
        print(
            f"  {'method':<34}" + "".join(f"{cutoff!s:>12}" for cutoff in cuts) + "  (tuned on the earlier)"
        )
        for name in found[target.cutoff]:
            print(f"  {name:<34}" + "".join(f"{found[cutoff][name]:>12.4f}" for cutoff in cuts))
        if not recommendation_implicit.is_installed():
            print("  implicit: not evaluated, it is not installed")
        for cutoff, shares in found.items():
            for name, value in shares.items():
                report.figures[f"{chosen.title}, {cutoff}, {name}"] = round(value, 4)
        judged = found[target.cutoff]
        report.at_least(f"{chosen.title}: lists combined", judged[COMBINED], target.min_share)
        report.at_least(
            f"{chosen.title}: list explore ÷ popularity, new products",
            judged["new: list explore"] / judged["new: popularity"],
            target.min_gain,
        )


def speed(report: Report) -> None:
    """The recommendations of a million customers, with the peak of their memory; there is no target."""
    customers = recommendation_speed.CUSTOMERS
    print(f"\nSpeed: {customers:,} customers of a synthetic shop, 2 threads, 3 GB")
    found = recommendation_speed.measure()
    print(f"  {found['rows']:,.0f} rows in {found['seconds']:.0f} s; peak memory {found['peak_mb']:,.0f} MB")
    report.figures["speed: seconds"] = round(found["seconds"], 1)
    report.figures["speed: peak memory in MB"] = round(found["peak_mb"], 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of the reference data")
    parser.add_argument(
        "--section", nargs="*", choices=("held-out", "speed"), help="these alone; by default both"
    )
    given = parser.parse_args(arguments)
    asked = given.section or ("held-out", "speed")
    report = Report()
    if "held-out" in asked:
        with duckdb.connect() as con:
            held_out(con, given.data, report)
    if "speed" in asked:
        speed(report)
    print(json.dumps({"figures": report.figures, "missed": report.missed}, ensure_ascii=False))
    if report.missed:
        print(f"{len(report.missed)} targets missed: {'; '.join(report.missed)}")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
