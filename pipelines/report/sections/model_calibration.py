"""Whether what was foretold came true: shares of a purchase by tenths of the customers."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Curve, Panel, calibration_squares
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, number

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

_LABELS = {"shop_horizon": ("Shop's horizon", "统一展望期"), "own_horizon": ("Own horizon", "客户自身展望期")}


def build(source: Source) -> Section:
    """Foretold and observed shares of the method in use for everybody."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="calibration",
        title=say("Foretold and observed", "预测与实际"),
        reading=say(
            "Nothing that was foretold has had the time to come true yet, so there is nothing to compare.",
            "所作预测尚未到可验证的时候，因此无从比较。",
        ),
        query=query,
        published="marts.dormancy_model_calibration",
    )
    if not rows:
        return head
    first, last = rows[0]["first_cutoff"], rows[0]["last_cutoff"]
    past = f"on {last}" if first == last else f"on past dates from {first} to {last}"
    past_zh = f"{last} " if first == last else f" {first} 至 {last} 的各历史日期"
    return replace(
        head,
        reading=_reading(say, rows),
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(say, rows),
        note=say(
            f"Each dot is a tenth of the customers of all categories as they stood {past}, ordered by the "
            "probability of a purchase that the method in use gave them; on the dashed line both shares are "
            "equal. The method knew nothing later than its date. Where its probabilities are recalibrated, "
            "and those of a rule always are, the two numbers of the recalibration come from these same "
            "dates.",
            f"每个点为全部品类客户在{past_zh}时的十分之一，按所用方法给出的购买概率排序；虚线上两者相等。"
            "方法只使用该日期之前的数据。若概率经过再校准（规则一律再校准），其两个参数也来自这些日期。",
        ),
    )


def _reading(say: Wording, rows: list[Row]) -> str:
    customers = sum(row["customers"] for row in rows)
    foretold = sum(row["customers"] * row["foretold"] for row in rows) / customers
    observed = sum(row["customers"] * row["observed"] for row in rows) / customers
    error = 100 * sum(row["customers"] * abs(row["foretold"] - row["observed"]) for row in rows) / customers
    who = (
        say("The model", "模型")
        if rows[0]["method"].startswith("mbg_cnbd")
        else say("The best X days, turned into probabilities,", "最优 X 天规则（换算为概率）")
    )
    return say(
        f"{who} foretold a purchase of {foretold:.1%} of the customers and {observed:.1%} bought; tenth by "
        f"tenth the shares differ by {error:.1f} points on average.",
        f"{who}预测 {foretold:.1%} 的客户会购买，实际为 {observed:.1%}；按十分位看平均相差 {error:.1f} "
        "个百分点。",
    )


def _label_name(say: Wording, label: str) -> str:
    """What the horizon of a judgement is called."""
    return say(*_LABELS.get(label, (label, label)))


def _by_label(rows: list[Row]) -> dict[str, list[Row]]:
    return {label: list(of_label) for label, of_label in groupby(rows, key=lambda row: row["label"])}


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
    curves = tuple(
        Curve(_label_name(say, label), tuple((row["foretold"], row["observed"]) for row in of_label))
        for label, of_label in _by_label(rows).items()
    )
    return calibration_squares(
        canvas,
        (Panel("", curves),),
        x_title=say("Foretold share of a purchase", "预测购买占比"),
        y_title=say("Share that bought", "实际购买占比"),
    )


def _table(say: Wording, rows: list[Row]) -> Table:
    labels = _by_label(rows)
    found = {(row["label"], row["bin"]): row for row in rows}
    bins = sorted({row["bin"] for row in rows})
    return Table(
        columns=(
            Column(say("Tenth", "十分位"), numeric=False),
            *(
                Column(title)
                for label in labels
                for name in [_label_name(say, label)]
                for title in (
                    say(f"{name}: foretold", f"{name}：预测"),
                    say("Observed", "实际"),
                    say("Customers", "客户"),
                )
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
