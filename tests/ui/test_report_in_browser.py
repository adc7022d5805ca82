"""The report as a browser shows it: whole, in both languages, on a desk and on a phone, light and dark."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from pipelines.report.charts import DARK, LIGHT
from pipelines.report.page import Page as RenderedPage
from pipelines.report.page import render
from pipelines.settings import PROJECT_DIR

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

sys.path.insert(0, str(PROJECT_DIR / "tests" / "unit" / "report"))

from made_up_shop import create
from reading import AS_OF_DATE, POLICY

DESK, PHONE = (1280, 900), (390, 844)
VIEWS = [(size, language) for size in (DESK, PHONE) for language in ("en", "zh")]
SMALLEST_PX = 8.9

# Visible texts with the size that they have on the screen; `where` is the heading's, the chart's and so on.
TEXTS = """
() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const holder = walker.currentNode.parentElement;
    if (!text || !holder.checkVisibility() || holder.closest("script, pre, code, .languages, h1")) continue;
    const svg = holder.closest("svg");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    found.push({text, px: parseFloat(getComputedStyle(holder).fontSize) * scale, where: holder.tagName});
  }
  return found;
}
"""
# Charts that are shown: their size, how many marks they have, and texts that reach beyond their edge.
CHARTS = """
() => [...document.querySelectorAll("svg")].filter((svg) => svg.checkVisibility()).map((svg) => {
  const box = svg.getBoundingClientRect();
  const beyond = [...svg.querySelectorAll("text")].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 2 || own.right > box.right + 2 || own.bottom > box.bottom + 3;
  });
  return {
    part: svg.closest(".part").id,
    width: box.width,
    height: box.height,
    marks: svg.querySelectorAll("rect, circle, line, polyline, polygon").length,
    texts: svg.querySelectorAll("text").length,
    beyond: beyond.map((text) => text.textContent),
  };
})
"""
WIDTHS = "() => [document.documentElement.scrollWidth, window.innerWidth]"


@dataclass
class View:
    """An open page, and what it complained of or asked for since."""

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def texts(self) -> list[dict[str, Any]]:
        """Texts that are shown."""
        found: list[dict[str, Any]] = self.page.evaluate(TEXTS)
        return found

    def language(self) -> str | None:
        """The language that the page says it has."""
        return self.page.locator("html").get_attribute("lang")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RenderedPage:
    file = tmp_path_factory.mktemp("shop") / "published.duckdb"
    create(file)
    with duckdb.connect(file, read_only=True) as con:
        return render(con, AS_OF_DATE, title="Corner shop", currency="GBP", language="en", policy=POLICY)


@pytest.fixture(scope="module")
def report(rendered: RenderedPage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(rendered.html, encoding="utf-8")
    return file


@contextmanager
def opened(
    browser: "Browser", report: Path, *, size: tuple[int, int] = DESK, link: str = "", scheme: str = "light"
) -> Iterator[View]:
    """The report in a window of its own, without a network."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        offline=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    view = View(page)
    page.on("console", lambda message: view.complaints.append(message.text))
    page.on("pageerror", lambda error: view.complaints.append(str(error)))
    page.on("request", lambda request: view.requests.append(request.url))
    page.goto(f"{report.as_uri()}{link}")
    yield view
    context.close()


def _untranslated(texts: list[dict[str, Any]], language: str) -> list[str]:
    """Texts with words of the other language."""
    if language == "en":
        return [each["text"] for each in texts if re.search(r"[\u2e80-\u9fff\uff00-\uffef]", each["text"])]
    # Names of the shop's own, abbreviations and signs of mathematics are the same in Chinese.
    same = re.compile(
        r"<script>alert\(1\)</script>|Coffee & tea|Bakery|pos_sales|products|recall_decision|"
        r"amount: not a number|Winback|App|AUC|\b[kX]\b"
    )
    return [each["text"] for each in texts if re.search("[A-Za-z]", same.sub("", each["text"]))]


@pytest.mark.parametrize(("size", "language"), VIEWS)
def test_everything_is_drawn_in_the_language(
    browser: "Browser", report: Path, rendered: RenderedPage, size: tuple[int, int], language: str
) -> None:
    with opened(browser, report, size=size, link=f"#{language}") as view:
        charts = view.page.evaluate(CHARTS)
        texts = view.texts()
        headings = view.page.locator("h2:visible").count()
        page_width, window_width = view.page.evaluate(WIDTHS)
        assert view.language() == {"en": "en", "zh": "zh-Hans"}[language]
        assert view.complaints == []
        assert view.requests == [f"{report.as_uri()}#{language}"] or view.requests == [report.as_uri()]
    assert headings == len(rendered.sections)
    assert [chart["part"] for chart in charts] == [
        section.slug for section in rendered.sections if section.chart is not None
    ]
    for chart in charts:
        assert chart["width"] > 250 and chart["height"] > 40, chart["part"]
        assert chart["marks"] >= 3 and chart["texts"] > 3, chart["part"]
        assert chart["beyond"] == [], chart["part"]
    assert page_width <= window_width
    assert len(texts) > 500
    assert [each for each in texts if each["px"] < SMALLEST_PX] == []
    assert _untranslated(texts, language) == []


def test_the_reader_chooses_the_language(browser: "Browser", report: Path) -> None:
    with opened(browser, report) as view:
        assert view.language() == "en"
        assert view.page.get_by_role("heading", name="Targets", exact=True).is_visible()
        view.page.get_by_text("中文", exact=True).click()
        assert view.language() == "zh-Hans"
        assert view.page.get_by_role("heading", name="目标达成", exact=True).is_visible()
        assert view.page.get_by_text("Targets", exact=True).locator("visible=true").count() == 0
        view.page.keyboard.press("ArrowLeft")
        assert view.language() == "en"
        assert view.page.get_by_role("heading", name="Targets", exact=True).is_visible()
        assert view.complaints == []


def test_a_link_chooses_the_language_and_a_section_keeps_it(browser: "Browser", report: Path) -> None:
    with opened(browser, report, link="#zh") as view:
        view.page.get_by_role("link", name="为何沉睡").click()
        assert view.page.url.endswith("#reasons")
        assert view.language() == "zh-Hans"
        view.page.evaluate("() => { location.hash = '#en'; }")
        view.page.wait_for_function("() => document.documentElement.lang === 'en'")
        assert view.page.get_by_role("heading", name="Why they sleep").is_visible()
    with opened(browser, report, link="#reasons") as view:
        assert view.language() == "en"
        assert view.page.get_by_role("heading", name="Why they sleep").is_visible()


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5))})"


@pytest.mark.parametrize(("scheme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_light_and_dark(browser: "Browser", report: Path, scheme: str, palette: dict[str, str]) -> None:
    fill = "() => getComputedStyle(document.querySelector('svg text[fill=\"var(--ink)\"]')).fill"
    with opened(browser, report, scheme=scheme) as view:
        shown = view.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert shown == _rgb(palette["page"])
        assert view.page.evaluate(fill) == _rgb(palette["ink"])
        view.page.emulate_media(media="print")
        assert view.page.evaluate(fill) == _rgb(LIGHT["ink"]), "paper is light"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_print(browser: "Browser", report: Path, rendered: RenderedPage, language: str) -> None:
    a4_between_margins_px = 688
    with opened(browser, report, size=(a4_between_margins_px, 971), link=f"#{language}") as view:
        view.page.emulate_media(media="print")
        page_width, window_width = view.page.evaluate(WIDTHS)
        charts = view.page.evaluate(CHARTS)
        assert not view.page.locator("nav:visible, .languages:visible, pre:visible").count()
        assert _untranslated(view.texts(), language) == []
        cut = view.page.evaluate(
            "() => [...document.querySelectorAll('table')]"
            ".filter((table) => table.checkVisibility() && table.getBoundingClientRect().right > innerWidth)"
            ".map((table) => table.closest('.part').id)"
        )
    assert cut == []
    assert page_width <= window_width
    assert len(charts) == sum(section.chart is not None for section in rendered.sections)


def test_a_query_opens(browser: "Browser", report: Path) -> None:
    with opened(browser, report, size=PHONE) as view:
        view.page.locator("#targets summary").click()
        assert "from kpi.target" in view.page.locator("#targets pre").inner_text()
        page_width, window_width = view.page.evaluate(WIDTHS)
        assert page_width <= window_width


def test_a_shop_without_rows(browser: "Browser", tmp_path: Path) -> None:
    create(tmp_path / "published.duckdb", is_empty=True)
    with duckdb.connect(tmp_path / "published.duckdb", read_only=True) as con:
        page = render(con, AS_OF_DATE, title="Corner shop", currency="GBP", language="zh", policy=POLICY)
    file = tmp_path / "report.html"
    file.write_text(page.html, encoding="utf-8")
    with opened(browser, file) as view:
        assert view.language() == "zh-Hans"
        assert view.page.locator(".reading:visible").count() == len(page.sections)
        assert view.page.evaluate(CHARTS) == []
        assert _untranslated(view.texts(), "zh") == []
        assert view.complaints == []
