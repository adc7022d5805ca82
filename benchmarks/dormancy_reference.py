"""The reference data sets as shops: what `evaluate_dormancy.py` fits and judges on.

Each file becomes sales lines, and the product's own models make kept purchase-days and revenue of these
(`int_return_allocation`, `int_purchase_line`, `int_kept_category_day`, `int_revenue_day`), so that "bought"
means here what it means in a run: a day of which at least one unit was kept. A data set is one category.
Nothing tells costs, so the margin is the revenue. What counts as a line:

- CDNOW: every row with a value above zero; 80 rows have none. Rows that look alike are several purchases of
  one day (only with them do the published mean amounts come out). Returns are unknown.
- Online Retail II, as its profile says: rows with a customer, each once; without adjustments (A…), negative
  prices and stock movements; an invoice has the time of its first row. Only goods make a purchase-day (no
  postage, fees, tests); a C-invoice takes back the latest earlier units of the same code; discounts count as
  money.
- The Complete Journey, as its profile says: rows with a quantity; a day is one of the shops' time zone.
  Nothing was returned.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import jinja2

PROJECT = Path(__file__).resolve().parent.parent

MIXTURE_CUTOFF = date(2017, 11, 1)
"""Where the cut-offs of the data sets meet when they are mixed into one shop."""

_MODELS = ("int_return_allocation", "int_purchase_line", "int_kept_category_day", "int_revenue_day")
_SHOP_TABLES = ("int_kept_category_day", "int_revenue_day")


@dataclass(frozen=True)
class ReferenceSet:
    """A data set, where it is cut, and the SQL that makes sales lines of its file.

    Attributes:
        name: also the schema that it is loaded into.
        file: below the folder of the reference data.
        cutoff: last day that the methods know.
        horizon_days: length of the held-out window.
        mixture_cutoff: the same where it is mixed with others, with 60 days to hold out.
        lines: customer_id, product_id, order_id, ordered_at, ordered_on, line_no, line_kind, quantity and
            amount of the rows of `source`.
    """

    name: str
    title: str
    file: str
    cutoff: date
    horizon_days: int
    mixture_cutoff: date
    lines: str


SETS = (
    ReferenceSet(
        name="cdnow",
        title="CDNOW",
        file="cdnow/cdnow_master.parquet",
        cutoff=date(1997, 10, 1),
        horizon_days=90,
        mixture_cutoff=date(1997, 10, 1),
        lines="""
        select
            customer_id, 'cd' as product_id, customer_id || ':' || date as order_id,
            cast(date as timestamp) as ordered_at, date as ordered_on, file_row_number as line_no,
            'product' as line_kind, number_of_cds as quantity, dollar_value as amount
        from source
        where dollar_value > 0
        """,
    ),
    ReferenceSet(
        name="online_retail_ii",
        title="Online Retail II",
        file="online_retail_ii/online_retail_ii_rebuilt.parquet",
        cutoff=date(2010, 9, 11),
        horizon_days=90,
        mixture_cutoff=date(2010, 9, 11),
        lines=r"""
        with each_once as (
            select * exclude (file_row_number), min(file_row_number) as line_no
            from source
            group by all
        ),
        dated as (
            select
                *,
                min(InvoiceDate) over (partition by Invoice) as ordered_at,
                upper(trim(StockCode)) as code
            from each_once
        )
        select
            cast("Customer ID" as varchar) as customer_id, code as product_id, Invoice as order_id,
            ordered_at, cast(ordered_at as date) as ordered_on, line_no,
            case
                when code in ('POST', 'DOT', 'C2', 'C3') then 'shipping'
                when code = 'D' then 'discount'
                when regexp_matches(
                    code,
                    '^(M|S|B|BANK CHARGES|ADJUST2?|AMAZONFEE|CRUK|GIFT|GIFT_0001_\d+|TEST\d+)$'
                ) then 'other'
                else 'product'
            end as line_kind,
            Quantity as quantity, Quantity * Price as amount
        from dated
        where "Customer ID" is not null and Price >= 0 and not starts_with(Invoice, 'A')
            and (Quantity >= 0 or starts_with(Invoice, 'C'))
        """,
    ),
    ReferenceSet(
        name="complete_journey",
        title="The Complete Journey",
        file="complete_journey/transactions.parquet",
        cutoff=date(2017, 12, 1),
        horizon_days=30,
        mixture_cutoff=date(2017, 11, 1),
        lines="""
        select
            cast(household_id as varchar) as customer_id, cast(product_id as varchar) as product_id,
            cast(basket_id as varchar) as order_id, transaction_timestamp as ordered_at,
            cast(timezone('America/New_York', timezone('UTC', transaction_timestamp)) as date) as ordered_on,
            file_row_number as line_no, 'product' as line_kind, quantity, sales_value as amount
        from source
        where quantity > 0
        """,
    ),
)


def data_folder() -> Path:
    """Where the reference data are."""
    return Path(os.environ.get("WINBACK_REFERENCE_DATA") or PROJECT.parent / "shared" / "data")


def load(con: duckdb.DuckDBPyConnection, chosen: ReferenceSet, data: Path) -> bool:
    """Load a data set into the schema of its name; false when its file is not there.

    The schema then has `int_kept_category_day` and `int_revenue_day` as in a warehouse.
    """
    file = data / chosen.file
    if not file.is_file():
        return False
    schema = chosen.name
    con.execute(f"create schema {schema}")
    con.execute(
        f"""
        create table {schema}.int_sales_line as
        with source as (from read_parquet('{file}', file_row_number = true))
        select
            order_id || ':' || line_no as line_id,
            'ecommerce' as channel,
            lines.* replace (
                cast(quantity as decimal(18, 4)) as quantity,
                cast(round(amount, 2) as decimal(18, 2)) as amount
            ),
            cast(null as varchar) as returned_order_id,
            line_kind in ('product', 'discount') as is_revenue,
            line_kind = 'product' and quantity > 0 as is_purchase,
            line_kind = 'product' and quantity < 0 as is_return
        from ({chosen.lines}) as lines
        """
    )
    con.execute(
        f"""
        create table {schema}.stg_catalog__products as
        select distinct product_id, '{schema}' as category, cast(null as decimal(18, 2)) as cost
        from {schema}.int_sales_line
        """
    )
    for model in _MODELS:
        text = (PROJECT / "dbt_project" / "models" / "core" / f"{model}.sql").read_text(encoding="utf-8")
        sql = jinja2.Template(text).render(ref=lambda name: f"{schema}.{name}")
        con.execute(f"create table {schema}.{model} as {sql}")
    return True


def open_shop(con: duckdb.DuckDBPyConnection, chosen: ReferenceSet) -> None:
    """Make one loaded data set the shop that `core` describes."""
    con.execute("create schema if not exists core")
    for table in _SHOP_TABLES:
        con.execute(f"create or replace table core.{table} as from {chosen.name}.{table}")


def open_mixture(
    con: duckdb.DuckDBPyConnection, sets: Sequence[ReferenceSet], *, customers: int, seed: int
) -> None:
    """Make a shop of several loaded data sets, each a category, their cut-offs on `MIXTURE_CUTOFF`.

    Args:
        con: where they are loaded.
        sets: whose customers are mixed.
        customers: drawn of each set, by the hash of id and seed, of those who bought until the cut-off.
        seed: of the draw.
    """
    con.execute("create schema if not exists core")
    for chosen in sets:
        con.execute(
            f"""
            create or replace temp table drawn_{chosen.name} as
            select customer_id
            from {chosen.name}.int_kept_category_day
            where purchased_on <= $cutoff and (emptied_on is null or emptied_on > $cutoff)
            group by customer_id
            order by md5(customer_id || ':' || $seed)
            limit $customers
            """,
            {"cutoff": chosen.mixture_cutoff, "seed": str(seed), "customers": customers},
        )
    for table, days in zip(_SHOP_TABLES, (("purchased_on", "emptied_on"), ("booked_on",)), strict=True):
        parts = " union all ".join(
            "select * replace ("
            + ", ".join(
                [f"'{chosen.name}:' || customer_id as customer_id"]
                + [f"{day} + {(MIXTURE_CUTOFF - chosen.mixture_cutoff).days} as {day}" for day in days]
            )
            + f") from {chosen.name}.{table} semi join drawn_{chosen.name} using (customer_id)"
            for chosen in sets
        )
        con.execute(f"create or replace table core.{table} as {parts}")
