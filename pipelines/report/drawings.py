"""Drawings that more than one part of a page uses: bars, dots on a common axis, calibration, the heat map.

What belongs here: from numbers and labels to a chart for any canvas. What does not: a section's words and
queries. Lists stand without a vertical axis, their labels above or beside the rows, so that they fit a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pipelines.report.charts import HEAT_STEPS, WIDE_PX, Canvas, data

_LABEL_PX = 19
_GAP_PX = 11
_LETTER_PX = 6.6


@dataclass(frozen=True)
class Bar:
    """A bar, with the text at its end."""

    value: float
    text: str
    colour: str


@dataclass(frozen=True)
class BarGroup:
    """Bars under one label."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Piece:
    """A part of a stacked bar; `kind` is its entry in the legend, `text` stands in it."""

    value: float
    kind: str
    text: str = ""
    text_colour: str = "ink"


@dataclass(frozen=True)
class Stack:
    """A stacked bar, with the label above and the text at its end."""

    label: str
    pieces: tuple[Piece, ...]
    text: str = ""


@dataclass(frozen=True)
class Kind:
    """How the dots of one kind look, under the name that the legend gives them."""

    name: str
    colour: str
    shape: str = "circle"


@dataclass(frozen=True)
class DotRow:
    """Dots on one line: values with the name of their kind, a span behind them, and texts at both ends."""

    dots: tuple[tuple[float, str], ...]
    text: str
    label: str = ""
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class DotGroup:
    """Rows of dots under one label."""

    label: str
    rows: tuple[DotRow, ...]


@dataclass(frozen=True)
class Curve:
    """What one method foretold, and what happened: pairs of shares, in the order of the first."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Panel:
    """Curves in one square; without a title where it stands alone."""

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class HeatCell:
    """A cell of a heat map; the text and its second, smaller line stand in it."""

    row: str
    column: str
    value: float
    text: str
    small: str = ""


@dataclass(frozen=True)
class HeatAxes:
    """Names of a heat map's rows, from above, and columns, from the left.

    Attributes:
        rows: names.
        columns: names.
        row_title: what the rows are.
        column_title: what the columns are.
        row_px: room for the names and the title of the rows.
        upright: column names stand upright above the grid, for long ones.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_title: str
    column_title: str
    row_px: int
    upright: bool = False


def bar_list(canvas: Canvas, groups: Sequence[BarGroup]) -> alt.LayerChart:
    """Horizontal bars with the label above and the value at the end: no axis, and it fits a phone.

    Values must not be negative.
    """
    bar_px, text_room_px = 15, 118
    largest = max((bar.value for group in groups for bar in group.bars), default=0) or 1
    labels: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    top = 0
    for group in groups:
        labels.append({"label": group.label, "y": top + _LABEL_PX - 5})
        top += _LABEL_PX
        for bar in group.bars:
            bars.append(
                {
                    # A hairline for what is little but not nothing; its number stands beside it.
                    "length": max(bar.value, largest / 250) if bar.value else 0,
                    "text": bar.text,
                    "colour": canvas.colours[bar.colour],
                    "y": top,
                    "bottom": top + bar_px - 2,
                    "middle": top + bar_px / 2 - 0.5,
                }
            )
            top += bar_px
        top += _GAP_PX
    x = alt.X(
        "length:Q",
        scale=alt.Scale(domain=[0, largest], range=[0, canvas.inner - text_room_px], nice=False),
        axis=None,
    )
    base = alt.Chart(data(bars)).encode(x=x)
    drawn = base.mark_rect().encode(
        x=x.stack(None),
        x2=alt.datum(0),
        y=_pixels("y"),
        y2="bottom:Q",
        color=alt.Color("colour:N", scale=None),
    )
    ends = base.mark_text(align="left", baseline="middle", dx=6, color=canvas.colours["soft"]).encode(
        y=_pixels("middle"), text="text:N"
    )
    return alt.LayerChart(
        layer=[drawn, ends, _labels_above(canvas, labels)], width=canvas.inner, height=top - _GAP_PX
    )


def stack_list(
    canvas: Canvas, stacks: Sequence[Stack], colours: alt.Color, *, bar_px: int, text_room_px: int = 0
) -> alt.LayerChart:
    """Horizontal stacked bars with the label above.

    Args:
        canvas: what to draw on.
        stacks: from above; values must not be negative.
        colours: of the column `kind`, with its legend.
        bar_px: height of a bar.
        text_room_px: room for the texts at the ends.
    """
    full = max((sum(piece.value for piece in stack.pieces) for stack in stacks), default=0) or 1
    scale = alt.Scale(domain=[0, full], range=[0, canvas.inner - text_room_px], nice=False)
    labels: list[dict[str, Any]] = []
    pieces: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    top = 0
    for stack in stacks:
        labels.append({"label": stack.label, "y": top + _LABEL_PX - 4})
        top += _LABEL_PX + 1
        start = 0.0
        for piece in (each for each in stack.pieces if each.value):
            end = start + piece.value
            pieces.append(
                {
                    "kind": piece.kind,
                    "start": start,
                    "end": end,
                    "centre": (start + end) / 2,
                    "y": top,
                    "bottom": top + bar_px,
                    "middle": top + bar_px / 2,
                    "text": piece.text,
                    "on": canvas.colours[piece.text_colour],
                }
            )
            start = end
        ends.append({"end": start, "middle": top + bar_px / 2, "text": stack.text})
        top += bar_px + _GAP_PX + 1
    base = alt.Chart(data(pieces))
    # A seam tells neighbours apart that are equally light.
    drawn = base.mark_rect(x2Offset=-1).encode(
        x=alt.X("start:Q", scale=scale, axis=None),
        x2="end:Q",
        y=_pixels("y"),
        y2="bottom:Q",
        color=colours,
    )
    within = base.mark_text(baseline="middle").encode(
        x=alt.X("centre:Q", scale=scale, axis=None),
        y=_pixels("middle"),
        text="text:N",
        color=alt.Color("on:N", scale=None),
    )
    layers = [drawn, within, _labels_above(canvas, labels)]
    if text_room_px:
        layers.append(
            alt.Chart(data(ends))
            .mark_text(align="left", baseline="middle", dx=6, color=canvas.colours["soft"])
            .encode(x=alt.X("end:Q", scale=scale, axis=None), y=_pixels("middle"), text="text:N")
        )
    return alt.LayerChart(
        layer=layers,
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent")),
        width=canvas.inner,
        height=top - _GAP_PX - 1,
    )


def dot_list(
    canvas: Canvas,
    groups: Sequence[DotGroup],
    kinds: Sequence[Kind],
    *,
    title: str,
    domain: tuple[float, float],
    number_format: str,
    span_colour: str = "accent_soft",
) -> alt.LayerChart:
    """Dots on a common axis, in rows under labels; a span behind the dots of a row where it has one.

    Args:
        canvas: what to draw on.
        groups: from above; a group without a label takes no room for it.
        kinds: of the dots; with more than one there is a legend.
        title: of the axis.
        domain: ends of the axis.
        number_format: of the axis' numbers (d3-format).
        span_colour: name of a colour.
    """
    row_px = 19
    every_row = [row for group in groups for row in group.rows]
    left_px = _room([row.label for row in every_row], canvas.inner * 0.4)
    right_px = _room([row.text for row in every_row], canvas.inner * 0.4)
    labels: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    dots: list[dict[str, Any]] = []
    top = 0
    for group in groups:
        if group.label:
            labels.append({"label": group.label, "y": top + _LABEL_PX - 4})
            top += _LABEL_PX
        for row in group.rows:
            y = top + row_px / 2
            low, high = row.span or (row.dots[0][0], row.dots[0][0])
            rows.append({"label": row.label, "text": row.text, "low": low, "high": high, "y": y})
            dots += [{"value": value, "kind": kind, "y": y} for value, kind in row.dots]
            top += row_px
        top += _GAP_PX - 3
    dot_px = 6
    plot_px = [left_px + dot_px, canvas.inner - right_px - dot_px]
    scale = alt.Scale(domain=list(domain), range=plot_px, nice=False, zero=False)
    axis = alt.Axis(
        title=title,
        titleAnchor="start",
        format=number_format,
        tickCount=max(2, round((plot_px[1] - plot_px[0]) / 75)),
        domain=False,
        ticks=False,
        labelFlush=False,
    )
    names = [kind.name for kind in kinds]
    legend = alt.Legend(orient="top", columns=legend_columns(canvas, names), offset=8, symbolSize=70)
    shown = legend if len(kinds) > 1 else None
    base = alt.Chart(data(rows)).encode(y=_pixels("y"))
    spans = base.mark_rule(color=canvas.colours[span_colour], strokeWidth=5, strokeCap="round").encode(
        x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
    )
    drawn = (
        alt.Chart(data(dots))
        .mark_point(filled=True, size=75, opacity=1)
        .encode(
            x=alt.X("value:Q", scale=scale, axis=axis),
            y=_pixels("y"),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=names, range=[canvas.colours[kind.colour] for kind in kinds]),
                legend=shown,
            ),
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=names, range=[kind.shape for kind in kinds]),
                legend=shown,
            ),
        )
    )
    before = base.mark_text(
        align="left", baseline="middle", limit=left_px, color=canvas.colours["soft"]
    ).encode(x=alt.value(0), text="label:N")
    after = base.mark_text(
        align="right", baseline="middle", limit=right_px, color=canvas.colours["soft"]
    ).encode(x=alt.value(canvas.inner), text="text:N")
    return alt.LayerChart(
        layer=[spans, drawn, before, after, _labels_above(canvas, labels)], width=canvas.inner, height=top
    )


def calibration_squares(
    canvas: Canvas, panels: Sequence[Panel], *, x_title: str, y_title: str
) -> alt.LayerChart | alt.ConcatChart:
    """Foretold shares against observed ones, with the diagonal on which they are equal.

    One square for each panel, two in a row on a desk; curves of the same name have one colour throughout.
    Five names at the most.
    """
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    palette = ("accent", "holdout", "active", "dormant", "lost")
    colour = alt.Color(
        "curve:N",
        scale=alt.Scale(domain=names, range=[canvas.colours[each] for each in palette[: len(names)]]),
        legend=alt.Legend(orient="top", columns=legend_columns(canvas, names), offset=10)
        if len(names) > 1
        else None,
    )
    columns = 2 if len(panels) > 1 and canvas.width >= WIDE_PX else 1
    # Room for the axis to the left, and to the right for half of the other axis' last label.
    left_px, right_px, largest_px = 56, 18, 380
    side = min(largest_px, (canvas.inner - columns * (left_px + right_px)) // columns)
    drawn = [_square(canvas, panel, colour, side, (x_title, y_title)) for panel in panels]
    if len(drawn) == 1:
        return drawn[0]
    # Squares are set by their own edges, so that they stand in line whatever their labels are.
    return alt.ConcatChart(
        concat=drawn,
        columns=columns,
        bounds="flush",
        spacing=alt.RowColnumber(row=86, column=left_px + right_px),
    )


def _square(
    canvas: Canvas, panel: Panel, colour: alt.Color, side: int, titles: tuple[str, str]
) -> alt.LayerChart:
    points = [{"curve": curve.name, "x": x, "y": y} for curve in panel.curves for x, y in curve.points]
    # Both axes alike, so that the diagonal is one.
    largest = max((share for curve in panel.curves for point in curve.points for share in point), default=1)
    until = min(1.0, math.ceil(largest * 10) / 10) or 0.1
    scale = alt.Scale(domain=[0, until], nice=False)
    x_axis, y_axis = (
        alt.Axis(title=title, format="%", tickCount=5, domain=False, ticks=False, labelFlush=False)
        for title in titles
    )
    diagonal = (
        alt.Chart(data([{"x": 0, "y": 0}, {"x": until, "y": until}]))
        .mark_line(color=canvas.colours["soft"], strokeDash=[4, 4], strokeWidth=1)
        .encode(x=alt.X("x:Q", scale=scale, axis=x_axis), y=alt.Y("y:Q", scale=scale, axis=y_axis))
    )
    base = alt.Chart(data(points)).encode(
        x=alt.X("x:Q", scale=scale, axis=x_axis), y=alt.Y("y:Q", scale=scale, axis=y_axis), color=colour
    )
    lines = base.mark_line(strokeWidth=1.5)
    dots = base.mark_point(filled=True, size=60, opacity=1)
    title = (
        alt.TitleParams(text=panel.title, fontSize=13, fontWeight="normal", anchor="start", offset=6)
        if panel.title
        else alt.Undefined
    )
    return alt.LayerChart(layer=[diagonal, lines, dots], width=side, height=side, title=title)


def heat_map(
    canvas: Canvas, cells: Sequence[HeatCell], axes: HeatAxes, *, full: float | None = None, height: int
) -> alt.LayerChart:
    """A grid of cells, the darker the more.

    Args:
        canvas: what to draw on.
        cells: one for each row and column; step 0 of the colours is for those with nothing.
        axes: names of rows and columns.
        full: the value of the last step; by default the largest of the cells.
        height: pixels of the grid at the most; it is never higher than wide.
    """
    most = full or max((cell.value for cell in cells), default=0) or 1
    rows = []
    for cell in cells:
        step = min(math.ceil((HEAT_STEPS - 1) * cell.value / most), HEAT_STEPS - 1)
        rows.append(
            {
                "row": cell.row,
                "column": cell.column,
                "text": cell.text,
                "small": cell.small,
                "colour": canvas.colours[f"heat_{step}"],
                "on": canvas.colours["on_heat_high" if step >= HEAT_STEPS - 2 else "on_heat_low"],
            }
        )
    look: dict[str, Any] = {"grid": False, "domain": False, "ticks": False}
    if axes.upright:
        across = alt.Axis(**look, orient="top", labelAngle=-90, labelBaseline="middle", labelAlign="left")
    else:
        across = alt.Axis(**look, labelAngle=0)
    base = alt.Chart(data(rows)).encode(
        x=alt.X(
            "column:N",
            title=axes.column_title,
            sort=list(axes.columns),
            axis=across,
            scale=alt.Scale(padding=0.04),
        ),
        y=alt.Y(
            "row:N",
            title=axes.row_title,
            sort=list(axes.rows),
            axis=alt.Axis(**look),
            scale=alt.Scale(padding=0.04),
        ),
    )
    on = alt.Color("on:N", scale=None)
    squares = base.mark_rect(cornerRadius=3).encode(color=alt.Color("colour:N", scale=None))
    layers = [squares]
    smalls = canvas.width >= WIDE_PX and any(cell.small for cell in cells)
    size = 13 if canvas.width >= WIDE_PX or len(axes.columns) <= 5 else 9
    layers.append(base.mark_text(fontSize=size, dy=-6 if smalls else 0).encode(text="text:N", color=on))
    if smalls:
        layers.append(base.mark_text(fontSize=10, dy=8).encode(text="small:N", color=on))
    width = canvas.inner - axes.row_px
    return alt.LayerChart(layer=layers, width=width, height=min(width, height))


def legend_columns(canvas: Canvas, names: Sequence[str]) -> int:
    """As many as fit side by side; Vega makes all columns as wide as the widest."""
    symbol_px, padding_px = 18, 20
    widest = max((_width(name) for name in names), default=0) + symbol_px + padding_px
    return max(1, min(len(names), int((canvas.inner + padding_px) // widest)))


def _labels_above(canvas: Canvas, labels: Sequence[dict[str, Any]]) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(data(labels))
        .mark_text(
            align="left", baseline="bottom", limit=canvas.inner, fontSize=13, color=canvas.colours["ink"]
        )
        .encode(x=alt.value(0), y=_pixels("y"), text="label:N")
    )
    return chart


def _room(texts: Sequence[str], most: float) -> int:
    """Pixels for the longest of the texts, as far as one can tell without the font."""
    return round(min(max((_width(text) for text in texts), default=0) + 6, most)) if any(texts) else 0


def _width(text: str) -> float:
    return sum(_LETTER_PX if ord(letter) < 0x2E80 else 2 * _LETTER_PX for letter in text)


def _pixels(column: str) -> alt.Y:
    """A vertical position that is given in pixels."""
    return alt.Y(f"{column}:Q", scale=None, axis=None)
