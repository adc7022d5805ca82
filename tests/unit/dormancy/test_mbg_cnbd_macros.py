"""The formulas in SQL give what the formulas in Python give."""

import duckdb
import jinja2
import numpy as np
import pytest
from scipy.special import logit

from pipelines.dormancy.mbg_cnbd import MbgCnbd
from pipelines.settings import PROJECT_DIR

KNOWN = ("repeats", "age_at_last", "age")


@pytest.fixture(scope="module")
def macros():
    file = PROJECT_DIR / "dbt_project" / "macros" / "mbg_cnbd.sql"
    return jinja2.Template(file.read_text(encoding="utf-8")).module


@pytest.fixture(scope="module")
def customers():
    """Histories of up to twenty years, integers as in the models; and their table."""
    random = np.random.default_rng(7)
    age = random.integers(0, 7300, 3000)
    repeats = np.where(random.random(3000) < 0.3, 0, random.integers(1, 400, 3000))
    age_at_last = np.where(repeats > 0, (age * random.random(3000)).astype(int), 0)
    with duckdb.connect() as con:
        con.execute("create table customer (id integer, repeats integer, age_at_last integer, age integer)")
        con.execute(
            "insert into customer select unnest($id), unnest($repeats), unnest($age_at_last), unnest($age)",
            {
                "id": list(range(3000)),
                "repeats": repeats.tolist(),
                "age_at_last": age_at_last.tolist(),
                "age": age.tolist(),
            },
        )
        yield con, tuple(values.astype(float) for values in (repeats, age_at_last, age))


def scored(con, expression):
    return con.execute(f"select cast({expression} as double) as it from customer order by id").fetchnumpy()[
        "it"
    ]


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(
    "parameters", [(0.8, 25.0, 0.7, 2.4), (40.0, 0.5, 1e-5, 1e5), (0.01, 4000.0, 30.0, 0.01)]
)
def test_sql_and_python_agree(macros, customers, k, parameters):
    con, known = customers
    model = MbgCnbd(k, *parameters, log_likelihood=-1.0)
    # As columns of a fit: doubles, and k an integer.
    r, alpha, a, b = (f"{value!r}::double" for value in parameters)

    gap = scored(con, macros.mbg_cnbd_gap_days(k, r, alpha, "repeats", "age_at_last"))
    alive = scored(con, macros.mbg_cnbd_p_alive(k, r, alpha, a, b, *KNOWN))
    assert gap == pytest.approx(model.expected_gap_days(known[0], known[1]), rel=1e-9)
    assert alive == pytest.approx(model.p_alive(*known), rel=1e-8, abs=1e-300)
    for horizon in (14, 180):
        active = scored(con, macros.mbg_cnbd_p_active(k, r, alpha, a, b, *KNOWN, horizon))
        assert active == pytest.approx(model.p_active(*known, horizon), rel=1e-8, abs=1e-14)
        assert ((active >= 0) & (active <= alive)).all()


def test_log_odds_and_back(macros):
    with duckdb.connect() as con:
        for p in (1e-11, 0.3, 0.999):
            sql = macros.log_odds(f"{p!r}::double")
            assert con.execute(f"select {sql}").fetchone()[0] == pytest.approx(logit(p), rel=1e-9)
            back = macros.probability_of(macros.log_odds(f"{p!r}::double"))
            assert con.execute(f"select {back}").fetchone()[0] == pytest.approx(p, rel=1e-9)
        for certain in ("0.0", "1.0"):
            assert abs(con.execute(f"select {macros.log_odds(certain + '::double')}").fetchone()[0]) < 28
        assert con.execute(f"select {macros.probability_of('-1e9::double')}").fetchone()[0] == pytest.approx(
            0
        )
