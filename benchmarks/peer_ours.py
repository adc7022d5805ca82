"""RFM and dormancy by the product's own models, for `benchmarks/peers.py`.

From the Parquet file to the tables of a warehouse file, as a run makes them: the sales lines, kept days and
revenue that the marts read, then `int_customer_rfm`; the weekly fit; `int_customer_dormancy` and what it
needs. Left out is what belongs to neither: dbt, gates, identity (each customer is one account) and staging
(the lines are clean). There are neither returns nor visits in the facts; the models look for them all the
same.
"""

import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from peer_run import Run, main  # noqa: E402

SCHEMA = "core"
"""Where the fit looks; the marts are made beside what they read."""

FACTS = (
    "int_return_allocation",
    "int_purchase_line",
    "int_kept_day",
    "int_kept_category_day",
    "int_revenue_day",
)
RFM = ("int_as_of_date", "int_customer_rfm")
DORMANCY = ("int_category_season", "int_buyer", "int_own_x", "int_customer_dormancy")


def run(this: Run) -> None:
    """Make the tables, with the fit; `parts` tells what each took."""
    import duckdb  # noqa: PLC0415
    import polars  # noqa: F401, PLC0415 - the store of the fits writes with it
    import scipy.optimize  # noqa: PLC0415 - the fit loads it
    import scipy.special  # noqa: F401, PLC0415
    from model_sql import Models  # noqa: PLC0415

    from pipelines import control  # noqa: PLC0415
    from pipelines.dormancy.fits import fit_dormancy  # noqa: PLC0415
    from pipelines.dormancy.store import FIT, FitStore  # noqa: PLC0415
    from pipelines.dormancy.tuned_x import fit_date  # noqa: PLC0415

    with (
        TemporaryDirectory(dir=this.folder) as home,
        duckdb.connect(str(Path(home) / "warehouse.duckdb"), config=this.given["duckdb"]) as con,
    ):
        models = Models(SCHEMA)
        rules = _prepare(con, this.as_of_date)
        this.start()
        _read(con, this.folder)
        for model in FACTS:
            models.make(con, f"core/{model}")
        this.done("facts")
        for model in RFM:
            models.make(con, f"marts/{model}")
        this.done("rfm")
        store = FitStore(Path(home) / "lake")
        fit = fit_dormancy(con, fit_date(this.as_of_date), rules)
        store.save(fit)
        control.write_parquet_view(con, FIT.view, store.files(FIT), FIT.columns)
        this.done("fit")
        for model in DORMANCY:
            models.make(con, f"marts/{model}")
        this.done("dormancy")
        this.stop()
        this.found["fits"] = {each.model_category: each.method_name for each in fit.fits}
        _write(con, this)


def _prepare(con: "duckdb.DuckDBPyConnection", as_of_date: date) -> Any:
    """What a run has before it begins: settings, the policy, and feeds that brought nothing."""
    from decision_models import load_policy  # noqa: PLC0415
    from peer_run import SEEDS  # noqa: PLC0415

    from pipelines import control  # noqa: PLC0415
    from pipelines.dormancy.fits import FitRules  # noqa: PLC0415
    from pipelines.dormancy.histories import Bounds  # noqa: PLC0415
    from pipelines.settings import load_profile  # noqa: PLC0415

    profile = load_profile("demo")
    con.execute(f"create schema {SCHEMA}")
    load_policy(con, SCHEMA)
    load_policy(con, SCHEMA, SEEDS)
    con.execute(f"create table {SCHEMA}.int_activity_day (customer_id varchar, active_on date, kind varchar)")
    control.write_profile(con, profile, "benchmark")
    control.write_as_of_window(con, [as_of_date])
    settings = profile.dormancy
    bounds = Bounds(settings.min_horizon_days, settings.max_horizon_days, settings.activity_x_days)
    return FitRules(settings.min_category_customers, bounds, settings.theta)


def _read(con: "duckdb.DuckDBPyConnection", folder: Path) -> None:
    """The lines as `int_sales_line` has them, the products, and who has ever bought."""
    con.execute(
        f"""
        create table {SCHEMA}.int_sales_line as
        select
            'ecommerce:' || order_id || ':' || line_no as line_id,
            cast(customer_id as varchar) as customer_id,
            'ecommerce' as channel,
            cast(order_id as varchar) as order_id,
            line_no,
            ordered_at,
            cast(ordered_at as date) as ordered_on,
            cast(product_id as varchar) as product_id,
            'product' as line_kind,
            cast(quantity as decimal(18, 4)) as quantity,
            cast(amount as decimal(18, 2)) as amount,
            cast(null as varchar) as returned_order_id,
            true as is_revenue,
            quantity > 0 as is_purchase,
            quantity < 0 as is_return
        from read_parquet('{folder / "order_line.parquet"}');

        create table {SCHEMA}.stg_catalog__products as
        select cast(product_id as varchar) as product_id, category, cast(null as decimal(18, 2)) as cost
        from read_parquet('{folder / "product.parquet"}');

        create table {SCHEMA}.customer as
        select customer_id, 'buyer' as customer_kind, min(ordered_on) as first_seen_on
        from {SCHEMA}.int_sales_line
        group by customer_id;
        """
    )


def _write(con: "duckdb.DuckDBPyConnection", this: Run) -> None:
    """What the others have as well, and what their P(alive) is checked with."""
    con.execute(
        f"""
        copy (
            select
                cast(rfm.customer_id as bigint) as customer_id, rfm.recency_days, rfm.frequency, rfm.monetary,
                rfm.r_score, rfm.f_score, rfm.m_score, rfm.segment_11, rfm.segment_8, dormancy.p_alive,
                dormancy.dormancy_state, buyers.repeats, buyers.age_at_last_days,
                buyers.age_at_last_days + rfm.recency_days as age_days
            from {SCHEMA}.int_customer_rfm as rfm
            inner join {SCHEMA}.int_customer_dormancy as dormancy using (as_of_date, customer_id)
            inner join {SCHEMA}.int_buyer as buyers using (as_of_date, customer_id)
            where as_of_date = $as_of_date
        ) to '{this.result}' (format parquet)
        """,
        {"as_of_date": this.as_of_date},
    )


if __name__ == "__main__":
    main("ours", run, ("duckdb", "numpy", "scipy"))
