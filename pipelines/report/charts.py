"""The look of all charts: colours and type; and their rendering to SVG and PNG.

An SVG stands inside the page and takes its colours from the page's CSS variables, so that it follows light
and dark mode and print. Each is drawn twice, for a desk and for a phone: scaling one drawing down would make
its text unreadable. A PNG stands alone: light colours, a title, English labels (not every machine has a
Chinese font).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from pipelines.report.wording import STATES, words

LIGHT = {
    "page": "#f5f4f0",
    "paper": "#ffffff",
    "ink": "#1d2330",
    "soft": "#5a6372",
    "line": "#dedbd3",
    "accent": "#00765a",
    "accent_soft": "#8fcdb9",
    "holdout": "#9b4d8a",
    "quiet": "#b3b7be",
    "alarm": "#b3261e",
    # Dormancy states, after Okabe & Ito's colour-blind-safe palette: blues are awake, oranges asleep.
    "active": "#0072b2",
    "cooling": "#56b4e9",
    "dormant": "#e69f00",
    "deep_dormant": "#d55e00",
    "lost": "#6f747c",
    "on_active": "#ffffff",
    "on_cooling": "#10202c",
    "on_dormant": "#2b1d00",
    "on_deep_dormant": "#1f0d00",
    "on_lost": "#ffffff",
    # Steps of the heat map, few to many.
    "heat_0": "#f1f0ec",
    "heat_1": "#dcefe8",
    "heat_2": "#aedbca",
    "heat_3": "#6fbfa3",
    "heat_4": "#1f8062",
    "heat_5": "#00573f",
    "on_heat_low": "#1d2330",
    "on_heat_high": "#ffffff",
}
"""Colour by name, in light mode and in print. The page has a CSS variable for each."""

DARK = {
    "page": "#121419",
    "paper": "#1a1d24",
    "ink": "#e9e7e2",
    "soft": "#a3aab5",
    "line": "#323741",
    "accent": "#45c8a0",
    "accent_soft": "#2a6e5a",
    "holdout": "#d48fc4",
    "quiet": "#5d646f",
    "alarm": "#ff8a80",
    "active": "#3f9fdc",
    "cooling": "#9ad4f6",
    "dormant": "#f2b93b",
    "deep_dormant": "#f07c33",
    "lost": "#8b919b",
    "on_active": "#06141e",
    "on_cooling": "#06141e",
    "on_dormant": "#1f1500",
    "on_deep_dormant": "#1f0d00",
    "on_lost": "#0d0f13",
    "heat_0": "#20242c",
    "heat_1": "#1c3a33",
    "heat_2": "#1d5546",
    "heat_3": "#23745b",
    "heat_4": "#4fb896",
    "heat_5": "#a5ebd2",
    "on_heat_low": "#e9e7e2",
    "on_heat_high": "#06201a",
}
"""The same names in dark mode."""

HEAT_STEPS = 6
WIDE_PX, NARROW_PX = 540, 322
_PNG_SCALE = 2
_PADDING_PX = 2


@dataclass(frozen=True)
class Canvas:
    """What a chart is drawn on.

    Attributes:
        width: pixels that the drawing may take from edge to edge, axes included.
        colours: colour by name (the names of `LIGHT`).
        chinese: may Chinese labels be drawn?
    """

    width: int
    colours: Mapping[str, str]
    chinese: bool

    @property
    def inner(self) -> int:
        """Pixels between the paddings."""
        return self.width - 2 * _PADDING_PX

    def label(self, english: str, chinese: str) -> str:
        """Both names where Chinese can be drawn, else the English one."""
        return f"{english} {chinese}" if self.chinese and chinese else english


ChartType: TypeAlias = alt.Chart | alt.LayerChart | alt.ConcatChart
ChartBuilder: TypeAlias = Callable[[Canvas], ChartType]


def data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows for a chart; numbers must be int or float."""
    return alt.InlineData(values=[dict(row) for row in rows])


def state_colours(canvas: Canvas) -> alt.Color:
    """The colour of the column `kind` (states as words), with one hue per dormancy state in all charts."""
    columns = len(STATES) if canvas.width >= WIDE_PX else 3
    return alt.Color(
        "kind:N",
        scale=alt.Scale(
            domain=[words(state) for state in STATES], range=[canvas.colours[state] for state in STATES]
        ),
        legend=alt.Legend(orient="top", columns=columns, offset=10),
    )


def svg(build: ChartBuilder, width: int, slug: str) -> str:
    """The chart as SVG for the page, coloured by its CSS variables.

    Args:
        build: draws the chart.
        width: pixels.
        slug: unique within the page; ids inside the drawing begin with it.
    """
    colours = {name: f"var(--{name})" for name in LIGHT}
    with debug_mode(False):
        chart = build(Canvas(width, colours, chinese=True))
    text: str = vl_convert.vegalite_to_svg(
        _specification(chart, colours, "transparent"), allowed_base_urls=[]
    )
    # The renderer numbers its ids through the life of the process; in the page they are unique and stable.
    ids = list(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text)))
    for position, old in enumerate(ids):
        new = f"{slug}-{position}"
        text = text.replace(f'id="{old}"', f'id="{new}"').replace(f"url(#{old})", f"url(#{new})")
    return text


def png(build: ChartBuilder, title: str, subtitle: str) -> bytes:
    """The chart as PNG with a title, in light colours and at double resolution."""
    with debug_mode(False):
        chart = build(Canvas(WIDE_PX, LIGHT, chinese=False)).properties(
            title=alt.TitleParams(text=title, subtitle=subtitle)
        )
    image: bytes = vl_convert.vegalite_to_png(
        _specification(chart, LIGHT, LIGHT["paper"], padding=16), scale=_PNG_SCALE, allowed_base_urls=[]
    )
    return image


def _specification(
    chart: ChartType, colours: Mapping[str, str], background: str, padding: int = _PADDING_PX
) -> dict[str, Any]:
    # Checking each part against Vega-Lite's schema takes a third of the time of a page; a test does it.
    specification: dict[str, Any] = chart.to_dict(validate=False)
    ink, soft, line = (colours[name] for name in ("ink", "soft", "line"))
    specification["background"] = background
    specification["padding"] = padding
    specification["config"] = {
        # The figure around it is labelled, and the table beside it has its values.
        "aria": False,
        "font": "Liberation Sans, Arial, sans-serif",
        "view": {"stroke": None},
        "text": {"fontSize": 12},
        "axis": {
            "labelColor": soft,
            "titleColor": soft,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": line,
            "domainColor": line,
            "tickColor": line,
            "labelPadding": 5,
            "titlePadding": 9,
        },
        "legend": {
            "labelColor": ink,
            "labelFontSize": 12,
            "columnPadding": 20,
            "symbolType": "square",
            "symbolStrokeWidth": 0,
            "title": None,
        },
        "title": {
            "color": ink,
            "subtitleColor": soft,
            "anchor": "start",
            "fontSize": 16,
            "subtitleFontSize": 12,
            "offset": 14,
        },
    }
    return specification
