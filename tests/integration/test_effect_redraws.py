"""`benchmarks/effect_redraws.py` in short: 200 redraws, judged with the error that so few leave."""

import json
import sys

import numpy as np
import pytest

from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

import effect_redraws
from effect_redraws import Report

REDRAWS = 200


def figures(section, redraws=REDRAWS):
    report = Report()
    section(report, np.random.default_rng(7), redraws)
    return report.figures


def error(share, redraws=REDRAWS):
    """Four standard errors."""
    return 4 * np.sqrt(share * (1 - share) / redraws)


@pytest.fixture(autouse=True)
def few_cells(monkeypatch):
    monkeypatch.setattr(effect_redraws, "ARMS", ((1_000, 1_000), (1_800, 200)))
    monkeypatch.setattr(effect_redraws, "BASES", (0.05,))
    monkeypatch.setattr(effect_redraws, "LIFTS", (0.0, 0.05))


def test_intervals_contain_the_true_lift():
    found = figures(effect_redraws.coverage)

    assert len(found) == 4
    for covered in found.values():
        assert covered == pytest.approx(0.95, abs=error(0.05, effect_redraws.FINER * REDRAWS))


def test_without_an_effect_none_is_claimed_and_four_of_five_are_found():
    found = figures(effect_redraws.campaigns)

    for metric in effect_redraws.KINDS:
        for verdict in ("effective", "harmful"):
            most = 0.025 + error(0.025, effect_redraws.FINER * REDRAWS)
            assert found[f"{verdict} without effect, {metric}, highest cell"] < most
        assert found[f"power at the minimum detectable effect, {metric}"] == pytest.approx(
            0.8, abs=error(0.8)
        )
    told = [share for name, share in found.items() if "among undecided" in name]
    assert told == [1.0] * 4


def test_thirty_segments_without_an_effect_do_not_find_one():
    found = figures(effect_redraws.segments)

    for name, share in found.items():
        if name.startswith("false"):
            assert share < 0.03 + error(0.03), name
    assert found["without adjustment, conversion, 500 and 500"] > 0.3


def test_looking_every_day_does_no_harm_unless_one_judges_too(monkeypatch):
    monkeypatch.setattr(effect_redraws, "LOOKS", 10)
    rng = np.random.default_rng(7)

    found = effect_redraws.ever_said(
        [effect_redraws.draw(rng, each, 0.05, (REDRAWS, 10)) for each in (600, 67)]
    )

    for metric in effect_redraws.KINDS:
        assert found["once", metric, "effective"] < 0.025 + error(0.025)
        assert found["any", metric, "either"] < 0.05 + error(0.05)
        assert found["naive", metric, "either"] > 0.1


def test_wrong_splits_are_found_and_right_ones_are_not():
    found = figures(effect_redraws.split)

    for name, share in found.items():
        if "right split" in name:
            assert share < 0.001 + error(0.001, 50 * REDRAWS), name
        else:
            assert share > 0.95, name


def test_a_missed_target_is_said_and_ends_with_an_error(capsys, monkeypatch):
    monkeypatch.setattr(effect_redraws, "FEWEST_FOUND_SPLITS", 1.01)
    monkeypatch.setattr(effect_redraws, "MOST_FALSE_SPLITS", 1.0)

    assert effect_redraws.main(["--section", "split", "--redraws", "20"]) == 1

    printed = capsys.readouterr().out
    assert printed.count("MISSED") == 2
    assert "2 targets missed: invalid_split, 48 to 52" in printed
    assert len(json.loads(printed.splitlines()[-2])["missed"]) == 2
