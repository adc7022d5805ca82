"""`make evaluate-dormancy` in short: it runs, it finds missed targets, and says what it did not evaluate."""

import json
import os
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

import dormancy_speed
import evaluate_dormancy
from dormancy_holdout import CHOSEN, P_ALIVE, RATIO, RECENCY, hold_out
from dormancy_reference import MIXTURE_CUTOFF, SETS, load, open_mixture, open_shop
from dormancy_value import fit_gamma_gamma, judge_worth


@pytest.fixture(scope="module")
def reference_data(require_absent) -> Path:
    folder = Path(os.environ.get("WINBACK_REFERENCE_DATA", PROJECT_DIR.parent / "shared" / "data"))
    if not all((folder / chosen.file).is_file() for chosen in SETS):
        require_absent(f"no reference data in {folder}; WINBACK_REFERENCE_DATA names the folder")
    return folder


def test_reference_data_that_is_not_there_is_not_evaluated(tmp_path, capsys):
    arguments = ["--data", str(tmp_path), "--section", "published", "held-out", "mixture", "value"]

    assert evaluate_dormancy.main(arguments) == 0

    printed = capsys.readouterr().out
    assert printed.count("not evaluated") == 1 + 3 + 1 + 3
    assert json.loads(printed.splitlines()[-1]) == {"figures": {}, "missed": []}


def test_a_missed_target_is_said_and_ends_with_an_error(capsys, monkeypatch):
    monkeypatch.setattr(
        evaluate_dormancy.dormancy_speed, "measure", lambda what: {"seconds": 7.5, "peak_mb": 100.0}
    )

    assert evaluate_dormancy.main(["--section", "speed"]) == 1

    printed = capsys.readouterr().out
    assert printed.count("MISSED") == 2
    assert "2 targets missed: fit of 25,000 customers, seconds; scoring of" in printed


def test_speed_is_measured_in_its_own_process():
    found = dormancy_speed.measure("fitting")

    assert found["seconds"] > 0
    assert found["peak_mb"] > 10


def test_generated_customers_come_from_the_model_of_the_speed_test():
    found = dormancy_speed.generated_histories(2000, seed=3)

    assert (found.age_at_last <= found.age).all()
    assert ((found.repeats == 0) == (found.age_at_last == 0)).all()
    assert 1 < found.repeats.mean() < 20


def test_gamma_gamma_finds_what_made_the_amounts():
    random = np.random.default_rng(2)
    days = random.integers(1, 12, 5000).astype(float)
    scale = random.gamma(3.0, 1 / 20.0, 5000)
    mean = random.gamma(6.0 * days, 1.0) / scale / days

    found = fit_gamma_gamma(days, mean)

    assert (found.p, found.q, found.v) == pytest.approx((6.0, 3.0, 20.0), rel=0.15)
    assert found.expected(days, mean).mean() == pytest.approx(6.0 * 20.0 / (3.0 - 1), rel=0.1)


def test_the_published_fits_are_met(reference_data, capsys):
    arguments = ["--data", str(reference_data), "--section", "published"]

    assert evaluate_dormancy.main(arguments) == 0
    assert capsys.readouterr().out.count(" met\n") == 9


def test_a_shop_and_a_mixture_are_judged(reference_data):
    """Online Retail II alone, on the window of the DESIGN; then few customers of each."""
    with duckdb.connect() as con:
        assert all(load(con, chosen, reference_data) for chosen in SETS)
        gifts = next(chosen for chosen in SETS if chosen.name == "online_retail_ii")
        open_shop(con, gifts)
        found = hold_out(con, gifts.cutoff, gifts.horizon_days)
        assert found.auc(CHOSEN) > found.auc(RECENCY) + 0.05
        assert found.auc(RATIO) < found.auc(RECENCY)
        assert found.auc(P_ALIVE) < found.auc(CHOSEN)
        flagged = found.flagged_by(40)
        assert found.precision(CHOSEN, flagged) > found.precision(RECENCY, flagged)
        worth = judge_worth(con, found)
        assert worth.next_day["Bühlmann"].mean_absolute_error < (
            worth.next_day["category mean"].mean_absolute_error
        )
        assert 0.5 < worth.horizon["P(alive) · H ÷ gap by now, Bühlmann"].total_ratio < 1.5

        open_mixture(con, SETS, customers=400, seed=7)
        assert con.execute(
            "select category, count(distinct customer_id) from core.int_kept_category_day "
            "group by all order by all"
        ).fetchall() == [("cdnow", 400), ("complete_journey", 400), ("online_retail_ii", 400)]
        mixed = hold_out(con, MIXTURE_CUTOFF, 60)
        assert {fit.model_category for fit in mixed.fit.fits} == {"all", *(chosen.name for chosen in SETS)}
        assert mixed.auc(CHOSEN) > mixed.auc(RECENCY)


def test_the_shops_are_those_of_the_real_runs(reference_data):
    """Buyers and purchase-days as tests/pipeline/figures.yaml has them."""
    with duckdb.connect() as con:
        for chosen in SETS:
            assert load(con, chosen, reference_data)
        for name, day, expected in (
            ("complete_journey", date(2017, 12, 31), (2469, 127347)),
            ("complete_journey", date(2017, 6, 30), (2393, 62669)),
            ("online_retail_ii", date(2011, 12, 9), (5840, 32704)),
            ("online_retail_ii", date(2010, 12, 31), (4303, 17313)),
        ):
            found = con.execute(
                f"""
                select count(distinct customer_id), count(*) from {name}.int_kept_category_day
                where purchased_on <= $day and (emptied_on is null or emptied_on > $day)
                """,
                {"day": day},
            ).fetchone()
            assert found == expected, (name, day)
