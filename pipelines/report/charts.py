"""The canvas of all charts: colours, type and marks; and their rendering to SVG and PNG.

An SVG stands inside the page and takes its colours from the page's CSS variables, so that it follows light
and dark mode and print. Each is drawn twice, for a desk and for a phone: scaling one drawing down would make
its text unreadable. A PNG stands alone: light colours, a title, English labels.

Charts are drawn by placing marks, without a chart library: most of what they show is text in rows, and Vega
measures each text for 1.8 ms, which was most of the time of a page (docs/report.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import vl_convert
from markupsafe import escape

from pipelines.report.images import compact

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
TEXT_PX = 12
_PNG_PADDING_PX, _PNG_HEAD_PX = 16, 50
_FONT = "Liberation Sans, Arial, sans-serif"

Point: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["start", "middle", "end"]
Shape: TypeAlias = Literal["circle", "diamond", "tick"]

# Widths of Helvetica's letters in thousandths of the type size (Adobe Font Metrics, Helvetica); those of
# Arial and Liberation Sans are the same. Other letters are taken for as wide as a digit, and those of East
# Asian scripts for full squares.
_LETTER_WIDTHS = {
    letter: width
    for letters, width in (
        ("'", 191),
        ("ijl", 222),
        ("|", 260),
        (" .,:;!ftI/\\[]·", 278),
        ("()-r", 333),
        ('"', 355),
        ("*", 389),
        ("ckszvxyJ", 500),
        ("+<>=~−", 584),
        ("FTZ", 611),
        ("ABEKPSVXY&", 667),
        ("CDHNRUw", 722),
        ("GOQ", 778),
        ("mM", 833),
        ("%", 889),
        ("W", 944),
        ("→…", 1000),
        ("@", 1015),
    )
    for letter in letters
}
_DIGIT_WIDTH, _SQUARE_WIDTH, _FIRST_SQUARE = 556, 1000, "\u2e80"
# System fonts are wider than Helvetica, by this much at the most.
_SLACK = 1.09


def text_width(text: str, size: float = TEXT_PX) -> float:
    """Pixels that a text takes, as far as one can tell without the font."""
    thousandths = sum(
        _SQUARE_WIDTH if letter >= _FIRST_SQUARE else _LETTER_WIDTHS.get(letter, _DIGIT_WIDTH)
        for letter in text
    )
    return _SLACK * size * thousandths / 1000


def fitted(text: str, width: float, size: float = TEXT_PX) -> str:
    """The text, cut where it would be wider than so many pixels."""
    if text_width(text, size) <= width:
        return text
    kept = text
    while kept and text_width(f"{kept}…", size) > width:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


@dataclass(frozen=True)
class Canvas:
    """What a chart is drawn on.

    Attributes:
        width: pixels that the drawing may take from edge to edge, axes included.
    """

    width: int

    @property
    def is_wide(self) -> bool:
        """Is it a desk's?"""
        return self.width >= WIDE_PX


@dataclass
class Drawing:
    """Marks that have been drawn, in pixels from the upper left corner.

    Colours are names of `LIGHT`. Each mark is SVG whose colours are CSS variables of these names.
    """

    width: float
    height: float
    marks: list[str] = field(default_factory=list)

    def rect(
        self, x: float, y: float, width: float, height: float, colour: str, *, radius: float = 0
    ) -> None:
        """A filled rectangle; (x, y) is its upper left corner."""
        rounded = f' rx="{_px(radius)}"' if radius else ""
        self.marks.append(
            f'<rect x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(height)}"{rounded} '
            f'fill="var(--{colour})"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        colour: str = "ink",
        size: float = TEXT_PX,
        anchor: Anchor = "start",
        is_upright: bool = False,
    ) -> None:
        """A line of text, in the middle of whose height y lies; an upright one is read from below."""
        if not text:
            return
        # Half of a capital's height below the middle. Not every renderer knows `dominant-baseline`.
        drop = 0.35 * size
        place = (
            f'transform="translate({_px(x + drop)},{_px(y)}) rotate(-90)"'
            if is_upright
            else f'x="{_px(x)}" y="{_px(y + drop)}"'
        )
        kept = "" if anchor == "start" else f' text-anchor="{anchor}"'
        sized = "" if size == TEXT_PX else f' font-size="{_px(size)}"'
        self.marks.append(f'<text {place}{kept}{sized} fill="var(--{colour})">{escape(text)}</text>')

    def rule(
        self,
        start: Point,
        end: Point,
        colour: str,
        *,
        width: float = 1,
        dash: str = "",
        is_round: bool = False,
    ) -> None:
        """A straight line."""
        style = (f' stroke-dasharray="{dash}"' if dash else "") + (
            ' stroke-linecap="round"' if is_round else ""
        )
        self.marks.append(
            f'<line x1="{_px(start[0])}" y1="{_px(start[1])}" x2="{_px(end[0])}" y2="{_px(end[1])}" '
            f'stroke="var(--{colour})" stroke-width="{_px(width)}"{style}/>'
        )

    def curve(self, points: Sequence[Point], colour: str) -> None:
        """A line through points."""
        self.marks.append(
            f'<polyline points="{_points(points)}" fill="none" stroke="var(--{colour})" stroke-width="1.5"/>'
        )

    def area(self, points: Sequence[Point], colour: str) -> None:
        """A filled polygon."""
        self.marks.append(f'<polygon points="{_points(points)}" fill="var(--{colour})"/>')

    def dot(self, x: float, y: float, colour: str, *, shape: Shape = "circle", radius: float = 5) -> None:
        """A dot around (x, y)."""
        if shape == "diamond":
            half = 1.15 * radius
            self.area(((x, y - half), (x + half, y), (x, y + half), (x - half, y)), colour)
        elif shape == "tick":
            self.rule((x, y - 1.4 * radius), (x, y + 1.4 * radius), colour, width=2)
        else:
            self.marks.append(
                f'<circle cx="{_px(x)}" cy="{_px(y)}" r="{_px(radius)}" fill="var(--{colour})"/>'
            )


ChartBuilder: TypeAlias = Callable[[Canvas], Drawing]


def svg(build: ChartBuilder, width: int) -> str:
    """The chart as SVG for the page, coloured by its CSS variables.

    Args:
        build: draws the chart.
        width: pixels.
    """
    return _svg(build(Canvas(width)))


def png(build: ChartBuilder, title: str, subtitle: str, *, width: int = WIDE_PX, scale: float = 1.5) -> bytes:
    """The chart as PNG with a title, in light colours.

    Args:
        build: draws the chart; not every machine has a Chinese font, so in English.
        title: above the chart.
        subtitle: below the title.
        width: pixels of the chart; a margin comes to it.
        scale: pixels of the image for each.
    """
    chart = build(Canvas(width))
    sheet = Drawing(chart.width + 2 * _PNG_PADDING_PX, chart.height + _PNG_HEAD_PX + 2 * _PNG_PADDING_PX)
    sheet.rect(0, 0, sheet.width, sheet.height, "paper")
    sheet.text(_PNG_PADDING_PX, _PNG_PADDING_PX + 8, fitted(title, chart.width, 16), size=16)
    sheet.text(_PNG_PADDING_PX, _PNG_PADDING_PX + 28, fitted(subtitle, chart.width), colour="soft")
    sheet.marks.append(
        f'<g transform="translate({_PNG_PADDING_PX},{_PNG_PADDING_PX + _PNG_HEAD_PX})">'
        f"{''.join(chart.marks)}</g>"
    )
    coloured = re.sub(r"var\(--(\w+)\)", lambda found: LIGHT.get(found[1], found[0]), _svg(sheet))
    return compact(vl_convert.svg_to_png(coloured, scale=scale))


def _svg(drawing: Drawing) -> str:
    width, height = _px(drawing.width), _px(drawing.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_FONT}" font-size="{TEXT_PX}">'
        f"{''.join(drawing.marks)}</svg>"
    )


def _px(value: float) -> str:
    """A number of pixels, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
