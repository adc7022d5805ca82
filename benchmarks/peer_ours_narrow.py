"""What the other peers compute and nothing else, by the product's SQL, for `benchmarks/peers.py`.

`int_customer_rfm` for the one date, on kept days and revenue made straight from the file (nothing is
returned); then `mbg_cnbd_p_alive` with k = 1 and parameters that the product's own code fits to a sample.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from pipelines.dormancy.mbg_cnbd import MbgCnbd

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from peer_run import SEEDS, Run, main  # noqa: E402

SCHEMA = "core"


def run(this: Run) -> None:
    """Make the tables in memory; `parts` tells what each took."""
    import duckdb  # noqa: PLC0415
    import scipy.optimize  # noqa: PLC0415 - the fit loads it
    import scipy.special  # noqa: F401, PLC0415
    from decision_models import load_policy  # noqa: PLC0415
    from model_sql import Models, p_alive_sql  # noqa: PLC0415

    from pipelines import control  # noqa: PLC0415
    from pipelines.settings import load_profile  # noqa: PLC0415

    config = this.given["duckdb"] | {"temp_directory": str(this.folder / "spill")}
    with duckdb.connect(config=config) as con:
        con.execute(f"create schema {SCHEMA}")
        load_policy(con, SCHEMA, SEEDS)
        control.write_profile(con, load_profile("demo"), "benchmark")
        this.start()
        _read(con, this)
        this.done("facts")
        Models(SCHEMA).make(con, "marts/int_customer_rfm")
        this.done("rfm")
        model = _fit(con, this.given["fit_sample"])
        this.found["model"] = {name: getattr(model, name) for name in ("r", "alpha", "a", "b")}
        this.done("fit")
        known = ("life.repeats", "life.age_at_last", "life.age")
        con.execute(
            f"""
            create table result as
            select rfm.*, {p_alive_sql(this.found["model"], known)} as p_alive
            from {SCHEMA}.int_customer_rfm as rfm
            inner join life using (customer_id)
            """
        )
        this.done("p_alive")
        this.stop()
        con.execute(f"copy result to '{this.result}' (format parquet)")


def _read(con: "duckdb.DuckDBPyConnection", this: Run) -> None:
    con.execute(
        f"""
        create table {SCHEMA}.int_as_of_date as select date '{this.as_of_date}' as as_of_date;

        create table {SCHEMA}.int_revenue_day as
        select
            customer_id,
            cast(ordered_at as date) as booked_on,
            sum(cast(amount as decimal(18, 2))) as net_amount
        from read_parquet('{this.lines}')
        group by all;

        create view {SCHEMA}.int_kept_day as
        select customer_id, booked_on as purchased_on, cast(null as date) as emptied_on
        from {SCHEMA}.int_revenue_day;

        create table life as
        select
            customer_id,
            count(*) - 1 as repeats,
            max(purchased_on) - min(purchased_on) as age_at_last,
            date '{this.as_of_date}' - min(purchased_on) as age
        from {SCHEMA}.int_kept_day
        group by customer_id;
        """
    )


def _fit(con: "duckdb.DuckDBPyConnection", sample: int) -> "MbgCnbd":
    import numpy as np  # noqa: PLC0415

    from pipelines.dormancy.histories import Histories  # noqa: PLC0415
    from pipelines.dormancy.mbg_cnbd import fit_mbg_cnbd  # noqa: PLC0415

    found = con.execute(
        "select repeats, age_at_last, age from life order by md5(cast(customer_id as varchar)) limit ?",
        [sample],
    ).fetchnumpy()
    repeats, age_at_last, age = (np.asarray(found[name], dtype=float) for name in found)
    nothing = np.zeros(len(repeats))
    histories = Histories(
        category=np.full(len(repeats), "all", dtype=object),
        category_customers=nothing + len(repeats),
        is_pooled=nothing == 0,
        repeats=repeats,
        age_at_last=age_at_last,
        age=age,
        # With k = 1 the gaps between are of no account.
        sum_log_gaps=nothing,
        own_horizon_days=nothing,
        next_after_days=nothing + np.inf,
    )
    return fit_mbg_cnbd(histories, 1)


if __name__ == "__main__":
    main("ours_narrow", run, ("duckdb", "numpy", "scipy"))
