"""The benchmark beside peers at a smaller size: it runs, and finds out whose results are others."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

import peer_ours
import peer_ours_narrow
import peer_run
import peers

CUSTOMERS = 500


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The facts, and what ours and Polars have found of them."""
    folder = tmp_path_factory.mktemp("peers")
    setup = peers.Setup(("ours", "polars"), {}, repeats=1, memory_limit="1GB", threads=2)
    assert peers.prepare(folder, CUSTOMERS, 1, setup)["customers"] == CUSTOMERS
    ours = run_here(peer_ours.run, folder, "ours").found
    for found in (ours, peers.run_once("polars", folder, setup)):
        assert found["seconds"] == pytest.approx(sum(found["parts"].values()))
        assert found["peak_rss_bytes"] > 0
    return folder


def run_here(run: Callable[[peer_run.Run], None], folder: Path, name: str) -> peer_run.Run:
    """A peer in this process, which has its libraries."""
    given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
    this = peer_run.Run(folder, given, folder / f"{name}.parquet")
    run(this)
    return this


def test_ours_and_polars_find_the_same(folder):
    same_scores(peers.agreement(folder, "polars", peers.MODEL))
    assert pl.read_parquet(folder / "ours.parquet").height == CUSTOMERS


def test_the_narrow_form_of_ours_finds_the_same(folder):
    found = run_here(peer_ours_narrow.run, folder, "ours_narrow").found

    same_scores(peers.agreement(folder, "ours_narrow", found["model"]))


def same_scores(agreement: dict) -> None:
    assert agreement.pop("p_alive_difference") <= peers.MAX_DIFFERENCE
    # Ties share a score in all of them.
    assert agreement == {"r_scores_otherwise": 0, "f_scores_otherwise": 0, "m_scores_otherwise": 0}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"monetary": pl.col("monetary") + 0.01}, "monetary_differs"),
        ({"m_score": 6 - pl.col("m_score")}, "m_score_is_wrong"),
        ({"p_alive": pl.col("p_alive") + 1e-8}, "p_alive_differs"),
        ({"customer_id": pl.col("customer_id") + 1}, "is_alone"),
    ],
)
def test_other_results_stop_the_benchmark(folder, changed, named):
    pl.read_parquet(folder / "polars.parquet").with_columns(**changed).write_parquet(folder / "other.parquet")

    with pytest.raises(SystemExit, match=rf"'{named}': [1-9].*nothing was measured"):
        peers.agreement(folder, "other", peers.MODEL)


def test_the_target_is_judged_from_a_million_customers_up(capsys):
    def found(customers: int, ratio: float) -> dict:
        return {"customers": customers, "methods": {"lifetimes": {"ratio_to_ours": ratio}}}

    assert peers.judge(found(1_000_000, 19.9)) == [
        "RFM and dormancy at least 20 times as fast as pandas with lifetimes"
    ]
    assert "19.90 MISSED" in capsys.readouterr().out
    assert peers.judge(found(1_000_000, 20.0)) == []
    assert "20.00 met" in capsys.readouterr().out
    assert peers.judge(found(20_000, 1.0)) == []
    assert peers.judge({"customers": 1_000_000, "methods": {}}) == []


def test_what_is_not_installed_is_not_measured():
    assert peers.missing(["ours", "polars", "lifetimes"], {"lifetimes": sys.executable}) == ["lifetimes"]
