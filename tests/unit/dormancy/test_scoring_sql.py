"""The dbt macros of the model against the Python that fits it, and the search for a customer's own X."""

import duckdb
import jinja2
import numpy as np
import polars as pl
import pytest

from pipelines.dormancy.mbg_cnbd import SHAPES, MbgCnbd
from pipelines.settings import PROJECT_DIR

MACROS = PROJECT_DIR / "dbt_project" / "macros"


@pytest.fixture(scope="module")
def sql():
    """The macros as functions that return SQL; they need nothing of dbt."""
    source = "".join((MACROS / f"{name}.sql").read_text("utf-8") for name in ("mbg_cnbd", "last_likely_day"))
    return jinja2.Environment().from_string(source).module


def histories(count, k, seed=5):
    """Customers of every length: bought today and twenty years ago, once and five hundred times."""
    random = np.random.default_rng(seed)
    age_at_last = np.floor(np.exp(random.uniform(0, np.log(7300), count)) - 1)
    repeats = np.where(age_at_last > 0, np.floor(1 + random.exponential(8, count)), 0)
    repeats[:3] = 0, 500, 1
    age_at_last[:3] = 0, 7300, 7300
    silent = np.floor(np.exp(random.uniform(0, np.log(7300), count)) - 1)
    return pl.DataFrame(
        {
            "model_version": ["v"] * count,
            "model_category": ["c"] * count,
            "customer": range(count),
            "k": [float(k)] * count,
            "r": np.exp(random.uniform(-2, 2, count)),
            "alpha": np.exp(random.uniform(0, 6, count)),
            "a": np.exp(random.uniform(-6, 2, count)),
            "b": np.exp(random.uniform(-2, 6, count)),
            "repeats": repeats,
            "age_at_last_days": age_at_last,
            "age": age_at_last + silent,
            "horizon_days": random.integers(14, 181, count).astype(float),
        }
    )


def in_python(rows, horizon):
    found = [
        (
            model.p_alive(*known),
            model.p_active(*known, horizon(row)),
            model.expected_gap_days(known[0], known[1]),
        )
        for row in rows.iter_rows(named=True)
        for model in [MbgCnbd(int(row["k"]), row["r"], row["alpha"], row["a"], row["b"], 0.0)]
        for known in [tuple(np.array(row[name]) for name in ("repeats", "age_at_last_days", "age"))]
    ]
    return np.array(found, dtype=float)


@pytest.mark.parametrize("k", SHAPES)
def test_sql_and_python_score_alike(sql, k):
    rows = histories(2_000, k)
    parameters = ("k", "r", "alpha", "a", "b", "repeats", "age_at_last_days", "age")
    with duckdb.connect() as con:
        con.register("history", rows)
        scored = con.execute(
            f"""
            select
                {sql.mbg_cnbd_p_alive(*parameters)},
                {sql.mbg_cnbd_p_active(*parameters, "horizon_days")},
                {sql.mbg_cnbd_gap_days("k", "r", "alpha", "repeats", "age_at_last_days")}
            from history order by customer
            """
        ).fetchall()

    ours = in_python(rows, lambda row: row["horizon_days"])
    scored = np.array(scored, dtype=float)
    assert np.isfinite(scored).all()
    assert np.abs(scored[:, :2] - ours[:, :2]).max() < 1e-8
    assert np.abs(scored[:, 2] / ours[:, 2] - 1).max() < 1e-8


@pytest.mark.parametrize("k", SHAPES)
def test_the_last_likely_day_is_the_last(sql, k):
    rows = histories(60, k, seed=6).with_columns(threshold=pl.lit("dormant"), p_threshold=pl.lit(0.5))
    days = np.arange(9_000)
    expected = {}
    for row in rows.iter_rows(named=True):
        model = MbgCnbd(k, row["r"], row["alpha"], row["a"], row["b"], 0.0)
        known = np.full(len(days), row["repeats"]), np.full(len(days), row["age_at_last_days"])
        p_active = model.p_active(*known, known[1] + days, row["horizon_days"])
        likely = np.flatnonzero(p_active >= row["p_threshold"])
        expected[row["customer"]] = int(likely[-1]) if len(likely) else -1
    with duckdb.connect() as con:
        con.register("thresholds", rows.drop("age"))
        found = dict(
            con.execute(
                f"select customer, last_likely_day from {sql.last_likely_day('thresholds')}"
            ).fetchall()
        )

    within = {customer: day for customer, day in expected.items() if day <= 8_192}
    assert len(set(within.values())) > 10, "the histories differ"
    assert {customer: found[customer] for customer in within} == within


def test_unknown_stays_unknown(sql):
    with duckdb.connect() as con:
        (probability, log_odds, low, high) = con.execute(
            f"select {sql.probability_of('null::double')}, {sql.log_odds('null::double')}, "
            f"{sql.probability_of('-1e9')}, {sql.log_odds('1.0')}"
        ).fetchone()
    assert (probability, log_odds, low) == (None, None, 0.0)
    assert np.isfinite(high)
