"""Cost against size: seconds of the daily job and of the floor, both axes logarithmic, as SVG."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipelines.report.charts import LIGHT, Canvas, Drawing, svg

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 20, 66, 48
_COLOURS = ("accent", "holdout", "dormant", "active")


class _Scale:
    """Where a value stands between two ends, by its logarithm."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._span = math.log10(low), math.log10(high / low)
        self._start, self._length = start, end - start

    def __call__(self, value: float) -> float:
        return self._start + self._length * (math.log10(value) - self._low) / self._span


def cost_chart(lines: Mapping[str, Mapping[int, float]], limit: Mapping[int, float], subtitle: str) -> str:
    """An SVG that stands alone, in light colours.

    Args:
        lines: by name, seconds by customers.
        limit: seconds that are allowed, by customers; drawn dashed.
        subtitle: what was measured.
    """
    text = svg(lambda canvas: _draw(canvas, lines, limit, subtitle), _WIDTH)
    return re.sub(r"var\(--(\w+)\)", lambda found: LIGHT.get(found[1], found[0]), text)


def _draw(
    canvas: Canvas, lines: Mapping[str, Mapping[int, float]], limit: Mapping[int, float], subtitle: str
) -> Drawing:
    drawing = Drawing(canvas.width, _HEIGHT)
    drawing.rect(0, 0, canvas.width, _HEIGHT, "paper")
    drawing.text(16, 18, "Cost of the daily job against the size of the shop", size=16)
    drawing.text(16, 38, subtitle, colour="soft")
    sizes = sorted({size for line in lines.values() for size in line})
    seconds = [value for line in (*lines.values(), limit) for value in line.values()]
    ticks = _ticks(min(seconds), max(seconds))
    x = _Scale(sizes[0] / 1.3, sizes[-1] * 1.3, _LEFT, canvas.width - _RIGHT)
    y = _Scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    for tick in ticks:
        drawing.rule((_LEFT, y(tick)), (canvas.width - _RIGHT, y(tick)), "line")
        drawing.text(_LEFT - 6, y(tick), f"{tick:,} s", colour="soft", anchor="end")
    for size in sizes:
        drawing.rule((x(size), _HEIGHT - _BOTTOM), (x(size), _HEIGHT - _BOTTOM + 5), "soft")
        drawing.text(x(size), _HEIGHT - _BOTTOM + 16, f"{size:,}", colour="soft", anchor="middle")
    drawing.text(canvas.width / 2, _HEIGHT - 12, "customers", colour="soft", anchor="middle")
    allowed = [(x(size), y(limit[size])) for size in sorted(limit)]
    for start, end in pairwise(allowed):
        drawing.rule(start, end, "soft", dash="5 4")
    place = float(_LEFT)
    for (name, line), colour in zip(lines.items(), _COLOURS, strict=False):
        points = [(x(size), y(line[size])) for size in sorted(line)]
        drawing.curve(points, colour)
        for point in points:
            drawing.dot(*point, colour, radius=4)
        drawing.dot(place, _TOP - 12, colour, radius=4)
        drawing.text(place + 8, _TOP - 12, name)
        place += 24 + 7 * len(name)
    if len(limit) > 1:
        drawing.rule((place, _TOP - 12), (place + 18, _TOP - 12), "soft", dash="5 4")
        drawing.text(place + 24, _TOP - 12, "2 x floor + 60 s")
    return drawing


def _ticks(low: float, high: float) -> Sequence[int]:
    """Of 1, 2, 5, 10, ... those between the two, and the next one beyond each."""
    steps = [factor * 10**power for power in range(6) for factor in (1, 2, 5)]
    first = max([index for index, step in enumerate(steps) if step <= low], default=0)
    last = min([index for index, step in enumerate(steps) if step >= high], default=len(steps) - 1)
    return steps[first : max(last, first + 1) + 1]
