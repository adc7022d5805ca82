"""Customers that the tests of dormancy generate: as histories, and as a shop of purchase-days."""

from collections.abc import Iterable
from datetime import date, timedelta

import duckdb
import numpy as np

from pipelines.dormancy.histories import Bounds, Histories

TODAY = date(2024, 6, 30)
BOUNDS = Bounds(min_horizon_days=14, max_horizon_days=180, default_gap_days=90)


def histories(repeats, age_at_last, age, sum_log_gaps=0.0, *, category="all", next_after_days=np.inf):
    """`Histories` of arrays or numbers."""
    parts = np.broadcast_arrays(
        *(
            np.asarray(value, dtype=float)
            for value in (repeats, age_at_last, age, sum_log_gaps, next_after_days)
        )
    )
    repeats, age_at_last, age, sum_log_gaps, next_after_days = (np.atleast_1d(part) for part in parts)
    count = len(repeats)
    return Histories(
        category=np.full(count, category, dtype=object),
        category_customers=np.full(count, float(count)),
        is_pooled=np.ones(count, dtype=bool),
        repeats=repeats,
        age_at_last=age_at_last,
        age=age,
        sum_log_gaps=sum_log_gaps,
        own_horizon_days=np.full(count, 60.0),
        next_after_days=next_after_days,
    )


def purchases_of_model(
    customers, *, seed, k=1, r=2.0, alpha=40.0, a=1.0, b=4.0, days=730, category="tea", prefix=None
):
    """Rows `customer, category, days ago` as the model has them, with first purchases at any time.

    Each customer's gaps are Erlang of shape k with a rate from Gamma(r, alpha); after each purchase the
    customer leaves with a probability from Beta(a, b).
    """
    random = np.random.default_rng(seed)
    rate = random.gamma(r, 1 / alpha, customers)
    bought = random.geometric(random.beta(a, b, customers))
    first = random.integers(1, days, customers)
    gaps = random.gamma(k, 1.0, (customers, 120)) / rate[:, np.newaxis]
    ages = np.hstack([np.zeros((customers, 1)), np.cumsum(np.maximum(np.round(gaps), 1), axis=1)])
    ago = first[:, np.newaxis] - ages
    kept = (ago >= 0) & (np.arange(ages.shape[1]) < bought[:, np.newaxis])
    prefix = category if prefix is None else prefix
    return [(f"{prefix}{int(n)}", category, int(ago[n, m])) for n, m in zip(*np.nonzero(kept), strict=True)]


def histories_of(rows, category="tea"):
    """What is known of each customer today, from rows `customer, category, days ago`."""
    with open_shop(rows) as con:
        found = con.execute(
            """
            with gaps as (
                select
                    customer_id, purchased_on,
                    purchased_on - lag(purchased_on) over (partition by customer_id order by purchased_on)
                        as gap
                from (select distinct customer_id, purchased_on from core.int_kept_category_day)
            )
            select
                count(*) - 1 as repeats, max(purchased_on) - min(purchased_on) as age_at_last,
                $today - min(purchased_on) as age, coalesce(sum(ln(gap)), 0) as sum_log_gaps
            from gaps group by customer_id order by customer_id
            """,
            {"today": TODAY},
        ).fetchnumpy()
    return histories(*(np.asarray(values, dtype=float) for values in found.values()), category=category)


def open_shop(rows: Iterable[tuple], revenue: Iterable[tuple] = ()) -> duckdb.DuckDBPyConnection:
    """The two tables that a fit reads.

    Rows are customer, category, days before `TODAY`, and perhaps days before it when the day was emptied;
    revenue is customer, days before `TODAY`, margin.
    """
    con = duckdb.connect()
    con.execute("create schema core")
    con.execute(
        "create table core.int_kept_category_day "
        "(customer_id varchar, category varchar, purchased_on date, emptied_on date)"
    )
    con.execute(
        "create table core.int_revenue_day "
        "(customer_id varchar, booked_on date, net_amount decimal(18, 2), margin_amount decimal(18, 2))"
    )
    kept = sorted({(*row, None)[:4] for row in rows}, key=repr)
    if kept:
        customer, category, bought, emptied = zip(*kept, strict=True)
        con.execute(
            """
            insert into core.int_kept_category_day
            select customer_id, category, $today - bought, $today - emptied
            from (select unnest($customer) as customer_id, unnest($category) as category,
                unnest($bought) as bought, unnest($emptied::integer[]) as emptied)
            """,
            {
                "today": TODAY,
                "customer": list(customer),
                "category": list(category),
                "bought": [int(age) for age in bought],
                "emptied": [None if age is None else int(age) for age in emptied],
            },
        )
    booked = list(revenue)
    if booked:
        con.executemany(
            "insert into core.int_revenue_day values (?, ?, ?, ?)",
            [(customer, days_ago(age), amount, amount) for customer, age, amount in booked],
        )
    return con


def days_ago(age: int) -> date:
    return TODAY - timedelta(days=age)
