"""Fits in the lake: they come back as they were saved, and a file is there whole or not at all."""

import dataclasses
from datetime import date, timedelta

import duckdb
import polars as pl
import pytest

from pipelines.dormancy.calibration import Calibration
from pipelines.dormancy.evaluation import Evaluation, Foretold
from pipelines.dormancy.fits import CategoryFit, WeeklyFit
from pipelines.dormancy.mbg_cnbd import MbgCnbd
from pipelines.dormancy.store import CALIBRATION, EVALUATION, FIT, KINDS, FitStore
from pipelines.dormancy.tuned_x import POOLED, TunedX
from pipelines.dormancy.value import ValuePrior

SUNDAY = date(2024, 6, 30)


def weekly(fitted_on=SUNDAY, *, fits=None):
    rule = TunedX("of the rule", "tea", fitted_on, 300, 20.5, 41, 33, converged=True)
    tea = CategoryFit(
        model_category="tea",
        customers=310,
        rule=rule,
        model=MbgCnbd(2, 0.8, 31.5, 0.7, 2.25, log_likelihood=-1234.5),
        theta=0.45,
        calibration=Calibration(0.1, 0.9),
        refused=False,
        prior=ValuePrior(12.5, 3.25),
    )
    pooled = dataclasses.replace(
        tea,
        model_category=POOLED,
        rule=dataclasses.replace(rule, model_category=POOLED, converged=False),
        model=None,
        theta=None,
        calibration=None,
        refused=True,
    )
    cutoff = fitted_on - timedelta(days=60)
    return WeeklyFit(
        fitted_on,
        (pooled, tea) if fits is None else fits,
        (
            Evaluation(cutoff, 60, "shop_horizon", "tea", "mbg_cnbd_2", 300, 0.4, 0.8, 0.7, 0.3, 0.02, True),
            Evaluation(cutoff, 60, "own_horizon", "tea", "tuned_x", 300, 0.4, 0.7, None, None, None, False),
        ),
        (Foretold(cutoff, "shop_horizon", "tea", "mbg_cnbd_2", 1, 30, 0.1, 0.12),),
    )


def rows(file):
    with duckdb.connect() as con:
        described = {row[0]: row[1].lower() for row in con.execute(f"describe from '{file}'").fetchall()}
        found = con.execute(f"from '{file}'").fetchall()
    return described, [dict(zip(described, row, strict=True)) for row in found]


def test_a_fit_comes_back_as_it_was_made(tmp_path):
    fits, fit = FitStore(tmp_path), weekly()
    assert not fits.has(SUNDAY)
    assert [fits.files(kind) for kind in KINDS] == [[], [], []]

    fits.save(fit)

    assert fits.has(SUNDAY)
    for kind in KINDS:
        (file,) = fits.files(kind)
        described, found = rows(file)
        assert file == tmp_path / kind.folder / "fitted_on=2024-06-30.parquet"
        assert described == kind.columns
        assert {(row["model_version"], row["fitted_on"]) for row in found} == {(fit.model_version, SUNDAY)}

    pooled, tea = rows(fits.files(FIT)[0])[1]
    assert tea == {
        "model_version": fit.model_version,
        "model_category": "tea",
        "method": "mbg_cnbd",
        "fitted_on": SUNDAY,
        "fit_number": 1,
        "backfilled": False,
        "customers": 310,
        "k": 2,
        "r": 0.8,
        "alpha": 31.5,
        "a": 0.7,
        "b": 2.25,
        "tuned_x_days": 33,
        "theta": 0.45,
        "log_likelihood": -1234.5,
        "converged": True,
        "refused": False,
        "median_gap_days": 20.5,
        "horizon_days": 41,
        "calibration_intercept": 0.1,
        "calibration_slope": 0.9,
        "value_weight": 3.25,
        "value_mean": 12.5,
    }
    assert (pooled["method"], pooled["converged"], pooled["refused"]) == ("tuned_x", False, True)
    empty = ("k", "r", "alpha", "a", "b", "theta", "log_likelihood", "calibration_intercept")
    assert {pooled[name] for name in empty} == {None}
    stamp = {"model_version": fit.model_version, "fitted_on": SUNDAY}
    assert rows(fits.files(EVALUATION)[0])[1] == [stamp | dataclasses.asdict(row) for row in fit.evaluations]
    assert rows(fits.files(CALIBRATION)[0])[1] == [stamp | dataclasses.asdict(row) for row in fit.foretold]


def test_fits_are_listed_oldest_first_and_a_later_one_leaves_the_others(tmp_path):
    fits, earlier = FitStore(tmp_path), SUNDAY - timedelta(days=7)
    fits.save(weekly())
    before = fits.files(FIT)[0].read_bytes()

    fits.save(weekly(earlier))

    for kind in KINDS:
        assert [file.name for file in fits.files(kind)] == [
            f"fitted_on={day}.parquet" for day in (earlier, SUNDAY)
        ]
    assert fits.files(FIT)[1].read_bytes() == before


def test_a_past_that_judges_nothing_leaves_empty_files(tmp_path):
    fits = FitStore(tmp_path)

    fits.save(dataclasses.replace(weekly(), evaluations=(), foretold=()))

    for kind in (EVALUATION, CALIBRATION):
        described, found = rows(fits.files(kind)[0])
        assert (described, found) == (kind.columns, [])


def test_a_fit_of_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="the fit of 2024-06-30 has no category"):
        FitStore(tmp_path).save(weekly(fits=()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("breaks_at", [1, 2, 3])
def test_what_breaks_off_leaves_no_fit_and_is_made_good_by_the_next(tmp_path, monkeypatch, breaks_at):
    """The disk is full while one of the three files is written: the fit is then not there."""
    fits, whole, calls = FitStore(tmp_path), pl.DataFrame.write_parquet, []

    def write(frame, file, *arguments):
        calls.append(file)
        if len(calls) == breaks_at:
            file.write_bytes(b"half")
            raise OSError("no space left on device")
        return whole(frame, file, *arguments)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", write)
    with pytest.raises(OSError, match="no space"):
        fits.save(weekly())
    assert not fits.has(SUNDAY)
    for kind in KINDS:
        for file in fits.files(kind):
            assert rows(file)[0] == kind.columns

    fits.save(weekly())

    assert fits.has(SUNDAY)
    assert [len(rows(fits.files(kind)[0])[1]) for kind in KINDS] == [2, 2, 1]


def test_fits_are_numbered_as_time_goes_on_and_those_of_older_dates_stand_apart(tmp_path):
    fits = FitStore(tmp_path)
    week = timedelta(days=7)

    for day in (SUNDAY, SUNDAY - 10 * week, SUNDAY + week, SUNDAY - 5 * week, SUNDAY + 2 * week):
        fits.save(weekly(day))

    found = [row for file in fits.files(FIT) for row in rows(file)[1]]
    assert {row["fitted_on"]: (row["fit_number"], row["backfilled"]) for row in found} == {
        SUNDAY: (1, False),
        SUNDAY - 10 * week: (1, True),
        SUNDAY + week: (2, False),
        SUNDAY - 5 * week: (2, True),
        SUNDAY + 2 * week: (3, False),
    }
