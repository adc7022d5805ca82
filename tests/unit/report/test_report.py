"""The report as a reader gets it: what it says, that it is whole, safe, and the same each time."""

import html
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.report import Report, write_report
from pipelines.report.charts import NARROW_PX, WIDE_PX

AS_OF_DATE = date(2024, 6, 30)
TITLES = [
    "At a glance",
    "Buyers by class",
    "Recency and frequency",
    "Who is asleep",
    "How long they have been silent",
    "The customers&#39; own X",
    "Why they sleep",
    "The model against the best X days",
    "Foretold and observed",
    "Recall decisions",
    "Since the day before",
    "Data taken in",
    "Quality gates",
]
DRAWN = [
    "classes",
    "rfm",
    "dormancy",
    "silence",
    "own_x",
    "reasons",
    "evidence",
    "calibration",
    "decisions",
    "movement",
    "ingestions",
]


def _write(con: duckdb.DuckDBPyConnection, folder: Path) -> Report:
    return write_report(
        con,
        AS_OF_DATE,
        title="Tom & Jerry's <shop>",
        currency="GBP",
        folder=folder,
        reason_descriptions={"awake": "Bought lately"},
    )


@pytest.fixture(scope="module")
def report(shop: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return _write(shop, tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return report.page.read_text(encoding="utf-8")


def test_sections_and_files(report: Report, page: str) -> None:
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == TITLES
    assert report.page == report.page.parent.parent / "as_of=2024-06-30" / "report.html"
    assert list(report.charts) == DRAWN
    assert sorted(path.name for path in report.page.parent.iterdir()) == sorted(
        ["report.html", *(f"{slug}.png" for slug in DRAWN)]
    )
    for image in report.charts.values():
        assert image.read_bytes().startswith(b"\x89PNG")


def test_page_names_the_classes_in_both_languages(page: str) -> None:
    for english, chinese in [
        ("Important value", "重要价值"),
        ("Important development", "重要发展"),
        ("Important retention", "重要保持"),
        ("General", "一般"),
    ]:
        assert f"{english} {chinese}</text>" in page
        assert f'<span class="chinese" lang="zh-Hans">{chinese}</span>' in page


def test_page_names_the_reasons_in_both_languages(page: str) -> None:
    assert "Bad experience 体验不佳</text>" in page
    assert '<span class="chinese" lang="zh-Hans">原因未知</span>' in page


def test_reason_descriptions_are_shown(page: str) -> None:
    assert '<span class="aside">Bought lately</span>' in page


def test_page_needs_nothing_else(page: str) -> None:
    assert not re.findall(r"<(?:script|link|img|iframe|object)\b", page)
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert "url(http" not in page
    assert "@import" not in page


def test_text_from_data_is_text(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Tom &amp; Jerry&#39;s &lt;shop&gt;" in page


def test_ids_are_unique(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_drawings_fit_desk_and_phone(page: str) -> None:
    widths = [int(width) for width in re.findall(r'<svg [^>]*?width="(\d+)"', page)]
    wide, narrow = widths[::2], widths[1::2]
    assert len(widths) == 2 * len(DRAWN)
    assert max(wide) <= WIDE_PX
    assert max(narrow) <= NARROW_PX


def test_same_data_same_bytes(shop: duckdb.DuckDBPyConnection, report: Report, tmp_path: Path) -> None:
    again = _write(shop, tmp_path)
    assert again.page.read_bytes() == report.page.read_bytes()
    for slug, image in report.charts.items():
        assert again.charts[slug].read_bytes() == image.read_bytes(), slug


def test_shown_queries_run_as_they_stand(shop: duckdb.DuckDBPyConnection, page: str) -> None:
    queries = [html.unescape(query) for query in re.findall(r"<pre><code>(.*?)</code>", page, re.DOTALL)]
    assert len(queries) == len(TITLES)
    for query in queries:
        assert shop.execute(query).fetchall(), query


def test_a_shop_without_rows_gets_sentences(empty: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = _write(empty, tmp_path)
    page = report.page.read_text(encoding="utf-8")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == TITLES
    assert all(re.findall(r'<p class="reading">(.*?)</p>', page))
    assert "<svg" not in page
    assert "<table" not in page
    assert not report.charts
    text = re.sub(r"<style>.*?</style>|<details>.*?</details>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert not re.findall(r"\b(?:nan|None|null|inf)\b", text, re.IGNORECASE)


def test_charts_without_data_disappear(
    shop: duckdb.DuckDBPyConnection, empty: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    before = _write(shop, tmp_path)
    _write(empty, tmp_path)
    assert [path.name for path in before.page.parent.iterdir()] == ["report.html"]


def test_a_report_that_fails_leaves_the_old_one(
    changed_shop: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    report = _write(changed_shop, tmp_path)
    before = {path: path.read_bytes() for path in report.page.parent.iterdir()}
    changed_shop.execute("drop table quality.gate_results")
    with pytest.raises(duckdb.CatalogException, match="gate_results"):
        _write(changed_shop, tmp_path)
    assert {path: path.read_bytes() for path in report.page.parent.iterdir()} == before


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, pipelines.report; assert not {'altair', 'vl_convert', 'dagster'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
