"""Which method judges each category, and how it did on past dates beside the best X days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import DotGroup, DotRow, Kind, dot_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, capital, number, share, signed

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

_DRAWN, _LISTED, _NAMED = 12, 15, 3


def build(source: Source) -> Section:
    """The method in use of each category against the best tuned rule."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="evidence",
        title=say("The model against the best X days", "模型与最优 X 天规则的比较"),
        reading=say(
            "Nothing was fitted by this date, so there is no method to evaluate.",
            "截至当日尚未拟合，没有可评估的方法。",
        ),
        query=query,
        published="marts.dormancy_model_evaluation",
    )
    if not rows:
        return head
    judged = [row for row in rows if row["rule_auc"] is not None]
    compared = [row for row in judged if row["model_auc"] is not None]
    return replace(
        head,
        reading=_reading(say, rows, judged),
        chart=(lambda canvas: _chart(canvas, say, compared[:_DRAWN])) if compared else None,
        table=_table(say, rows),
        note=_note(say, judged, len(compared)),
    )


def _in_use(row: Row) -> bool:
    """Does the model judge the category?"""
    return bool(row["method"] == "mbg_cnbd")


def _reading(say: Wording, rows: list[Row], judged: list[Row]) -> str:
    if not judged:
        return say(
            "No past date could be judged yet, so no model is proven and the best X days are in use in "
            f"{_of(say, len(rows))}.",
            f"尚无可评估的历史日期，模型未经验证，{_of(say, len(rows))}均使用最优 X 天规则。",
        )
    used = [row for row in judged if _in_use(row) and row["model_auc"] is not None]
    refused = [say.category(row["category"]) for row in judged if not _in_use(row) and row["refused"]]
    beaten = [say.category(row["category"]) for row in judged if not _in_use(row) and not row["refused"]]
    clauses = []
    if used:
        model, rule = (fmean(row[name] for row in used) for name in ("model_auc", "rule_auc"))
        some = f"{len(used)} of" if len(used) < len(rows) else "all"
        some_zh = (
            f"{_of(say, len(rows))}中的 {len(used)} 个"
            if len(used) < len(rows)
            else f"全部{_of(say, len(rows))}"
        )
        clauses.append(
            say(
                f"the model is in use in {some} {_of(say, len(rows))}, where it ranks sleepers with a mean "
                f"AUC of {model:.3f} against {rule:.3f} of the best X days",
                f"{some_zh}使用模型，其排序的平均 AUC 为 {model:.3f}，最优 X 天规则为 {rule:.3f}",
            )
        )
    if beaten:
        clauses.append(
            say("the rule won everywhere", "规则在各品类均胜出")
            if len(beaten) == len(rows)
            else say(f"the rule won in {_list(say, beaten)}", f"规则在{_list(say, beaten)}胜出")
        )
    if refused:
        clauses.append(
            say(f"a model was refused in {_list(say, refused)}", f"{_list(say, refused)}的模型未被采用")
        )
    if unjudged := len(rows) - len(judged):
        clauses.append(say(f"{_of(say, unjudged)} could not be evaluated", f"{_of(say, unjudged)}无法评估"))
    sentence = say("; ", "；").join(clauses)
    return capital(sentence) + say(".", "。")


def _of(say: Wording, categories: int) -> str:
    return say(f"{categories} {'category' if categories == 1 else 'categories'}", f"{categories} 个品类")


def _list(say: Wording, names: Sequence[str]) -> str:
    """The first few names, and how many others."""
    if len(names) > _NAMED + 1:
        others = len(names) - _NAMED
        return say(
            f"{', '.join(names[:_NAMED])} and {others} others",
            f"{'、'.join(names[:_NAMED])}等 {len(names)} 个品类",
        )
    if len(names) == 1:
        return names[0]
    return say(f"{', '.join(names[:-1])} and {names[-1]}", "、".join(names))


def _note(say: Wording, judged: list[Row], compared: int) -> str:
    if not judged:
        return say(
            "Methods are judged at past dates of which the following horizon is known.",
            "各方法在其后展望期已知的历史日期上评估。",
        )
    first = min(row["first_cutoff"] for row in judged)
    last = max(row["last_cutoff"] for row in judged)
    past = f"at {last}" if first == last else f"from {first} to {last}"
    past_zh = f"{last}" if first == last else f"{first} 至 {last}"
    horizon = judged[0]["horizon_days"]
    is_cut = compared > _DRAWN
    drawn = f" Drawn are the {_DRAWN} largest categories." if is_cut else ""
    drawn_zh = f"图中为最大的 {_DRAWN} 个品类。" if is_cut else ""
    return say(
        "AUC is the chance that a customer who stayed away ranks above one who came back; .5 is guessing. "
        f"Figures are means over past cut-offs ({past}) and two labels: no purchase within the shop's "
        f"horizon of {horizon} days, and none within the customer's own. Precision is the share that stayed "
        "away among as many customers as the rule flags; false flags are the flagged who bought. The method "
        "was chosen by these same figures, so they flatter it a little; a model is refused when what the "
        "earlier cut-off would have chosen did worse than the rule on the later one. The category all is "
        f"everybody; small categories share its method.{drawn}",
        "AUC 为一位未回来的客户排在一位回来的客户之前的概率，0.5 相当于随机猜测。"
        f"数字为历史截点（{past_zh}）与两种口径的平均：统一的 {horizon} 天内无购买，"
        "以及客户自身展望期内无购买。精确率为标记同样多客户时其中确实未回来的占比；"
        "误标率为被标记却购买的占比。方法正是按这些数字选出，因此略偏乐观；"
        "若较早截点会选中的模型在较晚截点不如规则，则不予采用。“全部”指所有客户，小品类沿用其方法。"
        f"{drawn_zh}",
    )


def _kinds(say: Wording) -> dict[str, Kind]:
    return {
        "rule": Kind(say("Best X days", "最优 X 天"), "soft", "diamond"),
        "used": Kind(say("Model in use", "在用模型"), "accent", "circle"),
        "unused": Kind(say("Model, not in use", "未采用的模型"), "accent_soft", "circle"),
    }


def _chart(canvas: Canvas, say: Wording, compared: list[Row]) -> Drawing:
    values = [value for row in compared for value in (row["rule_auc"], row["model_auc"])]
    margin = max(0.01, 0.06 * (max(values) - min(values)))
    kinds = _kinds(say)
    groups = [
        DotGroup(
            say.category(row["category"]),
            (
                DotRow(
                    dots=(
                        (row["rule_auc"], kinds["rule"].name),
                        (row["model_auc"], kinds["used" if _in_use(row) else "unused"].name),
                    ),
                    text=_verdict(say, row),
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
        [kind for kind in kinds.values() if kind.name in present],
        title="AUC",
        domain=(min(values) - margin, max(values) + margin),
        number_format=".2f",
        span_colour="line",
    )


def _verdict(say: Wording, row: Row) -> str:
    gain = signed(row["model_auc"] - row["rule_auc"], ".3f")
    if _in_use(row):
        return gain
    verdict = say("refused", "未采用") if row["refused"] else say("rule won", "规则胜出")
    return f"{gain} {verdict}"


def _table(say: Wording, rows: list[Row]) -> Table:
    listed = rows if len(rows) <= _LISTED + 1 else rows[:_LISTED]
    others = rows[len(listed) :]
    cells = [
        (
            Cell(say.category(row["category"]), note=_method(say, row)),
            number(row["customers"]),
            _auc(row["rule_auc"]),
            _auc(row["model_auc"]),
            share(row["rule_precision"]),
            share(row["model_precision"]),
            share(row["model_false_flag_rate" if _in_use(row) else "rule_false_flag_rate"]),
        )
        for row in listed
    ]
    if others:
        customers = sum(row["customers"] for row in others)
        rest = Cell(say(f"{len(others)} others", f"其他 {len(others)} 个品类"))
        cells.append((rest, number(customers), DASH, DASH, DASH, DASH, DASH))
    return Table(
        columns=(
            Column(say("Category and method in use", "品类与在用方法"), numeric=False),
            Column(say("Customers", "客户")),
            Column(say("AUC: rule", "AUC：规则")),
            Column(say("Model", "模型")),
            Column(say("Precision: rule", "精确率：规则")),
            Column(say("Model", "模型")),
            Column(say("False flags in use", "在用方法误标率")),
        ),
        rows=tuple(cells),
    )


def _method(say: Wording, row: Row) -> str:
    model = say.method(row["model"]) if row["model"] else say("model", "模型")
    if _in_use(row):
        return model
    days = row["tuned_x_days"]
    rule = say("best X", "最优 X") if days is None else say(f"best X, {days} days", f"最优 X = {days} 天")
    if row["rule_auc"] is None:
        return say(f"{rule}; not evaluated", f"{rule}；未评估")
    if row["refused"]:
        return say(f"{rule}; {model} refused", f"{rule}；{model}未采用")
    return rule if row["model"] else say(f"{rule}; no model could be fitted", f"{rule}；无法拟合模型")


def _auc(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"
