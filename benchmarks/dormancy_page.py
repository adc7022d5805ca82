"""The page of an evaluation run: what a benchmark measured, as one HTML file in the look of the daily report.

What belongs here: sections from a benchmark's figures (methods on data sets, calibration, confusion of
reasons) and writing the page. What does not: measuring.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Real
from pathlib import Path
from statistics import fmean
from typing import Any

from pipelines.report.charts import WIDE_PX, Canvas, Drawing
from pipelines.report.drawings import (
    Curve,
    DotGroup,
    DotRow,
    HeatAxes,
    HeatCell,
    Kind,
    Panel,
    calibration_squares,
    dot_list,
    heat_map,
)
from pipelines.report.page import html_of
from pipelines.report.section import Cell, Column, Section, Table
from pipelines.report.wording import (
    DASH,
    REASONS,
    counted,
    method_words,
    number,
    percent,
    words,
)
from pipelines.report.writing import replace_file

RULE = "tuned_x"
UNKNOWN = "unknown"

_MEASURES = {
    "precision_at_equal_count": ("Precision", "{:.1%}"),
    "false_flag_rate": ("False flags", "{:.1%}"),
    "calibration_error": ("Calibration error", "{:.3f}"),
}
"""Columns that a table of methods has where a benchmark measured them, as title and format."""

_RULE = Kind("Best X days", "soft", "diamond")
_CHOSEN = Kind("Chosen", "accent", "circle")
_OTHER = Kind("Other method", "accent_soft", "circle")


def write_page(folder: Path, title: str, sections: Sequence[Section]) -> Path:
    """Write `folder/index.html`, which needs no other file, and return it.

    Raises:
        ValueError: two sections have one slug.
    """
    html = html_of(
        sections,
        title=title,
        kicker="Winback evaluation",
        footer="Every figure was measured by the benchmarks of this repository.",
    )
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    replace_file(page, html.encode())
    return page


def methods_section(
    rows: Sequence[Mapping[str, Any]],
    *,
    slug: str = "methods",
    title: str = "Methods on data sets",
    note: str = "",
) -> Section:
    """How methods rank sleepers on each data set.

    Args:
        rows: `data_set`, `method` (as in `marts.dormancy_model_evaluation`) and `auc`, in the order in which
            they are shown; optional: `label`, `customers`, `chosen`, `precision_at_equal_count`,
            `false_flag_rate`, `calibration_error`. A figure that could not be measured is None.
        slug: anchor in the page.
        title: heading.
        note: what the reader must know besides what AUC and precision are.
    """
    if not rows:
        return Section(slug, title, "No method was evaluated.")
    drawn = [row for row in rows if _is_number(row.get("auc"))]
    explanation = (
        "AUC is the chance that a customer who stayed away ranks above one who came back; .5 is guessing. "
        "Precision is taken at as many flags as the rule gives."
    )
    return Section(
        slug=slug,
        title=title,
        reading=_methods_reading(drawn),
        chart=(lambda canvas: _methods_chart(canvas, drawn)) if drawn else None,
        table=_methods_table(rows),
        note=f"{explanation} {note}".strip(),
    )


def calibration_section(
    rows: Sequence[Mapping[str, Any]],
    *,
    slug: str = "calibration",
    title: str = "Foretold and observed",
    note: str = "",
) -> Section:
    """Whether what was foretold came true, a square for each data set.

    Args:
        rows: `data_set`, `method`, `foretold`, `observed` (shares of a purchase) and `customers` of each bin,
            in the order of the bins; five methods at the most.
        slug: anchor in the page.
        title: heading.
        note: what the reader must know besides how to read the chart.
    """
    if not rows:
        return Section(slug, title, "Nothing was foretold.")
    groups = {
        key: list(of_curve)
        for key, of_curve in groupby(
            sorted(rows, key=lambda row: _position(rows, row)),
            key=lambda row: (row["data_set"], row["method"]),
        )
    }
    panels: dict[str, list[Curve]] = {}
    table = []
    for (data_set, method), of_curve in groups.items():
        points = tuple((float(row["foretold"]), float(row["observed"])) for row in of_curve)
        panels.setdefault(data_set, []).append(Curve(_sentence(method_words(method)), points))
        customers = sum(row["customers"] for row in of_curve)
        foretold, observed, error = (
            sum(row["customers"] * value for row, value in zip(of_curve, values, strict=True)) / customers
            for values in (
                [foretold for foretold, _ in points],
                [observed for _, observed in points],
                [abs(foretold - observed) for foretold, observed in points],
            )
        )
        table.append((data_set, method, customers, foretold, observed, error))
    closest = min(table, key=lambda row: row[-1])
    farthest = max(table, key=lambda row: row[-1])
    reading = (
        f"Foretold and observed shares of a purchase differ by {100 * closest[-1]:.1f} points on average "
        f"({closest[0]}, {method_words(closest[1])})"
    )
    if farthest is not closest:
        reading += f" to {100 * farthest[-1]:.1f} ({farthest[0]}, {method_words(farthest[1])})"
    explanation = (
        "Each dot is a bin of customers by their probability; on the dashed line both shares are equal."
    )
    return Section(
        slug=slug,
        title=title,
        reading=f"{reading}.",
        chart=lambda canvas: calibration_squares(
            canvas,
            [Panel(data_set, tuple(curves)) for data_set, curves in panels.items()],
            x_title="Foretold share of a purchase",
            y_title="Share that bought",
        ),
        table=Table(
            columns=(
                Column("Data set and method", numeric=False),
                Column("Customers"),
                Column("Foretold"),
                Column("Observed"),
                Column("Mean error, points"),
            ),
            rows=tuple(
                (
                    Cell(data_set, note=method_words(method)),
                    number(customers),
                    f"{foretold:.1%}",
                    f"{observed:.1%}",
                    f"{100 * error:.1f}",
                )
                for data_set, method, customers, foretold, observed, error in table
            ),
        ),
        note=f"{explanation} {note}".strip(),
    )


def confusion_section(
    counts: Mapping[tuple[str, str], int],
    *,
    slug: str = "confusion",
    title: str = "Reasons: true and ours",
    note: str = "",
) -> Section:
    """Which reasons are taken for which.

    Args:
        counts: sleepers by true reason and by ours.
        slug: anchor in the page.
        title: heading.
        note: what the reader must know besides how to read the chart.
    """
    counts = {pair: count for pair, count in counts.items() if count}
    if not counts:
        return Section(slug, title, "No sleeper's reason was judged.")
    explanation = (
        "Rows are the true reasons, columns ours; each cell has the sleepers and their share of the row, "
        "and is the darker the larger that share. Found is the share of a true reason that we name; right "
        "is the share of ours that is true."
    )
    return Section(
        slug=slug,
        title=title,
        reading=_confusion_reading(counts),
        chart=lambda canvas: _confusion_chart(canvas, counts),
        table=_confusion_table(counts),
        note=f"{explanation} {note}".strip(),
    )


def _methods_reading(drawn: Sequence[Mapping[str, Any]]) -> str:
    gains = []
    for _, of_group in _grouped(drawn):
        rule = max((row["auc"] for row in of_group if row["method"] == RULE), default=None)
        best = max((row["auc"] for row in of_group if row["method"] != RULE), default=None)
        if rule is not None and best is not None:
            gains.append(best - rule)
    if not gains:
        return f"{counted(len(drawn), 'result')} without the best X days to compare with."
    won = sum(gain > 0 for gain in gains)
    mean = f"{fmean(gains):+.3f}".replace("-", "−")
    return (
        f"In {won} of {counted(len(gains), 'comparison')} the best other method ranks sleepers better than "
        f"the best X days; on average its AUC differs by {mean}."
    )


def _methods_chart(canvas: Canvas, drawn: Sequence[Mapping[str, Any]]) -> Drawing:
    values = [float(row["auc"]) for row in drawn]
    margin = max(0.01, 0.06 * (max(values) - min(values)))
    groups = [
        DotGroup(
            name,
            tuple(
                DotRow(
                    dots=((float(row["auc"]), _kind(row).name),),
                    text=f"{row['auc']:.3f}",
                    label=_sentence(method_words(row["method"])),
                )
                for row in of_group
            ),
        )
        for name, of_group in _grouped(drawn)
    ]
    present = {_kind(row) for row in drawn}
    return dot_list(
        canvas,
        groups,
        [kind for kind in (_RULE, _CHOSEN, _OTHER) if kind in present],
        title="AUC",
        domain=(min(values) - margin, max(values) + margin),
        number_format=".2f",
    )


def _kind(row: Mapping[str, Any]) -> Kind:
    if row["method"] == RULE:
        return _RULE
    return _CHOSEN if row.get("chosen") else _OTHER


def _methods_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    measured = {
        name: measure for name, measure in _MEASURES.items() if any(_is_number(row.get(name)) for row in rows)
    }
    counts = any(row.get("customers") for row in rows)
    return Table(
        columns=(
            Column("Data set and method", numeric=False),
            *((Column("Customers"),) if counts else ()),
            Column("AUC"),
            *(Column(title) for title, _ in measured.values()),
        ),
        rows=tuple(
            (
                Cell(
                    _sentence(method_words(row["method"])) + (" ✓" if row.get("chosen") else ""),
                    note=_group(row),
                ),
                *((number(row["customers"]) if row.get("customers") else DASH,) if counts else ()),
                _figure(row.get("auc"), "{:.3f}"),
                *(_figure(row.get(name), form) for name, (_, form) in measured.items()),
            )
            for row in rows
        ),
    )


def _grouped(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Rows by data set and label, in the order of their first row."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_group(row), []).append(row)
    return list(groups.items())


def _group(row: Mapping[str, Any]) -> str:
    label = row.get("label")
    return f"{row['data_set']} · {words(label).lower()}" if label else str(row["data_set"])


def _position(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> int:
    """Place of the first row of the same data set and method."""
    return next(
        place
        for place, each in enumerate(rows)
        if (each["data_set"], each["method"]) == (row["data_set"], row["method"])
    )


def _confusion_reading(counts: Mapping[tuple[str, str], int]) -> str:
    sleepers = sum(counts.values())
    right = sum(count for (true, ours), count in counts.items() if true == ours)
    unknown = sum(count for (true, ours), count in counts.items() if true != ours == UNKNOWN)
    wrong = sleepers - right - unknown
    sentence = f"Of {counted(sleepers, 'sleeper')} {percent(right, sleepers)} have the true reason"
    if unknown:
        sentence += f", {percent(unknown, sleepers)} unknown though there is one"
    return f"{sentence} and {percent(wrong, sleepers)} a wrong one."


def _reasons(counts: Mapping[tuple[str, str], int], side: int) -> list[str]:
    """Reasons of one side, in the order of the guide; others follow by name, `unknown` is last."""
    present = {pair[side] for pair in counts}
    known = [reason for reason in REASONS if reason in present and reason != UNKNOWN]
    others = sorted(present - set(REASONS))
    return [*known, *others, *([UNKNOWN] if UNKNOWN in present else [])]


def _confusion_chart(canvas: Canvas, counts: Mapping[tuple[str, str], int]) -> Drawing:
    rows, columns = _reasons(counts, 0), _reasons(counts, 1)
    totals = _totals(counts, 0)
    cells = [
        HeatCell(
            row=words(true),
            column=words(ours),
            value=count / totals[true],
            text=number(count) if count else "",
            small=f"{count / totals[true]:.0%}" if count else "",
        )
        for true in rows
        for ours in columns
        for count in [counts.get((true, ours), 0)]
    ]
    axes = HeatAxes(
        rows=tuple(words(reason) for reason in rows),
        columns=tuple(words(reason) for reason in columns),
        row_title="True reason" if canvas.width >= WIDE_PX else "",
        column_title="Our reason",
        row_px=174 if canvas.width >= WIDE_PX else 148,
        upright=True,
    )
    return heat_map(canvas, cells, axes, full=1, height=40 * len(rows))


def _confusion_table(counts: Mapping[tuple[str, str], int]) -> Table:
    true_totals, our_totals = _totals(counts, 0), _totals(counts, 1)
    reasons = list(dict.fromkeys([*_reasons(counts, 0), *_reasons(counts, 1)]))
    reasons.sort(key=lambda reason: reason == UNKNOWN)
    return Table(
        columns=(
            Column("Reason", numeric=False),
            Column("Truly"),
            Column("Ours"),
            Column("Found"),
            Column("Right"),
            Column("Commonest mistake", numeric=False),
        ),
        rows=tuple(
            (
                Cell(words(reason)),
                number(true_totals[reason]),
                number(our_totals[reason]),
                percent(counts.get((reason, reason), 0), true_totals[reason]),
                percent(counts.get((reason, reason), 0), our_totals[reason]),
                _commonest_mistake(counts, reason, true_totals[reason]),
            )
            for reason in reasons
        ),
    )


def _commonest_mistake(counts: Mapping[tuple[str, str], int], true: str, total: int) -> str:
    mistakes = [(count, ours) for (each, ours), count in counts.items() if each == true != ours]
    if not mistakes:
        return DASH
    count, ours = min(mistakes, key=lambda mistake: (-mistake[0], mistake[1]))
    return f"{words(ours).lower()} {percent(count, total)}"


def _totals(counts: Mapping[tuple[str, str], int], side: int) -> Counter[str]:
    totals: Counter[str] = Counter()
    for pair, count in counts.items():
        totals[pair[side]] += count
    return totals


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _figure(value: float | None, form: str) -> str:
    return form.format(value) if value is not None and _is_number(value) else DASH
