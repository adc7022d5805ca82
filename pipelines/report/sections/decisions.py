"""Who is recalled, who is left out, and why."""

from __future__ import annotations

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DECISIONS, counted, number, ordered, percent, words

_SQL = """
select
    decision,
    reason_code,
    count(*) as customers,
    bool_or(simulated) as simulated
from activation.recall_decision
where as_of_date = $as_of_date
group by decision, reason_code
order by decision, customers desc, reason_code
"""

_COLOURS = {"send": "accent", "holdout": "holdout"}


def build(source: Source) -> Section:
    """One reason for every customer, those who are not contacted included."""
    query = source.bind(_SQL)
    rows = ordered(source.rows(query), "decision", DECISIONS)
    title = "Recall decisions"
    if not rows:
        return Section("decisions", title, "No recall was decided on this date.", query)
    customers = sum(row["customers"] for row in rows)
    simulated = any(row["simulated"] for row in rows)
    return Section(
        slug="decisions",
        title=title,
        reading=_reading(rows, customers, simulated),
        query=query,
        chart=lambda canvas: _chart(canvas, rows, customers),
        table=_table(rows, customers, source),
        note="Simulated: decided for a past date or again, so nothing was sent." if simulated else "",
    )


def _reading(rows: list[Row], customers: int, simulated: bool) -> str:
    chosen = {
        decision: sum(row["customers"] for row in rows if row["decision"] == decision)
        for decision in ("send", "holdout")
    }
    left = [row for row in rows if row["decision"] not in chosen]
    verb = "would be" if simulated else "is" if chosen["send"] == 1 else "are"
    sentence = (
        f"{number(chosen['send'])} of {counted(customers, 'customer')} {verb} recalled "
        f"and {number(chosen['holdout'])} held out for comparison"
    )
    if not left:
        return f"{sentence}; nobody else is left out."
    commonest = max(left, key=lambda row: row["customers"])
    return (
        f"{sentence}; the commonest reason to leave somebody alone is "
        f"“{words(commonest['reason_code']).lower()}” ({number(commonest['customers'])})."
    )


def _chart(canvas: Canvas, rows: list[Row], customers: int) -> ChartType:
    return bar_list(
        canvas,
        [
            BarGroup(
                _label(row),
                (
                    Bar(
                        row["customers"],
                        f"{number(row['customers'])} ({percent(row['customers'], customers)})",
                        _COLOURS.get(row["decision"], "quiet"),
                    ),
                ),
            )
            for row in rows
        ],
    )


def _label(row: Row) -> str:
    decision, reason = words(row["decision"]), words(row["reason_code"])
    return decision if decision == reason else f"{decision}: {reason.lower()}"


def _table(rows: list[Row], customers: int, source: Source) -> Table:
    return Table(
        columns=(Column("Decision and reason", numeric=False), Column("Customers"), Column("Share")),
        rows=tuple(
            (
                Cell(
                    _label(row),
                    colour=_COLOURS.get(row["decision"], "quiet"),
                    note=source.reason_descriptions.get(row["reason_code"], ""),
                ),
                number(row["customers"]),
                percent(row["customers"], customers),
            )
            for row in rows
        ),
    )
