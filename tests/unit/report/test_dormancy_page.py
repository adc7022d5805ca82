"""The page of an evaluation run: sections from a benchmark's figures, and a page that stands alone."""

import re
import sys
from pathlib import Path

import pytest

from pipelines.report.charts import NARROW_PX, WIDE_PX, Canvas, svg
from pipelines.report.section import Cell, Section
from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

import dormancy_page

METHODS = [
    {"data_set": "cdnow", "method": "tuned_x", "auc": 0.763, "label": "shop_horizon", "customers": 2357},
    {"data_set": "cdnow", "method": "mbg_cnbd_2", "auc": 0.768, "label": "shop_horizon", "chosen": True},
    {"data_set": "retail", "method": "tuned_x", "auc": 0.700, "calibration_error": 0.02},
    {"data_set": "retail", "method": "mbg_cnbd_1", "auc": 0.693, "calibration_error": float("nan")},
    {"data_set": "retail", "method": "recency_isotonic", "auc": None},
]
CURVES = [
    {"data_set": data_set, "method": method, "customers": 10, "foretold": share, "observed": share + shift}
    for data_set, shift in (("cdnow", 0.01), ("retail", -0.04))
    for method in ("mbg_cnbd_2", "tuned_x")
    for share in (0.1, 0.3, 0.5)
]
CONFUSION = {
    ("bad_experience", "bad_experience"): 60,
    ("bad_experience", "unknown"): 30,
    ("bad_experience", "brand_fade"): 10,
    ("brand_fade", "brand_fade"): 90,
    ("brand_fade", "price_competition"): 10,
    ("price_competition", "brand_fade"): 0,
}


def _texts(section: Section) -> list[list[str]]:
    assert section.table is not None
    return [[cell.text if isinstance(cell, Cell) else cell for cell in row] for row in section.table.rows]


def _sections() -> list[Section]:
    return [
        dormancy_page.methods_section(METHODS),
        dormancy_page.calibration_section(CURVES),
        dormancy_page.confusion_section(CONFUSION),
    ]


def test_methods() -> None:
    section = dormancy_page.methods_section(METHODS)
    assert section.reading == (
        "In 1 of 2 comparisons the best other method ranks sleepers better than the best X days; on average "
        "its AUC differs by −0.001."
    )
    assert _texts(section)[1:] == [
        ["Model, k = 2 ✓", "–", "0.768", "–"],
        ["Best X days", "–", "0.700", "0.020"],
        ["Model, k = 1", "–", "0.693", "–"],
        ["Recency isotonic", "–", "–", "–"],
    ]


def test_calibration() -> None:
    section = dormancy_page.calibration_section(CURVES)
    assert "by 1.0 points on average (cdnow, model, k = 2) to 4.0 (retail, model, k = 2)" in section.reading
    assert _texts(section)[0] == ["cdnow", "30", "30.0%", "31.0%", "1.0"]


def test_confusion() -> None:
    section = dormancy_page.confusion_section(CONFUSION)
    assert section.reading == (
        "Of 200 sleepers 75.0% have the true reason, 15.0% unknown though there is one and 10.0% a wrong one."
    )
    assert _texts(section) == [
        ["Bad experience", "100", "60", "60.0%", "100.0%", "unknown 30.0%"],
        ["Brand fade", "100", "100", "90.0%", "90.0%", "price competition 10.0%"],
        ["Price competition", "0", "10", "–", "0.0%", "–"],
        ["Unknown", "0", "30", "–", "0.0%", "–"],
    ]


@pytest.mark.parametrize("width", [WIDE_PX, NARROW_PX])
def test_charts_fit_desk_and_phone(width: int) -> None:
    for section in _sections():
        assert section.chart is not None
        drawn = svg(section.chart, width)
        assert int(re.findall(r'<svg [^>]*?width="(\d+)"', drawn)[0]) <= width, section.slug


def test_nothing_measured_is_said() -> None:
    for section in (
        dormancy_page.methods_section([]),
        dormancy_page.calibration_section([]),
        dormancy_page.confusion_section({}),
    ):
        assert section.reading.endswith(".")
        assert section.chart is None
        assert section.table is None


def test_a_method_that_nobody_could_judge_has_no_chart() -> None:
    section = dormancy_page.methods_section([{"data_set": "cdnow", "method": "tuned_x", "auc": None}])
    assert section.chart is None
    assert _texts(section) == [["Best X days", "–"]]


def test_page_stands_alone(tmp_path: Path) -> None:
    page = dormancy_page.write_page(tmp_path / "evaluation", "Who sleeps <and why>", _sections())
    assert page == tmp_path / "evaluation" / "index.html"
    assert [file.name for file in page.parent.iterdir()] == ["index.html"]
    text = page.read_text(encoding="utf-8")
    assert "<title>Who sleeps &lt;and why&gt; · Winback</title>" in text
    assert "Winback evaluation" in text
    assert "The query" not in text
    assert "As of" not in text
    assert not re.findall(r"<(?:script|link|img|iframe|object)\b", text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    assert not re.findall(r"\b(?:nan|None|null|inf)\b", words, re.IGNORECASE)
    before = page.read_bytes()
    assert dormancy_page.write_page(page.parent, "Who sleeps <and why>", _sections()).read_bytes() == before


def test_sections_of_a_page_differ(tmp_path: Path) -> None:
    section = dormancy_page.confusion_section(CONFUSION)
    with pytest.raises(ValueError, match="confusion"):
        dormancy_page.write_page(tmp_path, "Twice", [section, section])
    assert not list(tmp_path.iterdir())


def test_colours_of_the_confusion_are_of_the_row() -> None:
    section = dormancy_page.confusion_section({("brand_fade", "brand_fade"): 1})
    assert section.chart is not None
    assert any("heat_5" in mark for mark in section.chart(Canvas(WIDE_PX)).marks)
