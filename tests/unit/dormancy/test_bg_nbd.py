"""BG/NBD, whose published fit vouches for the fitting code."""

import os
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pipelines.dormancy.bg_nbd import PUBLISHED, fit_bg_nbd
from pipelines.settings import PROJECT_DIR


def simulated(customers, *, r, alpha, a, b, seed):
    """Exponential gaps with a rate from Gamma(r, alpha); after each repeat purchase some leave for good."""
    random = np.random.default_rng(seed)
    age = random.uniform(20, 80, customers)
    gaps = random.exponential(1.0, (customers, 200)) / random.gamma(r, 1 / alpha, customers)[:, np.newaxis]
    ages = np.cumsum(gaps, axis=1)
    stays_for = random.geometric(random.beta(a, b, customers))
    bought = (ages <= age[:, np.newaxis]) & (np.arange(200) < stays_for[:, np.newaxis])
    return bought.sum(axis=1).astype(float), np.where(bought, ages, 0).max(axis=1), age


def test_simulated_customers_give_their_parameters_back():
    found = fit_bg_nbd(*simulated(8000, r=1.2, alpha=8.0, a=0.8, b=2.5, seed=3))

    assert found.r == pytest.approx(1.2, rel=0.1)
    assert found.alpha == pytest.approx(8.0, rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(0.8 / 3.3, abs=0.03)


@pytest.fixture(scope="module")
def cdnow_sample(require_absent):
    folder = Path(os.environ.get("WINBACK_REFERENCE_DATA", PROJECT_DIR.parent / "shared" / "data"))
    file = folder / "cdnow" / "cdnow_sample.parquet"
    if not file.is_file():
        require_absent(f"{file} is not there; WINBACK_REFERENCE_DATA names the folder of the reference data")
    return file


def test_the_cdnow_sample_gives_the_published_fit(cdnow_sample):
    with duckdb.connect() as con:
        found = con.execute(
            f"""
            select
                cast(count(distinct date) - 1 as double), (max(date) - min(date)) / 7,
                (date '1997-09-30' - min(date)) / 7
            from read_parquet('{cdnow_sample}')
            where date <= date '1997-09-30'
            group by sample_customer_id order by sample_customer_id
            """
        ).fetchnumpy()

    fit = fit_bg_nbd(*(np.asarray(values) for values in found.values()))

    for name, value in PUBLISHED.items():
        assert round(getattr(fit, name), 1 if name == "log_likelihood" else 3) == value, name
