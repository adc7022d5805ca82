"""How long a fit of 25,000 customers takes, and the scoring of two million by the SQL of the product.

Each is measured in a process of its own, `python benchmarks/dormancy_speed.py fitting` (or `scoring`), of
which the highest resident set (VmHWM) is read; the answer is a line of JSON.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import jinja2
import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pipelines.dormancy.histories import Histories  # noqa: E402
from pipelines.dormancy.mbg_cnbd import SHAPES, fit_mbg_cnbd  # noqa: E402

FITTED_CUSTOMERS = 25_000
SCORED_CUSTOMERS = 2_000_000
CATEGORIES = 20


def measure(what: str) -> dict[str, float]:
    """Seconds and peak memory of `fitting` or `scoring`, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, what], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def fitting_seconds() -> float:
    """Fit every regularity from every start to generated customers, none left out."""
    histories = generated_histories(FITTED_CUSTOMERS, seed=1)
    # SciPy loads its parts at the first fit.
    fit_mbg_cnbd(histories.where(np.arange(len(histories)) < 500), 1)
    started = time.perf_counter()
    for k in SHAPES:
        fit_mbg_cnbd(histories, k)
    return time.perf_counter() - started


def scoring_seconds() -> float:
    """Score customers of several categories by the macros, on two threads with two gigabytes."""
    with duckdb.connect(config={"threads": "2", "memory_limit": "2GB"}) as con:
        con.execute(
            f"""
            create table fit as
            select
                number as category, 1 + number % 3 as k, 0.5 + number / 20 as r, 20.0 + 3 * number as alpha,
                0.5 + number / 40 as a, 2.0 + number / 10 as b
            from range({CATEGORIES}) as numbers (number)
            """
        )
        con.execute(
            f"""
            create table customer as
            select
                customer_id, customer_id % {CATEGORIES} as category, repeats,
                age,
                case when repeats > 0 then age * (hash(customer_id, 2) % 1000) // 1000 else 0 end
                    as age_at_last
            from (
                select
                    number as customer_id,
                    hash(number, 0) % 3650 + 1 as age,
                    (hash(number, 1) % 1000) * (hash(number, 1) % 1000) // 25000 as repeats
                from range({SCORED_CUSTOMERS}) as numbers (number)
            )
            """
        )
        started = time.perf_counter()
        con.execute(scoring_sql())
        seconds = time.perf_counter() - started
        wrong = con.execute(
            "select count(*) from scored where not (0 <= p_active and p_active <= p_alive and p_alive <= 1)"
        ).fetchone()
    assert wrong == (0,), f"{wrong} customers without a probability"
    return seconds


def scoring_sql() -> str:
    """The macros of `mbg_cnbd.sql` applied to every customer."""
    file = PROJECT / "dbt_project" / "macros" / "mbg_cnbd.sql"
    macros = jinja2.Template(file.read_text(encoding="utf-8")).module
    model = ("fit.k", "fit.r", "fit.alpha")
    known = ("customer.repeats", "customer.age_at_last", "customer.age")
    alive = macros.mbg_cnbd_p_alive(*model, "fit.a", "fit.b", *known)  # type: ignore[attr-defined]
    active = macros.mbg_cnbd_p_active(*model, "fit.a", "fit.b", *known, "90")  # type: ignore[attr-defined]
    return f"""
        create table scored as
        select customer.customer_id, {alive} as p_alive, {active} as p_active
        from customer
        inner join fit using (category)
    """


def generated_histories(customers: int, seed: int) -> Histories:
    """Customers of up to two years as the model has them, with k = 2 and gaps of a few weeks."""
    random = np.random.default_rng(seed)
    most = 150
    rate = random.gamma(1.0, 1 / 15.0, customers)
    purchases = random.geometric(random.beta(0.8, 4.0, customers))
    age = random.integers(30, 731, customers).astype(float)
    gaps = np.ceil(random.gamma(2.0, 1.0, (customers, most)) / rate[:, np.newaxis])
    ages = np.cumsum(gaps, axis=1)
    bought = (ages <= age[:, np.newaxis]) & (np.arange(most) < purchases[:, np.newaxis] - 1)
    return Histories(
        category=np.full(customers, "all", dtype=object),
        category_customers=np.full(customers, float(customers)),
        is_pooled=np.ones(customers, dtype=bool),
        repeats=bought.sum(axis=1).astype(float),
        age_at_last=np.where(bought, ages, 0.0).max(axis=1),
        age=age,
        sum_log_gaps=np.where(bought, np.log(gaps), 0.0).sum(axis=1),
        own_horizon_days=np.full(customers, 60.0),
        next_after_days=np.full(customers, np.inf),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("fitting", "scoring"))
    given = parser.parse_args(arguments)
    seconds = fitting_seconds() if given.what == "fitting" else scoring_seconds()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mb": int(peak.split()[1]) / 1024}))


if __name__ == "__main__":
    main()
