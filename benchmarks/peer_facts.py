"""A synthetic shop's order lines in Parquet: the facts that `benchmarks/peers.py` has everybody read.

Customers buy at exponential gaps with a mean of their own, and after each purchase leave for good with a
probability of their own. About twenty lines a customer over 900 days, in eight categories; nothing is
returned, since what a return takes back has no usual form elsewhere.
"""

from datetime import date, timedelta
from pathlib import Path

import duckdb

AS_OF_DATE = date(2025, 6, 18)
DAYS = 900
CATEGORIES = 8
PRODUCTS = 20_000

_SQL = """
-- A macro takes no parameters of the statement.
set variable seed = $seed;
create macro u(what, a, b) as (hash(what, a, b, getvariable('seed')) % 1000000007 + 1) / 1000000009.0;

create temp table person as
select
    range + 1 as customer_id,
    range % $categories as favourite,
    floor(($days - 30) * u('first', range, 0)) as first_day,
    15 * (1 + range % 4) / -ln(u('rate', range, 0)) as mean_gap,
    -- Who leaves after a purchase: Beta(1, 10); so many purchases there would be without an end.
    1 + floor(ln(u('bought', range, 0)) / ln(pow(1 - u('leaves', range, 0), 1 / 10.0))) as purchases
from range($customers);

create temp table purchase as
with gaps as (
    select
        customer_id, favourite, first_day, place,
        if(place = 0, 0, -mean_gap * ln(u('gap', customer_id, place))) as gap
    from (
        select *, unnest(range(cast(least(purchases, 3 + 2 * $days / mean_gap, 150) as bigint))) as place
        from person
    )
)
select
    customer_id, favourite, place,
    first_day + sum(gap) over (partition by customer_id order by place) + u('hour', customer_id, place)
        as on_day
from gaps;

create temp table order_line as
with line as (
    select *, place * 8 + line_no as number
    from (
        select *, unnest(range(1 + cast(floor(4 * u('lines', customer_id, place)) as bigint))) as line_no
        from purchase
        where on_day < $days
    )
),
product as (
    select
        *,
        -- Two lines of three are of the favourite category; of its products few sell much.
        cast(
            if(
                u('own', customer_id, number) < 0.67,
                favourite,
                floor($categories * u('other', customer_id, number))
            )
            + $categories * floor($products // $categories * pow(u('which', customer_id, number), 3))
            as integer
        ) as product_id,
        1 + cast(floor(2 * pow(u('quantity', customer_id, number), 3)) as integer) as quantity
    from line
)
select
    row_number() over (order by on_day, customer_id, line_no) as line_id,
    customer_id * 1000 + place as order_id,
    cast(line_no as integer) + 1 as line_no,
    customer_id,
    cast($first_on as timestamp) + to_seconds(cast(floor(on_day * 86400) as bigint)) as ordered_at,
    product_id,
    'category ' || (product_id % $categories + 1) as category,
    quantity,
    round(quantity * (5 + 95 * u('price', product_id, 0)), 2) as amount
from product;
"""


def write_facts(folder: Path, customers: int, seed: int) -> dict[str, int]:
    """Write `order_line.parquet`, in the order of time, and `product.parquet`; return how many rows.

    Ids are whole numbers and amounts doubles: data frames would turn text and decimals into Python objects.
    """
    given = {
        "customers": customers,
        "seed": seed,
        "days": DAYS,
        "categories": CATEGORIES,
        "products": PRODUCTS,
        "first_on": AS_OF_DATE - timedelta(days=DAYS - 1),
    }
    with duckdb.connect(config={"temp_directory": str(folder / "spill"), "memory_limit": "4GB"}) as con:
        for statement in con.extract_statements(_SQL):
            con.execute(statement, {name: given[name] for name in statement.named_parameters})
        con.execute(
            f"copy (from order_line order by line_id) to '{folder / 'order_line.parquet'}' (format parquet);"
            "copy (select product_id, any_value(category) as category from order_line group by all "
            f"order by product_id) to '{folder / 'product.parquet'}' (format parquet)"
        )
        rows = con.execute(
            "select count(*), count(distinct order_id), count(distinct (customer_id, ordered_at::date)), "
            "count(distinct customer_id) from order_line"
        ).fetchall()
    return dict(zip(("lines", "orders", "purchase_days", "customers"), rows[0], strict=True))
