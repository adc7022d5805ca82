"""How long a million customers take, from the marts to the audience files, by the product's own SQL.

`python benchmarks/decision_speed.py [--customers N]` measures in its own process, of which the highest
resident set (VmHWM) is read, on two threads. The shop is synthetic (`decision_world`): the first date of a
shop that has never written to anybody, so that every sleeper is due at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from decision_models import CORE_MODELS, create_history, decide, emit, load_policy  # noqa: E402
from decision_world import answer, create_world, live_until  # noqa: E402
from model_sql import Models  # noqa: E402

from pipelines import control  # noqa: E402
from pipelines.activation import exports  # noqa: E402
from pipelines.assets.audiences import export_options  # noqa: E402
from pipelines.settings import load_profile  # noqa: E402

CUSTOMERS = 1_000_000
START = date(2025, 3, 3)
MEMORY_LIMIT = "3GB"

_FOLDERS = {
    "core": (
        "customer",
        "customer_account",
        "int_address",
        "int_subject",
        "int_customer_field",
        "ticket",
    ),
    "marts": ("customer_dormancy", "customer_rfm", "recommendation"),
    "activation": ("recall_decision", "int_contact_address"),
    "policy": ("offer", "template", "channel", "journey"),
    "staging": ("stg_consent__consents",),
}
"""What the exports read, and where they look for it."""


def complete_world(con: duckdb.DuckDBPyConnection) -> None:
    """Add what only the exports read: names, texts of the marts, and what callers are told."""
    con.execute(
        """
        create or replace table shop.customer as
        select *, 'tea' as favourite_category, 120 as points_balance, 'gold' as tier, 'Store 1' as home_store,
            'Hangzhou' as city
        from shop.customer;
        insert into shop.int_customer_field
        select customer_id, 'name', '王' || n from shop.person where u('named', n) < 0.9;
        create schema if not exists core;
        create or replace table core.purchase_day as
        select customer_id, purchased_on, 100.00 as net_amount, 1 as orders from shop.int_kept_day;
        create or replace table core.order_line as
        select customer_id, purchased_on as ordered_on, 'p1' as product_id, 1 as quantity, 100.00 as amount,
            true as is_revenue, false as is_return
        from shop.int_kept_day;
        create or replace table core.product as
        select product_id, 'Product ' || product_id as name from shop.stg_catalog__products;
        """
    )


def complete_marts(con: duckdb.DuckDBPyConnection) -> None:
    """Add to the marts of a date what only the exports read: ten recommendations a customer, explanations."""
    con.execute(
        """
        create or replace table shop.customer_dormancy as
        select *, 'bought every 60 days; silent for ' || days_since_purchase as explanation,
            '已沉默' as explanation_zh
        from shop.customer_dormancy;
        create or replace table shop.recommendation as
        select as_of_date, customer_id, 'p' || ((hash(customer_id) + k) % 50) as product_id,
            'explore' as list, k as rank, 0.5 as score, 'goes with what was bought' as why, k as message_rank
        from shop.recommendation, (select unnest(range(1, 11))::integer as k);
        """
    )


def show_to_exports(con: duckdb.DuckDBPyConnection) -> None:
    """Name the tables as the warehouse does."""
    for schema, tables in _FOLDERS.items():
        con.execute(f"create schema if not exists {schema}")
        for table in tables:
            con.execute(f"create or replace view {schema}.{table} as from shop.{table}")


def peak_megabytes() -> float:
    """The highest resident set of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell VmHWM")


def measure(customers: int, folder: Path, days: int) -> list[dict[str, float]]:
    """Seconds of each part, for the first dates of the shop."""
    profile = load_profile("demo")
    options = export_options(profile)
    found = []
    with duckdb.connect(str(folder / "speed.duckdb")) as con:
        con.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set threads = 2")
        create_world(con, "shop", customers=customers, start=START, days=days)
        complete_world(con)
        load_policy(con, "shop")
        create_history(con)
        control.write_profile(con, profile, "benchmark")
        models = Models("shop")
        for number in range(days):
            day = START + timedelta(days=number)
            live_until(con, "shop", day)
            complete_marts(con)
            for model in CORE_MODELS:
                models.make(con, model)
            con.execute("checkpoint")
            begun = time.perf_counter()
            decide(con, models, day)
            decided = time.perf_counter()
            frozen, target = folder / f"frozen{number}", folder / f"audiences{number}"
            show_to_exports(con)
            frozen.mkdir()
            target.mkdir()
            exports.freeze_rows(con, day, frozen, options)
            rendered = time.perf_counter()
            exports.write(frozen, target, {"run_id": "benchmark", "policy_version": "benchmark"})
            written = time.perf_counter()
            emit(con, "shop")
            answer(con, "shop", day)
            counted = con.execute(
                "select count(*) filter (where decision = 'send'), count(*) from shop.recall_decision"
            ).fetchone()
            found.append(
                {
                    "day": number + 1,
                    "customers": counted[1] if counted else 0,
                    "sends": counted[0] if counted else 0,
                    "decide_seconds": round(decided - begun, 1),
                    "render_seconds": round(rendered - decided, 1),
                    "write_seconds": round(written - rendered, 1),
                    "total_seconds": round(written - begun, 1),
                    "peak_megabytes": round(peak_megabytes()),
                }
            )
            print(json.dumps(found[-1]), flush=True)
    return found


def main() -> int:
    """Print a line of JSON per date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--days", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given.customers, Path(folder), given.days)
    return 0


if __name__ == "__main__":
    sys.exit(main())
