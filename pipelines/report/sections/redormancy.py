"""Who was woken and fell asleep again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import groupby

from pipelines.report.charts import Canvas, Drawing
from pipelines.report.drawings import Bar, BarGroup, Kind, bar_list
from pipelines.report.section import Cell, Column, Row, Section, Source, Table
from pipelines.report.wording import DASH, Wording, capital, counted, number, share

_SQL = """
with cohorts as (
    select
        cohort,
        woken_by,
        woken,
        asleep_again,
        median_days,
        same_reason_share,
        net_revenue
    from kpi.redormancy
    where cohort <= $as_of_date and woken > 0
)
select
    cohort,
    woken_by,
    woken,
    asleep_again,
    asleep_again / woken as share_asleep_again,
    median_days,
    same_reason_share,
    net_revenue,
    cast(sum(woken) over (partition by woken_by) as bigint) as woken_in_all,
    sum(asleep_again) over (partition by woken_by) / sum(woken) over (partition by woken_by) as share_in_all
from cohorts
qualify dense_rank() over (order by cohort desc) <= 12
order by cohort desc, woken_by desc
"""

_WOKEN_BY = {
    "recall": ("Woken by a recall", "召回唤醒", "accent"),
    "own_accord": ("Woke by themselves", "自行醒来", "quiet"),
}


def build(source: Source) -> Section:
    """Months of waking, and how many of the woken sleep again."""
    say = source.say
    query = source.bind(_SQL)
    rows = source.rows(query)
    head = Section(
        slug="redormancy",
        title=say("Asleep again", "再次沉睡"),
        reading=say("Nobody has been woken yet.", "尚无客户被唤醒。"),
        query=query,
        published="kpi.redormancy",
    )
    if not rows:
        return head
    return replace(
        head,
        reading=_reading(say, rows),
        chart=lambda canvas: _chart(canvas, say, rows),
        table=_table(source, rows),
        note=say(
            "By the month of waking, the newest twelve; the newest months have had the least time to "
            "fall asleep again. Below the woken stands their net revenue until they fell asleep again, "
            "or until now; below those asleep again the median of days until then. As known when this "
            "copy was published.",
            "按醒来的月份，列出最近十二个月；越近的月份，能再次沉睡的时间越短。醒来人数下方为其至再次沉睡（或至今）的净收入，"
            "再次沉睡下方为间隔天数的中位数。为发布时的结果。",
        ),
    )


def _reading(say: Wording, rows: list[Row]) -> str:
    totals = {row["woken_by"]: row for row in rows}
    clauses = []
    for code, (english, chinese, _) in _WOKEN_BY.items():
        if code in totals:
            row = totals[code]
            clauses.append(
                say(
                    f"of {counted(row['woken_in_all'], 'customer')} {_who(english)} "
                    f"{share(row['share_in_all'])} are asleep again",
                    f"{chinese}的 {number(row['woken_in_all'])} 位客户中有 {share(row['share_in_all'])} "
                    "再次沉睡",
                )
            )
    sentence = say("; ", "；").join(clauses)
    return capital(sentence) + say(".", "。")


def _who(english: str) -> str:
    return "woken by a recall" if english.startswith("Woken") else "who woke by themselves"


def _month(month: date) -> str:
    return f"{month:%Y-%m}"


def _chart(canvas: Canvas, say: Wording, rows: list[Row]) -> Drawing:
    groups = [
        BarGroup(
            _month(cohort),
            tuple(
                Bar(
                    row["share_asleep_again"],
                    say(
                        f"{share(row['share_asleep_again'])} of {number(row['woken'])}",
                        f"{number(row['woken'])} 位的 {share(row['share_asleep_again'])}",
                    ),
                    _WOKEN_BY[row["woken_by"]][2],
                )
                for row in of_cohort
            ),
        )
        for cohort, of_cohort in groupby(rows, key=lambda row: row["cohort"])
    ]
    present = {row["woken_by"] for row in rows}
    kinds = [Kind(say(*names[:2]), names[2]) for code, names in _WOKEN_BY.items() if code in present]
    return bar_list(canvas, groups, kinds)


def _table(source: Source, rows: list[Row]) -> Table:
    say = source.say
    found = {(row["cohort"], row["woken_by"]): row for row in rows}
    present = [code for code in _WOKEN_BY if any(row["woken_by"] == code for row in rows)]
    return Table(
        columns=(
            Column(say("Month of waking", "醒来月份"), numeric=False),
            *(
                Column(title)
                for code in present
                for title in (say(*_WOKEN_BY[code][:2]), say("asleep again", "再次沉睡"))
            ),
        ),
        rows=tuple(
            (
                Cell(_month(cohort)),
                *(cell for code in present for cell in _cells(source, found.get((cohort, code)))),
            )
            for cohort in dict.fromkeys(row["cohort"] for row in rows)
        ),
    )


def _cells(source: Source, row: Row | None) -> tuple[Cell | str, Cell | str]:
    if row is None:
        return (DASH, DASH)
    say = source.say
    revenue = "" if row["net_revenue"] is None else say.money(row["net_revenue"], source.currency)
    facts = []
    if row["median_days"] is not None:
        facts.append(say(f"after {row['median_days']:,.0f} days", f"间隔 {row['median_days']:,.0f} 天"))
    if row["same_reason_share"] is not None:
        same = f"{row['same_reason_share']:.0%}"
        facts.append(say(f"{same} same reason", f"原因相同 {same}"))
    return (
        Cell(number(row["woken"]), note=revenue),
        Cell(
            f"{number(row['asleep_again'])} ({share(row['share_asleep_again'])})",
            note=say(", ", "，").join(facts),
        ),
    )
