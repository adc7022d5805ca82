"""How long the recommendations of a million customers take, by the SQL of the product.

`python benchmarks/recommendation_speed.py` measures in its own process, of which the highest resident set
(VmHWM) is read, on two threads with three gigabytes; the answer is a line of JSON. The shop is synthetic:
twelve purchases a customer on the average, of 20,000 products with tastes and a long tail, and half a million
visits.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from recommendation_models import run_models  # noqa: E402

CUSTOMERS = 1_000_000
PRODUCTS = 20_000
AS_OF_DATE = date(2024, 12, 31)


def measure(customers: int = CUSTOMERS) -> dict[str, float]:
    """Seconds and peak memory, in a process of its own."""
    command = [sys.executable, __file__, str(customers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def make_shop(con: duckdb.DuckDBPyConnection, customers: int) -> None:
    """Tables of `core` and `staging` as the models read them, in the schema `shop`.

    Each customer has one of 200 tastes; four purchases of five are of its products, the rest of anything.
    """
    con.execute("create schema shop")
    con.execute(
        f"""
        create table shop.int_sales_line as
        with line as (
            select
                customer_no, line_no, hash(customer_no, line_no) as draw, hash(customer_no) % 200 as taste,
                (hash(customer_no, line_no, 1) % 1000000) / 1e6 as share,
                hash(customer_no, line_no // 3, 2) % 730 as days_ago
            from (
                select range as customer_no, unnest(range(1 + (hash(range, 7) % 23)::bigint)) as line_no
                from range({customers})
            )
        )
        select
            'c_' || lpad(customer_no::varchar, 16, '0') as customer_id,
            'p_' || lpad((case
                when draw % 5 > 0 then taste * {PRODUCTS // 200} + floor({PRODUCTS // 200} * share * share)
                else floor({PRODUCTS} * share * share * share)
            end)::bigint::varchar, 8, '0') as product_id,
            'o_' || customer_no || ':' || line_no // 3 as order_id, 'product' as line_kind,
            date '{AS_OF_DATE}' - days_ago::integer as ordered_on, 1 as quantity,
            true as is_purchase, false as is_return
        from line
        """
    )
    con.execute(
        """
        create view shop.int_purchase_line as
        select *, ordered_on as purchased_on, cast(null as date) as emptied_on from shop.int_sales_line
        """
    )
    con.execute(
        f"""
        create table shop.product as
        select
            'p_' || lpad(range::varchar, 8, '0') as product_id, 'Product ' || range as name,
            range % 50 > 0 as active, range % 30 > 0 as in_stock
        from range({PRODUCTS})
        """
    )
    con.execute(
        """
        create view shop.stg_catalog__products as
        select product_id, cast(null as integer) as replenishment_days from shop.product
        """
    )
    con.execute(
        f"""
        create table shop.stg_web__events as
        select
            'v_' || range % {customers} as visitor_id, cast(null as varchar) as account_id,
            'p_' || lpad((hash(range) % {PRODUCTS})::varchar, 8, '0') as product_id,
            case when range % 7 = 0 then 'cart' else 'view' end as kind,
            date '{AS_OF_DATE}' - (hash(range, 1) % 60)::integer as occurred_on
        from range({customers // 2})
        """
    )
    con.execute(
        f"""
        create view shop.int_visitor as
        select 'v_' || range as visitor_id, 'c_' || lpad(range::varchar, 16, '0') as customer_id
        from range({customers})
        """
    )
    con.execute(
        "create table shop.customer_account (source varchar, account_key varchar, customer_id varchar)"
    )
    con.execute(
        """
        create table shop.ticket (
            ticket_id varchar, customer_id varchar, product_id varchar, order_id varchar, kind varchar,
            opened_at timestamp
        )
        """
    )


def main(customers: int) -> None:
    """Make the shop in a file of its own and recommend."""
    with tempfile.TemporaryDirectory() as folder:
        config = {"threads": "2", "memory_limit": "3GB", "temp_directory": f"{folder}/spilt"}
        with duckdb.connect(f"{folder}/speed.duckdb", config=config) as con:
            make_shop(con, customers)
            con.execute("checkpoint")
            started = last = time.perf_counter()
            seconds: dict[str, float] = {}

            def note(model: str) -> None:
                nonlocal last
                seconds[model] = round(time.perf_counter() - last, 1)
                print(model, seconds[model], file=sys.stderr, flush=True)
                last = time.perf_counter()

            run_models(con, "shop", AS_OF_DATE, note)
            total = time.perf_counter() - started
            rows = con.execute("select count(*) from shop.recommendation").fetchone()
    assert rows is not None
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": total, "peak_mb": int(peak.split()[1]) / 1024, "rows": rows[0]}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CUSTOMERS)
