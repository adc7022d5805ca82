"""The report as a reader gets it: what it says, that it is whole, safe, and the same each time."""

import base64
import hashlib
import html
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from reading import AS_OF_DATE, POLICY

from pipelines.report import Report, write_report
from pipelines.report.charts import NARROW_PX, WIDE_PX
from pipelines.report.page import Edition, page_of
from pipelines.report.section import Section
from pipelines.report.wording import Language, Wording

TITLES = {
    "At a glance": "概览",
    "Targets": "目标达成",
    "From message to purchase": "从触达到购买",
    "What really worked": "真正的效果",
    "Cost and return": "成本与回报",
    "Learned: what brings people back": "经验：什么让客户回来",
    "Learned: who responds where": "经验：谁在哪里响应",
    "Buyers by class": "客户分层",
    "Recency and frequency": "最近购买与购买频次",
    "Between classes": "客户分层的变化",
    "Who keeps buying": "首购客户留存",
    "Who is asleep": "谁在沉睡",
    "Sleep over time": "沉睡趋势",
    "Between dormancy states": "沉睡状态的变化",
    "How long they have been silent": "沉默了多久",
    "The customers' own X": "每位客户自己的 X 天",
    "Why they sleep": "为何沉睡",
    "Asleep again": "再次沉睡",
    "The model against the best X days": "模型与最优 X 天规则的比较",
    "Foretold and observed": "预测与实际",
    "Recall decisions": "召回决策",
    "Data taken in": "数据接入",
    "Quality gates": "质量关卡",
}
DRAWN = [
    "funnel",
    "true_effect",
    "cost",
    "learned_lift",
    "response",
    "classes",
    "rfm",
    "class_movement",
    "retention",
    "dormancy",
    "trend",
    "state_movement",
    "silence",
    "own_x",
    "reasons",
    "redormancy",
    "evidence",
    "calibration",
    "decisions",
    "ingestions",
]


def _write(
    con: duckdb.DuckDBPyConnection, folder: Path, *, day: date = AS_OF_DATE, language: Language = "en"
) -> Report:
    return write_report(
        con,
        day,
        title="Tom & Jerry's <shop>",
        currency="GBP",
        folder=folder,
        language=language,
        policy=POLICY,
    )


def _headings(page: str) -> list[str]:
    return [html.unescape(title) for title in re.findall(r"<h2[^>]*>(.*?)</h2>", page)]


def _words(page: str) -> str:
    """What a reader reads, without queries."""
    hidden = r"<style>.*?</style>|<script>.*?</script>|<details>.*?</details>|<[^>]+>"
    return re.sub(hidden, " ", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def report(shop: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return _write(shop, tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return report.page.read_text(encoding="utf-8")


def test_sections_and_files(report: Report, page: str) -> None:
    assert _headings(page) == [title for pair in TITLES.items() for title in pair]
    assert report.page == report.page.parent.parent / "as_of=2024-06-30" / "report.html"
    assert list(report.charts) == DRAWN
    assert sorted(path.name for path in report.page.parent.iterdir()) == sorted(
        ["report.html", *(f"{slug}.png" for slug in DRAWN)]
    )
    for image in report.charts.values():
        assert image.read_bytes().startswith(b"\x89PNG")


def test_each_language_is_marked(page: str) -> None:
    sections = re.findall(r'<section class="in-(\w+)" lang="([\w-]+)" aria-labelledby="\w+-(\w+)">', page)
    assert sections == [("en", "en", "en"), ("zh", "zh-Hans", "zh")] * len(TITLES)


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-Hans")])
def test_the_page_opens_in_the_language_of_the_shop(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path, language: Language, tag: str
) -> None:
    page = _write(shop, tmp_path, language=language).page.read_text(encoding="utf-8")
    assert f'<html lang="{tag}">' in page
    [checked] = re.findall(r'<input [^>]*value="([\w-]+)"[^>]* checked>', page)
    assert checked == tag


def test_images_and_sections_are_in_english(shop: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    report = _write(shop, tmp_path, language="zh")
    assert [section.title for section in report.sections] == list(TITLES)


def test_what_the_policy_says_is_shown_in_both_languages(page: str) -> None:
    for note in ("Bought lately", "近期有购买"):
        assert f'<span class="aside">{note}</span>' in page
    for name in ("30 off from 199", "满199减30券", "Welcome back: promotion", "大促唤回"):
        assert name in page


def test_page_needs_nothing_else(page: str) -> None:
    assert not re.findall(r"<(?:link|img|iframe|object)\b", page)
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert "url(http" not in page
    assert "@import" not in page


def test_no_script_but_the_page_s_own_may_run(page: str) -> None:
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="(.*?)">', page)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_text_from_data_is_text(page: str) -> None:
    assert page.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Tom &amp; Jerry&#39;s &lt;shop&gt;" in page


def test_ids_are_unique(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_drawings_fit_desk_and_phone(page: str) -> None:
    widths = [int(width) for width in re.findall(r'<svg [^>]*?width="(\d+)"', page)]
    wide, narrow = widths[::2], widths[1::2]
    assert len(widths) == 2 * 2 * len(DRAWN)
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
    assert _headings(page) == [title for pair in TITLES.items() for title in pair]
    readings = re.findall(r'<p class="reading">(.*?)</p>', page)
    assert len(readings) == 2 * len(TITLES)
    assert all(reading.endswith((".", "。")) for reading in readings)
    assert "<svg" not in page
    assert "<table" not in page
    assert not report.charts
    assert not re.findall(r"\b(?:nan|None|null|inf)\b", _words(page), re.IGNORECASE)


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
    code = "import sys, pipelines.report; assert not {'jinja2', 'vl_convert', 'dagster'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_languages_of_a_page_have_the_same_sections() -> None:
    editions = [
        Edition(Wording("en"), "", [Section("one", "One", "One.")], ""),
        Edition(Wording("zh"), "", [Section("two", "二", "二。")], ""),
    ]
    with pytest.raises(ValueError, match="different sections"):
        page_of(editions, title="Two", language="en")
