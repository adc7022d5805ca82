"""Drawings that more than one part of a page uses: bars, dots on a common axis, areas, the heat map.

What belongs here: from numbers and labels to a chart for any canvas. What does not: a section's words and
queries. Lists stand without a vertical axis, their labels above or beside the rows, so that they fit a phone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.report.charts import HEAT_STEPS, Canvas, Drawing, Shape, fitted, text_width

_LABEL_PX, _LABEL_SIZE = 19, 13
_GAP_PX = 11
_ROW_PX = 19
_LEGEND_ROW_PX, _LEGEND_GAP_PX, _SYMBOL_PX = 20, 20, 18
_TICK_LABEL_PX, _TITLE_PX = 20, 18


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
    """How the marks of one kind look, under the name that the legend gives them."""

    name: str
    colour: str
    shape: Shape | None = None


@dataclass(frozen=True)
class DotRow:
    """Dots on one line: values with the name of their kind, a span behind them, and texts at both ends.

    A row without dots is its texts alone.
    """

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
        row_px: room for the names and the title of the rows; by default as much as they need.
        upright: column names stand upright above the grid, as they do where they are too long.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_title: str
    column_title: str
    row_px: float | None = None
    upright: bool = False


@dataclass(frozen=True)
class Axis:
    """A horizontal axis.

    Attributes:
        title: below its numbers.
        domain: values at its ends.
        number_format: of its numbers, as `format` knows it.
        reference: a value at which a line stands.
    """

    title: str
    domain: tuple[float, float]
    number_format: str
    reference: float | None = None


@dataclass(frozen=True)
class HistogramBar:
    """A stacked bar that covers the values from `start` to `end`; values go by the kinds of the legend."""

    start: float
    end: float
    values: tuple[float, ...]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round values within the bounds, about as many as asked for.

    >>> ticks(0, 1, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda factor: abs(math.log(factor * power / rough))) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(position * step, 12) for position in range(first, last + 1)]


def bar_list(canvas: Canvas, groups: Sequence[BarGroup], kinds: Sequence[Kind] = ()) -> Drawing:
    """Horizontal bars with the label above and the value at the end: no axis, and it fits a phone.

    Args:
        canvas: what to draw on.
        groups: from above. What is below nothing has no bar.
        kinds: the legend, where the bars of a group need one.
    """
    bar_px = 15
    every_bar = [bar for group in groups for bar in group.bars]
    largest = max((bar.value for bar in every_bar), default=0)
    full_px = canvas.width - _room([bar.text for bar in every_bar], canvas.width * 0.5) - 6
    drawing = Drawing(canvas.width, 0)
    top = _legend(drawing, kinds)
    for group in groups:
        _label(drawing, group.label, top)
        top += _LABEL_PX
        for bar in group.bars:
            # A hairline for what is little but not nothing; its number stands beside it.
            length = max(bar.value / largest * full_px, full_px / 250) if bar.value > 0 else 0.0
            if length:
                drawing.rect(0, top, length, bar_px - 2, bar.colour)
            drawing.text(length + 6, top + bar_px / 2 - 1, bar.text, colour="soft")
            top += bar_px
        top += _GAP_PX
    drawing.height = max(top - _GAP_PX, 0)
    return drawing


def stack_list(canvas: Canvas, stacks: Sequence[Stack], kinds: Sequence[Kind], *, bar_px: int) -> Drawing:
    """Horizontal stacked bars with the label above, on a common scale.

    Args:
        canvas: what to draw on.
        stacks: from above; values must not be negative.
        kinds: the legend, and the colours of the pieces.
        bar_px: height of a bar.
    """
    colours = {kind.name: kind.colour for kind in kinds}
    full = max((sum(piece.value for piece in stack.pieces) for stack in stacks), default=0) or 1
    full_px = canvas.width - _room([stack.text for stack in stacks], canvas.width * 0.5)
    drawing = Drawing(canvas.width, 0)
    top = _legend(drawing, kinds)
    for stack in stacks:
        _label(drawing, stack.label, top)
        top += _LABEL_PX + 1
        start = 0.0
        for piece in (each for each in stack.pieces if each.value):
            length = piece.value / full * full_px
            # A seam tells neighbours apart that are equally light.
            drawing.rect(start, top, max(length - 1, 0.5), bar_px, colours[piece.kind])
            if text_width(piece.text) + 6 <= length:
                drawing.text(
                    start + length / 2,
                    top + bar_px / 2,
                    piece.text,
                    colour=piece.text_colour,
                    anchor="middle",
                )
            start += length
        drawing.text(start + 6, top + bar_px / 2, stack.text, colour="soft")
        top += bar_px + _GAP_PX + 1
    drawing.height = max(top - _GAP_PX - 1, 0)
    return drawing


def dot_list(
    canvas: Canvas,
    groups: Sequence[DotGroup],
    kinds: Sequence[Kind],
    *,
    title: str,
    domain: tuple[float, float],
    number_format: str,
    reference: float | None = None,
    span_colour: str = "accent_soft",
) -> Drawing:
    """Dots on a common axis, in rows under labels; a span behind the dots of a row where it has one.

    Args:
        canvas: what to draw on.
        groups: from above; a group without a label takes no room for it.
        kinds: of the dots; with more than one there is a legend.
        title: of the axis.
        domain: ends of the axis; what goes beyond is drawn up to there.
        number_format: of the axis' numbers, as `format` knows it.
        reference: a value at which a line stands.
        span_colour: name of a colour.
    """
    axis = Axis(title, domain, number_format, reference)
    dot_px = 6
    rows = [row for group in groups for row in group.rows]
    left_px = _room([row.label for row in rows], canvas.width * 0.42)
    right_px = _room([row.text for row in rows], canvas.width * 0.4)
    place = _scale(axis.domain, (left_px + dot_px, canvas.width - right_px - dot_px))
    looks = {kind.name: kind for kind in kinds}
    drawing = Drawing(canvas.width, 0)
    first = _legend(drawing, kinds) if len(kinds) > 1 else 0.0
    last = first + sum(
        (_LABEL_PX if group.label else 0) + _ROW_PX * len(group.rows) + _GAP_PX - 3 for group in groups
    )
    _x_axis(drawing, axis, place, (first, last))
    top = first
    for group in groups:
        if group.label:
            _label(drawing, group.label, top)
            top += _LABEL_PX
        for row in group.rows:
            middle = top + _ROW_PX / 2
            if row.span is not None:
                low, high = (place(min(max(end, domain[0]), domain[1])) for end in row.span)
                drawing.rule((low, middle), (high, middle), span_colour, width=5, is_round=True)
            for value, kind in row.dots:
                shown = min(max(value, domain[0]), domain[1])
                drawing.dot(place(shown), middle, looks[kind].colour, shape=looks[kind].shape or "circle")
            drawing.text(0, middle, fitted(row.label, left_px), colour="soft")
            drawing.text(canvas.width, middle, fitted(row.text, right_px), colour="soft", anchor="end")
            top += _ROW_PX
        top += _GAP_PX - 3
    return drawing


def calibration_squares(canvas: Canvas, panels: Sequence[Panel], *, x_title: str, y_title: str) -> Drawing:
    """Foretold shares against observed ones, with the diagonal on which they are equal.

    One square for each panel, two in a row on a desk; curves of the same name have one colour throughout.
    Five names at the most.
    """
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    palette = ("accent", "holdout", "active", "dormant", "lost")
    kinds = [Kind(name, colour, "circle") for name, colour in zip(names, palette, strict=False)]
    columns = 2 if len(panels) > 1 and canvas.is_wide else 1
    # Room for the axis to the left, and to the right for half of the other axis' last label.
    left_px, right_px, largest_px = 58, 18, 380
    side = min(largest_px, (canvas.width - columns * (left_px + right_px)) // columns)
    drawing = Drawing(canvas.width, 0)
    top = _legend(drawing, kinds) if len(kinds) > 1 else 0.0
    colours = {kind.name: kind.colour for kind in kinds}
    title_px = _LABEL_PX + 4 if any(panel.title for panel in panels) else 8
    row_px = title_px + side + _TICK_LABEL_PX + _TITLE_PX + _GAP_PX
    for position, panel in enumerate(panels):
        corner = (
            left_px + (position % columns) * (left_px + side + right_px),
            top + (position // columns) * row_px + title_px,
        )
        drawing.text(corner[0], corner[1] - 13, fitted(panel.title, side, _LABEL_SIZE), size=_LABEL_SIZE)
        _square(drawing, panel, colours, corner, (side, x_title, y_title))
    drawing.height = top + math.ceil(len(panels) / columns) * row_px - _GAP_PX
    return drawing


def _square(
    drawing: Drawing,
    panel: Panel,
    colours: dict[str, str],
    corner: tuple[float, float],
    size_and_titles: tuple[float, str, str],
) -> None:
    side, x_title, y_title = size_and_titles
    left, top = corner
    # Both axes alike, so that the diagonal is one.
    largest = max((share for curve in panel.curves for point in curve.points for share in point), default=1)
    until = min(1.0, math.ceil(largest * 10) / 10) or 0.1
    across, up = _scale((0, until), (left, left + side)), _scale((0, until), (top + side, top))
    axis = Axis(x_title, (0, until), ".0%")
    for value in ticks(0, until, 5):
        drawing.rule((left, up(value)), (left + side, up(value)), "line")
        drawing.text(left - 6, up(value), f"{value:.0%}", colour="soft", anchor="end")
    drawing.text(left - 50, top + side / 2, y_title, colour="soft", anchor="middle", is_upright=True)
    _x_axis(drawing, axis, across, (top, top + side))
    drawing.rule((across(0), up(0)), (across(until), up(until)), "soft", dash="4 4")
    for curve in panel.curves:
        points = [(across(x), up(y)) for x, y in curve.points]
        drawing.curve(points, colours[curve.name])
        for x, y in points:
            drawing.dot(x, y, colours[curve.name], radius=4.4)


def heat_map(
    canvas: Canvas, cells: Sequence[HeatCell], axes: HeatAxes, *, full: float | None = None, height: int
) -> Drawing:
    """A grid of cells, the darker the more.

    Args:
        canvas: what to draw on.
        cells: at the most one for each row and column; step 0 of the colours is for those with nothing.
        axes: names of rows and columns.
        full: the value of the last step; by default the largest of the cells.
        height: pixels of the grid at the most; it is never higher than wide.
    """
    title_px = 18 if axes.row_title else 0
    left = axes.row_px or title_px + _room(axes.rows, 0.45 * canvas.width) + 4
    grid_px = canvas.width - left
    column_px = grid_px / max(len(axes.columns), 1)
    is_upright = axes.upright or any(text_width(name, 10) > column_px for name in axes.columns)
    drawing = Drawing(canvas.width, 0)
    top = _upright_names(drawing, axes, left, column_px) if is_upright else 0.0
    row_px = min(grid_px, height) / max(len(axes.rows), 1)
    bottom = top + row_px * len(axes.rows)
    for position, name in enumerate(axes.rows):
        shown = fitted(name, left - 8 - title_px)
        drawing.text(left - 7, top + (position + 0.5) * row_px, shown, colour="soft", anchor="end")
    drawing.text(
        9,
        (top + bottom) / 2,
        axes.row_title,
        colour="soft",
        anchor="middle",
        is_upright=len(axes.row_title) > 1,
    )
    most = full or max((cell.value for cell in cells), default=0) or 1
    columns = {name: position for position, name in enumerate(axes.columns)}
    rows = {name: position for position, name in enumerate(axes.rows)}
    for cell in cells:
        corner = (left + columns[cell.column] * column_px, top + rows[cell.row] * row_px)
        _heat_cell(drawing, cell, most, corner, (column_px, row_px))
    drawing.height = bottom
    if not is_upright:
        name_size = _largest_size(axes.columns, column_px)
        for position, name in enumerate(axes.columns):
            centre = left + (position + 0.5) * column_px
            drawing.text(centre, bottom + 10, name, colour="soft", size=name_size, anchor="middle")
        drawing.text(left + grid_px / 2, bottom + 28, axes.column_title, colour="soft", anchor="middle")
        drawing.height = bottom + 37
    return drawing


def _upright_names(drawing: Drawing, axes: HeatAxes, left: float, column_px: float) -> float:
    """Names of the columns, read from below, under their title; returns where the grid begins."""
    top = _TITLE_PX + max((text_width(name) for name in axes.columns), default=0) + 8
    centre = left + column_px * len(axes.columns) / 2
    drawing.text(centre, 8, axes.column_title, colour="soft", anchor="middle")
    for position, name in enumerate(axes.columns):
        drawing.text(left + (position + 0.5) * column_px, top - 6, name, colour="soft", is_upright=True)
    return top


def _largest_size(texts: Sequence[str], width: float) -> int:
    """The type size in which the texts fit, nine pixels at the least."""
    longest = max((text_width(text, 1) for text in texts), default=0)
    return next((size for size in (12, 11, 10) if longest * size <= width), 9)


def _heat_cell(
    drawing: Drawing,
    cell: HeatCell,
    most: float,
    corner: tuple[float, float],
    size: tuple[float, float],
) -> None:
    (left, top), (width, height) = corner, size
    step = min(max(math.ceil((HEAT_STEPS - 1) * cell.value / most), 0), HEAT_STEPS - 1)
    gap = min(0.04 * width, 3)
    drawing.rect(
        left + gap / 2, top + gap / 2, width - gap, height - gap, f"heat_{step}", radius=min(3, width / 10)
    )
    on = "on_heat_high" if step >= HEAT_STEPS - 2 else "on_heat_low"
    centre, middle = left + width / 2, top + height / 2
    has_second = bool(cell.small) and width >= text_width(cell.small, 10) and height >= 30
    raised = 6 if has_second else 0
    size_px = _largest_size([cell.text], width - gap)
    drawing.text(centre, middle - raised, cell.text, colour=on, size=size_px, anchor="middle")
    if has_second:
        drawing.text(centre, middle + 9, cell.small, colour=on, size=10, anchor="middle")


def histogram(
    canvas: Canvas, bars: Sequence[HistogramBar], kinds: Sequence[Kind], axis: Axis, *, height: int = 240
) -> Drawing:
    """Stacked columns over an axis of values, with their numbers to the left.

    Args:
        canvas: what to draw on.
        bars: from the left.
        kinds: from below; the legend.
        axis: of the values.
        height: pixels of the tallest column.
    """
    left_px, right_px = 46, 8
    tallest = max((sum(bar.values) for bar in bars), default=0) or 1
    drawing = Drawing(canvas.width, 0)
    top = _legend(drawing, kinds) + 4
    up = _scale((0, tallest), (top + height, top))
    _levels(drawing, ticks(0, tallest, 4), up, left_px, lambda value: f"{value:,.0f}")
    across = _scale(axis.domain, (left_px, canvas.width - right_px))
    for bar in bars:
        start, base = across(bar.start), 0.0
        width = max(across(bar.end) - start - 1, 0.5)
        for kind, value in zip(kinds, bar.values, strict=True):
            if value:
                drawing.rect(start, up(base + value), width, up(base) - up(base + value), kind.colour)
                base += value
    _x_axis(drawing, axis, across, (top, top + height), has_grid=False)
    return drawing


def share_areas(
    canvas: Canvas, days: Sequence[date], shares: Sequence[Sequence[float]], kinds: Sequence[Kind]
) -> Drawing:
    """How the parts of a whole change over time, as areas on top of each other.

    Args:
        canvas: what to draw on.
        days: two at the least, in order.
        shares: for each kind, its share (0 to 1) on each of the days.
        kinds: from below; the legend.
    """
    left_px, right_px, height = 46, 14, 240
    drawing = Drawing(canvas.width, 0)
    top = _legend(drawing, kinds) + 4
    up = _scale((0, 1), (top + height, top))
    span = (days[0].toordinal(), days[-1].toordinal())
    across = _scale(span, (left_px, canvas.width - right_px))
    base = [0.0] * len(days)
    for kind, of_kind in zip(kinds, shares, strict=True):
        upper = [low + share for low, share in zip(base, of_kind, strict=True)]
        edge = [(across(day.toordinal()), up(level)) for day, level in zip(days, upper, strict=True)]
        floor = [(across(day.toordinal()), up(level)) for day, level in zip(days, base, strict=True)]
        drawing.area([*edge, *reversed(floor)], kind.colour)
        base = upper
    _levels(drawing, ticks(0, 1, 4), up, left_px, lambda value: f"{value:.0%}")
    for day in _day_ticks(days[0], days[-1], (canvas.width - left_px - right_px) // 100):
        x = across(day.toordinal())
        drawing.rule((x, top + height), (x, top + height + 4), "soft")
        shown = min(max(x, left_px + 6), canvas.width - 34)
        drawing.text(shown, top + height + 13, day.isoformat(), colour="soft", size=11, anchor="middle")
    drawing.height = top + height + _TICK_LABEL_PX
    return drawing


def _day_ticks(first: date, last: date, count: int) -> list[date]:
    """The first day, the last, and others between at equal distances."""
    days = (last - first).days
    steps = max(1, min(count, days))
    return [first + timedelta(days=round(days * position / steps)) for position in range(steps + 1)]


def _levels(
    drawing: Drawing,
    values: Sequence[float],
    up: Callable[[float], float],
    left_px: float,
    name: Callable[[float], str],
) -> None:
    """Horizontal lines with their values to the left."""
    for value in values:
        drawing.rule((left_px, up(value)), (drawing.width, up(value)), "line")
        drawing.text(left_px - 6, up(value), name(value), colour="soft", anchor="end")


def _x_axis(
    drawing: Drawing,
    axis: Axis,
    place: Callable[[float], float],
    rows: tuple[float, float],
    *,
    has_grid: bool = True,
) -> None:
    """Numbers and title below the rows, lines behind them; the drawing then ends there."""
    top, bottom = rows
    left, right = place(axis.domain[0]), place(axis.domain[1])
    for value in ticks(*axis.domain, max(2, round((right - left) / 75))):
        if has_grid:
            drawing.rule((place(value), top), (place(value), bottom), "line")
        # Zero has no sign.
        shown = format(value or 0.0, axis.number_format)
        shown = shown.replace("-", "−") if value else shown.lstrip("+")
        half = text_width(shown) / 2
        drawing.text(
            min(max(place(value), half), drawing.width - half),
            bottom + 11,
            shown,
            colour="soft",
            anchor="middle",
        )
    if axis.reference is not None:
        drawing.rule((place(axis.reference), top), (place(axis.reference), bottom), "soft")
    room = drawing.width - left
    drawing.text(left, bottom + _TICK_LABEL_PX + 8, fitted(axis.title, room), colour="soft")
    drawing.height = bottom + _TICK_LABEL_PX + _TITLE_PX


def _legend(drawing: Drawing, kinds: Sequence[Kind]) -> float:
    """Entries side by side, in as many rows as they need; returns where the chart begins below."""
    if not kinds:
        return 0.0
    left, middle = 0.0, _LEGEND_ROW_PX / 2
    for kind in kinds:
        width = _SYMBOL_PX + text_width(kind.name)
        if left and left + width > drawing.width:
            left, middle = 0.0, middle + _LEGEND_ROW_PX
        if kind.shape is None:
            drawing.rect(left, middle - 5, 10, 10, kind.colour)
        else:
            drawing.dot(left + 5, middle, kind.colour, shape=kind.shape)
        drawing.text(left + _SYMBOL_PX, middle, kind.name)
        left += width + _LEGEND_GAP_PX
    return middle + _LEGEND_ROW_PX / 2 + 6


def _label(drawing: Drawing, text: str, top: float) -> None:
    """The label above a row."""
    shown = fitted(text, drawing.width, _LABEL_SIZE)
    drawing.text(0, top + 7, shown, size=_LABEL_SIZE)


def _scale(domain: tuple[float, float], span: tuple[float, float]) -> Callable[[float], float]:
    """From values to pixels, in proportion."""
    (low, high), (start, end) = domain, span
    slope = (end - start) / (high - low) if high != low else 0.0
    return lambda value: start + (value - low) * slope


def _room(texts: Sequence[str], most: float) -> float:
    """Pixels for the longest of the texts."""
    return min(max((text_width(text) for text in texts), default=0) + 8, most) if any(texts) else 0.0
