"""Whether what was foretold came true: shares of a purchase by tenths of the customers."""

from __future__ import annotations

from itertools import groupby

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import Curve, Panel, calibration_squares
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, number

_SQL = """
with newest as (
    select max(fitted_on) as fitted_on
    from marts.dormancy_model
    where fitted_on <= $as_of_date
)
select
    calibration.label,
    calibration.method,
    calibration.bin,
    cast(sum(calibration.customers) as bigint) as customers,
    sum(calibration.customers * calibration.foretold) / sum(calibration.customers) as foretold,
    sum(calibration.customers * calibration.observed) / sum(calibration.customers) as observed,
    min(calibration.cutoff) as first_cutoff,
    max(calibration.cutoff) as last_cutoff
from marts.dormancy_model_calibration as calibration
inner join newest on calibration.fitted_on = newest.fitted_on
where calibration.category = 'all' and calibration.customers > 0
group by calibration.label, calibration.method, calibration.bin
order by calibration.label desc, calibration.bin
"""

LABELS = {"shop_horizon": "Shop's horizon", "own_horizon": "Own horizon"}


def build(source: Source) -> Section:
    """Foretold and observed shares of the method in use for everybody."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "Foretold and observed"
    if not rows:
        return Section(
            "calibration",
            title,
            "Nothing that was foretold has had the time to come true yet, so there is nothing to compare.",
            query,
        )
    first, last = rows[0]["first_cutoff"], rows[0]["last_cutoff"]
    past = f"on {last}" if first == last else f"on past dates from {first} to {last}"
    return Section(
        slug="calibration",
        title=title,
        reading=_reading(rows),
        query=query,
        chart=lambda canvas: _chart(canvas, rows),
        table=_table(rows),
        note=f"Each dot is a tenth of the customers of all categories as they stood {past}, ordered by the "
        "probability of a purchase that the method in use gave them; on the dashed line both shares are "
        "equal. The method knew nothing later than its date. Where its probabilities are recalibrated, "
        "and those of a rule always are, the two numbers of the recalibration come from these same dates.",
    )


def _reading(rows: list[Row]) -> str:
    customers = sum(row["customers"] for row in rows)
    foretold = sum(row["customers"] * row["foretold"] for row in rows) / customers
    observed = sum(row["customers"] * row["observed"] for row in rows) / customers
    error = sum(row["customers"] * abs(row["foretold"] - row["observed"]) for row in rows) / customers
    who = (
        "The model"
        if rows[0]["method"].startswith("mbg_cnbd")
        else "The best X days, turned into probabilities,"
    )
    return (
        f"{who} foretold a purchase of {foretold:.1%} of the customers and {observed:.1%} bought; tenth by "
        f"tenth the shares differ by {100 * error:.1f} points on average."
    )


def _by_label(rows: list[Row]) -> dict[str, list[Row]]:
    return {label: list(of_label) for label, of_label in groupby(rows, key=lambda row: row["label"])}


def _chart(canvas: Canvas, rows: list[Row]) -> ChartType:
    curves = tuple(
        Curve(LABELS.get(label, label), tuple((row["foretold"], row["observed"]) for row in of_label))
        for label, of_label in _by_label(rows).items()
    )
    return calibration_squares(
        canvas, (Panel("", curves),), x_title="Foretold share of a purchase", y_title="Share that bought"
    )


def _table(rows: list[Row]) -> Table:
    labels = _by_label(rows)
    found = {(row["label"], row["bin"]): row for row in rows}
    bins = sorted({row["bin"] for row in rows})
    return Table(
        columns=(
            Column("Tenth", numeric=False),
            *(
                Column(title)
                for label in labels
                for title in (f"{LABELS.get(label, label)}: foretold", "Observed", "Customers")
            ),
        ),
        rows=tuple(
            (
                Cell(str(number_of_bin)),
                *(text for label in labels for text in _cells(found.get((label, number_of_bin)))),
            )
            for number_of_bin in bins
        ),
    )


def _cells(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return (DASH, DASH, DASH)
    return (f"{row['foretold']:.1%}", f"{row['observed']:.1%}", number(row["customers"]))
