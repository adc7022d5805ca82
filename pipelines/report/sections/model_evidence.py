"""Which method judges each category, and how it did on past dates beside the best X days."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pipelines.report.charts import Canvas, ChartType
from pipelines.report.drawings import DotGroup, DotRow, Kind, dot_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, method_words, number

_SQL = """
with newest as (
    select max(fitted_on) as fitted_on
    from marts.dormancy_model
    where fitted_on <= $as_of_date
),
scores as (
    -- Past dates and labels count alike.
    select
        evaluation.category,
        evaluation.method,
        bool_or(evaluation.chosen) as chosen,
        avg(evaluation.auc) as auc,
        avg(evaluation.precision_at_equal_count) as precision,
        avg(evaluation.false_flag_rate) as false_flag_rate,
        count(*) as judgements,
        min(evaluation.cutoff) as first_cutoff,
        max(evaluation.cutoff) as last_cutoff,
        max(evaluation.horizon_days) as horizon_days
    from marts.dormancy_model_evaluation as evaluation
    inner join newest on evaluation.fitted_on = newest.fitted_on
    group by evaluation.category, evaluation.method
),
rivals as (
    -- The model in use; where the rule is in use, the best model that was judged as often as any.
    select *
    from scores
    where method <> 'tuned_x'
    qualify row_number() over (
        partition by category order by chosen desc, judgements desc, auc desc, method
    ) = 1
)
select
    model.model_category as category,
    model.method,
    model.customers,
    model.tuned_x_days,
    model.refused,
    rules.auc as rule_auc,
    rules.precision as rule_precision,
    rules.false_flag_rate as rule_false_flag_rate,
    rivals.method as model,
    rivals.auc as model_auc,
    rivals.precision as model_precision,
    rivals.false_flag_rate as model_false_flag_rate,
    rules.first_cutoff,
    rules.last_cutoff,
    rules.horizon_days
from marts.dormancy_model as model
inner join newest on model.fitted_on = newest.fitted_on
left join scores as rules on model.model_category = rules.category and rules.method = 'tuned_x'
left join rivals on model.model_category = rivals.category
order by model.model_category = 'all' desc, model.customers desc, model.model_category
"""

_RULE = Kind("Best X days", "soft", "diamond")
_USED = Kind("Model in use", "accent")
_UNUSED = Kind("Model, not in use", "accent_soft")
_DRAWN, _LISTED, _NAMED = 12, 15, 3


def build(source: Source) -> Section:
    """The method in use of each category against the best tuned rule."""
    query = source.bind(_SQL)
    rows = source.rows(query)
    title = "The model against the best X days"
    if not rows:
        return Section(
            "evidence", title, "Nothing was fitted by this date, so there is no method to evaluate.", query
        )
    judged = [row for row in rows if row["rule_auc"] is not None]
    compared = [row for row in judged if row["model_auc"] is not None]
    return Section(
        slug="evidence",
        title=title,
        reading=_reading(rows, judged),
        query=query,
        chart=(lambda canvas: _chart(canvas, compared[:_DRAWN])) if compared else None,
        table=_table(rows),
        note=_note(judged, len(compared)),
    )


def _in_use(row: Row) -> bool:
    """Does the model judge the category?"""
    return bool(row["method"] == "mbg_cnbd")


def _reading(rows: list[Row], judged: list[Row]) -> str:
    if not judged:
        return (
            "No past date could be judged yet, so no model is proven and the best X days are in use in "
            f"{_of(len(rows))}."
        )
    used = [row for row in judged if _in_use(row) and row["model_auc"] is not None]
    refused = [row["category"] for row in judged if not _in_use(row) and row["refused"]]
    beaten = [row["category"] for row in judged if not _in_use(row) and not row["refused"]]
    clauses = []
    if used:
        model, rule = (fmean(row[name] for row in used) for name in ("model_auc", "rule_auc"))
        share = f"{len(used)} of" if len(used) < len(rows) else "all"
        where = f"{share} {_of(len(rows))}"
        clauses.append(
            f"the model is in use in {where}, where it ranks sleepers with a mean AUC of {model:.3f} against "
            f"{rule:.3f} of the best X days"
        )
    if beaten:
        everywhere = " everywhere" if len(beaten) == len(rows) else ""
        clauses.append(f"the rule won{everywhere or f' in {_list(beaten)}'}")
    if refused:
        clauses.append(f"a model was refused in {_list(refused)}")
    if unjudged := len(rows) - len(judged):
        clauses.append(f"{_of(unjudged)} could not be evaluated")
    sentence = "; ".join(clauses)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _of(categories: int) -> str:
    return f"{categories} {'category' if categories == 1 else 'categories'}"


def _list(names: Sequence[str]) -> str:
    """The first few names, and how many others."""
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} others"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _note(judged: list[Row], compared: int) -> str:
    if not judged:
        return "Methods are judged at past dates of which the following horizon is known."
    first = min(row["first_cutoff"] for row in judged)
    last = max(row["last_cutoff"] for row in judged)
    past = f"at {last}" if first == last else f"from {first} to {last}"
    drawn = f" Drawn are the {_DRAWN} largest categories." if compared > _DRAWN else ""
    return (
        "AUC is the chance that a customer who stayed away ranks above one who came back; .5 is guessing. "
        f"Figures are means over past cut-offs ({past}) and two labels: no purchase within the shop's "
        f"horizon of {judged[0]['horizon_days']} days, and none within the customer's own. Precision is "
        "the share that stayed away among as many customers as the rule flags; false flags are the "
        "flagged who bought. The method was chosen by these same figures, so they flatter it a little; a "
        "model is refused when what the earlier cut-off would have chosen did worse than the rule on the "
        f"later one. The category all is everybody; small categories share its method.{drawn}"
    )


def _chart(canvas: Canvas, compared: list[Row]) -> ChartType:
    values = [value for row in compared for value in (row["rule_auc"], row["model_auc"])]
    margin = max(0.01, 0.06 * (max(values) - min(values)))
    groups = [
        DotGroup(
            row["category"],
            (
                DotRow(
                    dots=(
                        (row["rule_auc"], _RULE.name),
                        (row["model_auc"], (_USED if _in_use(row) else _UNUSED).name),
                    ),
                    text=_verdict(row),
                    span=(
                        min(row["rule_auc"], row["model_auc"]),
                        max(row["rule_auc"], row["model_auc"]),
                    ),
                ),
            ),
        )
        for row in compared
    ]
    present = {kind for group in groups for row in group.rows for _, kind in row.dots}
    return dot_list(
        canvas,
        groups,
        [kind for kind in (_RULE, _USED, _UNUSED) if kind.name in present],
        title="AUC",
        domain=(min(values) - margin, max(values) + margin),
        number_format=".2f",
        span_colour="line",
    )


def _verdict(row: Row) -> str:
    gain = f"{row['model_auc'] - row['rule_auc']:+.3f}".replace("-", "−")
    if _in_use(row):
        return gain
    return f"{gain} {'refused' if row['refused'] else 'rule won'}"


def _table(rows: list[Row]) -> Table:
    listed = rows if len(rows) <= _LISTED + 1 else rows[:_LISTED]
    others = rows[len(listed) :]
    cells = [
        (
            Cell(row["category"], note=_method(row)),
            number(row["customers"]),
            _auc(row["rule_auc"]),
            _auc(row["model_auc"]),
            _share(row["rule_precision"]),
            _share(row["model_precision"]),
            _share(row["model_false_flag_rate" if _in_use(row) else "rule_false_flag_rate"]),
        )
        for row in listed
    ]
    if others:
        customers = sum(row["customers"] for row in others)
        cells.append((Cell(f"{len(others)} others"), number(customers), DASH, DASH, DASH, DASH, DASH))
    return Table(
        columns=(
            Column("Category and method in use", numeric=False),
            Column("Customers"),
            Column("AUC: rule"),
            Column("Model"),
            Column("Precision: rule"),
            Column("Model"),
            Column("False flags in use"),
        ),
        rows=tuple(cells),
    )


def _method(row: Row) -> str:
    if _in_use(row):
        return method_words(row["model"]) if row["model"] else "model"
    days = "" if row["tuned_x_days"] is None else f", {row['tuned_x_days']} days"
    if row["rule_auc"] is None:
        return f"best X{days}; not evaluated"
    if row["refused"]:
        return f"best X{days}; {method_words(row['model']) if row['model'] else 'model'} refused"
    return f"best X{days}" + ("" if row["model"] else "; no model could be fitted")


def _auc(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return DASH if value is None else f"{value:.1%}"
