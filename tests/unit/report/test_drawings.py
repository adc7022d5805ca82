"""The drawings: marks within their canvas, texts that fit."""

import re
from datetime import date
from xml.etree import ElementTree

import duckdb
import pytest
from reading import sections_of

from pipelines.report.charts import LIGHT, NARROW_PX, WIDE_PX, Canvas, Drawing, fitted, svg, text_width
from pipelines.report.drawings import (
    Bar,
    BarGroup,
    DotGroup,
    DotRow,
    HeatAxes,
    HeatCell,
    Kind,
    bar_list,
    dot_list,
    heat_map,
    share_areas,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"


def _extent(mark: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a mark, of a text as far as one can tell without the font."""

    def get(name: str) -> float:
        return float(mark.get(name, "0"))

    kind = mark.tag.removeprefix(SVG)
    if kind == "rect":
        return get("x"), get("y"), get("x") + get("width"), get("y") + get("height")
    if kind == "circle":
        return get("cx") - get("r"), get("cy") - get("r"), get("cx") + get("r"), get("cy") + get("r")
    if kind == "line":
        xs, ys = sorted([get("x1"), get("x2")]), sorted([get("y1"), get("y2")])
        return xs[0], ys[0], xs[1], ys[1]
    if kind in ("polyline", "polygon"):
        points = [tuple(map(float, point.split(","))) for point in mark.get("points", "").split()]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return min(xs), min(ys), max(xs), max(ys)
    assert kind == "text"
    size = float(mark.get("font-size", "12"))
    width = text_width(mark.text or "", size)
    before = {"middle": 0.5, "end": 1.0}.get(mark.get("text-anchor", ""), 0.0) * width
    if turned := re.match(r"translate\(([\d.]+),([\d.]+)\) rotate", mark.get("transform", "")):
        x, y = map(float, turned.groups())
        return x - size, y - (width - before), x, y + before
    return get("x") - before, get("y") - size, get("x") - before + width, get("y")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [WIDE_PX, NARROW_PX])
def test_all_marks_are_within_their_canvas(
    shop: duckdb.DuckDBPyConnection, width: int, language: str
) -> None:
    drawn = [
        (section.slug, section.chart)
        for section in sections_of(shop, language=language).values()
        if section.chart is not None
    ]
    assert len(drawn) > 15
    outside = []
    for slug, chart in drawn:
        root = ElementTree.fromstring(svg(chart, width))
        right, bottom = float(root.get("width", "0")), float(root.get("height", "0"))
        assert right <= width
        for mark in root:
            extent = _extent(mark)
            if extent[0] < -3 or extent[1] < -3 or extent[2] > right + 3 or extent[3] > bottom + 3:
                outside.append((slug, mark.tag.removeprefix(SVG), mark.text, extent))
    assert not outside


def test_colours_have_names(shop: duckdb.DuckDBPyConnection) -> None:
    for section in sections_of(shop).values():
        if section.chart is not None:
            assert set(re.findall(r"var\(--(\w+)\)", svg(section.chart, WIDE_PX))) <= set(LIGHT), section.slug


def test_text_of_data_is_text() -> None:
    drawing = Drawing(10, 10)
    drawing.text(0, 0, '<script>"&')
    assert ElementTree.fromstring(f"<svg>{drawing.marks[0]}</svg>")[0].text == '<script>"&'


def test_long_texts_are_cut() -> None:
    assert fitted("Recall", 100) == "Recall"
    assert text_width(fitted("A very long name of an offer", 60)) <= 60
    assert fitted("A very long name of an offer", 60).endswith("…")
    assert text_width("沉睡", 10) > 2 * text_width("ab", 10) * 0.8


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (-3, 7, 3, [0, 5]),
        (0.70, 0.78, 4, [0.7, 0.72, 0.74, 0.76, 0.78]),
        (5, 5, 3, [5]),
    ],
)
def test_ticks(low: float, high: float, count: int, expected: list[float]) -> None:
    assert ticks(low, high, count) == pytest.approx(expected)


def test_bars_are_as_long_as_their_values() -> None:
    groups = [BarGroup("a", (Bar(10, "10", "accent"), Bar(5, "5", "quiet"), Bar(-2, "−2", "alarm")))]
    marks = bar_list(Canvas(WIDE_PX), groups).marks
    widths = [float(found[1]) for mark in marks if (found := re.match(r'<rect .*?width="([\d.]+)"', mark))]
    assert len(widths) == 2, "what is below nothing has no bar"
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.1)


def test_dots_off_the_axis_stand_at_its_end() -> None:
    rows = tuple(DotRow(((value, "x"),), "", span=(-9, 9)) for value in (-5.0, 1.0, 5.0))
    chart = dot_list(
        Canvas(WIDE_PX),
        [DotGroup("", rows)],
        [Kind("x", "accent", "circle")],
        title="",
        domain=(-1, 1),
        number_format=".0f",
    )
    centres = [float(found[1]) for mark in chart.marks if (found := re.match(r'<circle cx="([\d.]+)"', mark))]
    assert centres[0] < centres[1] == centres[2] < WIDE_PX


def test_upright_names_where_they_are_too_long() -> None:
    cells = [HeatCell("r", "a very long name of a column indeed", 1, "1"), HeatCell("r", "b", 2, "2")]
    axes = HeatAxes(("r",), ("a very long name of a column indeed", "b"), "", "")
    narrow, wide = (heat_map(Canvas(width), cells, axes, height=40) for width in (NARROW_PX, 900))
    assert any("rotate" in mark for mark in narrow.marks)
    assert not any("rotate" in mark for mark in wide.marks)


def test_areas_fill_the_whole() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 31)]
    kinds = [Kind("a", "active"), Kind("b", "lost")]
    chart = share_areas(Canvas(WIDE_PX), days, [[0.25, 0.5], [0.75, 0.5]], kinds)
    lower, upper = (
        [tuple(map(float, point.split(","))) for point in found[1].split()]
        for mark in chart.marks
        if (found := re.match(r'<polygon points="([^"]+)"', mark))
    )
    top, bottom = min(y for _, y in upper), max(y for _, y in lower)
    assert lower[0][1] == pytest.approx(bottom - 0.25 * (bottom - top), abs=0.1)
    assert lower[1][1] == pytest.approx(bottom - 0.5 * (bottom - top), abs=0.1)
