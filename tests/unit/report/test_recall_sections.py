"""What the sections about recalls, their effect and what was learned read out of the published tables."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest
from reading import first_notes, notes, section_of, sections_of, texts

from pipelines.report.charts import NARROW_PX, WIDE_PX, Canvas
from pipelines.report.section import Section

OLD_DATE = date(2023, 12, 31)
FIRST_DATE = date(2022, 1, 1)


@pytest.fixture(scope="module")
def sections(shop: duckdb.DuckDBPyConnection) -> dict[str, Section]:
    return sections_of(shop)


def _one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    [row] = con.sql(query).fetchall()
    return tuple(row)


def test_targets_are_marked(sections: dict[str, Section]) -> None:
    section = sections["targets"]
    assert section.reading == (
        "4 of 6 targets are met; missed: response rate (9.5%, at least 12.0%), unsubscribe rate (1.1%, at "
        "most 1.0%); 1 cannot be measured yet."
    )
    assert texts(section) == [
        ["Wake-up rate", "at least 10.0%", "12.0%", "✓ met"],
        ["Response rate", "at least 12.0%", "9.5%", "✗ missed"],
        ["Conversion rate", "at least 5.0%", "7.0%", "✓ met"],
        ["Average order value", "at least GBP 110", "GBP 119", "✓ met"],
        ["Return on investment", "at least 100.0%", "240.0%", "✓ met"],
        ["Unsubscribe rate", "at most 1.0%", "1.1%", "✗ missed"],
        ["Asleep again", "at most 40.0%", "–", "not measured yet"],
    ]
    assert first_notes(section)[0] == "Woken of those targeted; last 90 days"


def test_targets_come_first_after_the_headline(sections: dict[str, Section]) -> None:
    assert list(sections)[:2] == ["headline", "targets"]


def test_funnel_of_thirty_days(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    rows = dict((row[0], row[1:]) for row in texts(sections["funnel"]))
    for is_own, column in ((True, 0), (False, 1)):
        targeted, sent, delivered, woken, revenue, orders = _one(
            shop,
            f"""
            select sum(targeted), sum(sent), sum(delivered), sum(woken), sum(revenue), sum(orders)
            from kpi.recall_outcome
            where
                as_of_date between date '2024-06-01' and date '2024-06-30'
                and (journey is not null) = {is_own}
            """,
        )
        assert isinstance(woken, int) and isinstance(targeted, int)
        assert isinstance(revenue, Decimal) and isinstance(orders, int)
        assert [rows[name][column] for name in ("Targeted", "Sent", "Delivered", "Woke up")] == [
            f"{value:,}" for value in (targeted, sent, delivered, woken)
        ]
        assert rows["Wake-up rate"][column] == f"{woken / targeted:.1%}"
        assert rows["Average order value, GBP"][column] == f"{revenue / orders:,.2f}"
    assert "A purchase needs no click" in sections["funnel"].note
    assert "For 4,100 of the targets the window is still open" in sections["funnel"].note


def test_funnel_of_other_tools_alone(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute("delete from kpi.recall_outcome where journey is not null")
    section = section_of(changed_shop, "funnel")
    assert section.reading.startswith("Other tools' campaigns of the last 30 days reached 380 of 400")
    assert {len(row) for row in texts(section)} == {2}


def test_funnel_that_reached_nobody(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute("update kpi.recall_outcome set delivered = 0")
    section = section_of(changed_shop, "funnel")
    assert section.reading == "Own contacts of the last 30 days reached nobody of 4,100 targets."


def test_true_effect_of_the_year(sections: dict[str, Section]) -> None:
    section = sections["true_effect"]
    assert section.reading == (
        "Of the people recalled this year 10.1% bought, of those held out 8.0%: the recall's own share is "
        "+2.1 points (+0.9 to +3.3)."
    )
    rows = {row[0]: row[1:] for row in texts(section)}
    assert rows["All"] == [
        "5,200", "590", "14.9%", "12.8%", "+3.4 (+2.2 to +4.6)", "10.1%", "8.0%", "+2.1 (+0.9 to +3.3)"
    ]  # fmt: skip
    assert "Against universal control" in rows
    assert rows["30 off from 199"][0] == "3,700"
    assert all("0.9" not in row[-1].split(" ")[0] for row in rows.values()), "sensitivity rows"


def test_every_verdict_is_said(sections: dict[str, Section]) -> None:
    section = sections["true_effect"]
    said = {row[0]: note[-1] for row, note in zip(texts(section), notes(section), strict=True)}
    assert said["Bad experience"] == "effective"
    assert said["Communication overload"] == "harmful"
    assert said["Unknown"] == "no effect seen"
    assert said["Important value"] == "too small to tell, only 40.0 or more could be seen"
    assert said["Brand fade"] == "too early, until 2024-07-30"
    assert said["No offer"] == "not told: the split is not as planned"


def test_what_cannot_be_told_has_no_dot(sections: dict[str, Section]) -> None:
    rows = {row[0]: row[1:] for row in texts(sections["true_effect"])}
    for untold in ("App push", "No offer", "Brand fade"):
        assert rows[untold][-1] == "–"
    chart = sections["true_effect"].chart
    assert chart is not None
    marks = chart(Canvas(WIDE_PX)).marks
    told = sum(row[-1] != "–" for row in rows.values()) + 1  # the wake-ups of all
    in_the_legend = 1
    assert sum(mark.startswith("<circle") for mark in marks) == told + in_the_legend


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "delete from kpi.incrementality where campaign_id like 'recall%'",
            "Of the people of spring_mailing 9.3% bought, of those held out 8.0%: the recall's own share is "
            "+1.3 points (−3.7 to +6.3); there are too few people to tell it from chance: only an effect "
            "from 12.5 points could have been seen.",
        ),
        (
            "update kpi.incrementality set verdict = 'invalid_split'",
            "The split between the people recalled this year and those held out is not as planned, so no "
            "effect is told.",
        ),
        (
            "update kpi.incrementality set verdict = 'too_early', lift = null",
            "It is too early to tell what recalls brought of the people recalled this year: their windows "
            "have to close (2024-07-30).",
        ),
        ("update kpi.incrementality set verdict = 'harmful'", "(+0.9 to +3.3), so recalls do harm."),
        ("update kpi.incrementality set verdict = 'no_effect_seen'", "(+0.9 to +3.3); no effect is seen."),
        (
            "delete from kpi.incrementality where metric = 'conversion'",
            "14.9% woke, of those held out 12.8%",
        ),
        (
            "update kpi.incrementality set lift = null, holdout = 0, verdict = 'too_small_to_tell'",
            "Nobody can be compared with the people recalled this year, so nothing is known",
        ),
        (
            "insert into kpi.incrementality by name select * replace ('autumn' as campaign_id, "
            "0 as holdout, date '2024-09-01' as matured_on) from kpi.incrementality where "
            "campaign_id = 'spring_mailing'; "
            "insert into kpi.recall_outcome by name select * replace ('autumn' as campaign_id) "
            "from kpi.recall_outcome where campaign_id = 'spring_mailing'; "
            "delete from kpi.incrementality where campaign_id like 'recall%'",
            "Of the people of spring_mailing 9.3% bought",
        ),
        ("delete from kpi.incrementality", "nothing is known of its true effect"),
        ("delete from kpi.incrementality where campaign_id <> 'summer_mailing'", "nothing is known"),
    ],
)
def test_unusual_effects(changed_shop: duckdb.DuckDBPyConnection, change: str, says: str) -> None:
    changed_shop.execute(change)
    section = section_of(changed_shop, "true_effect")
    assert says in section.reading
    if section.chart is not None:
        assert section.chart(Canvas(NARROW_PX)).marks


def test_only_the_largest_segments_stand_there(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        insert into kpi.incrementality by name
        select effect.* replace ('offer_id' as segment_dim, 'offer ' || i as segment, 10 + i as treated)
        from kpi.incrementality as effect cross join range(20) as more (i)
        where campaign_id = 'recall_2024' and segment_dim = 'all' and control_arm = 'holdout'
        """
    )
    rows = [row for row in first_notes(section_of(changed_shop, "true_effect")) if row == "By offer"]
    assert len(rows) == 8


def test_cost_and_return(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    section = sections["cost"]
    cost, margin, roi = _one(
        shop,
        """
        select sum(cost), sum(margin), (sum(margin) - sum(cost)) / sum(cost)
        from kpi.recall_outcome
        where dormancy_reason is not null and as_of_date between date '2024-01-01' and date '2024-06-30'
        """,
    )
    assert f"cost GBP {cost:,.0f} " in section.reading
    assert f"a margin of GBP {margin:,.0f}" in section.reading
    assert f"a return of {roi:,.0%} as seen, and 42% without what would have come anyway." in section.reading
    rows = {row[0]: row[1:] for row in texts(section)}
    by_channel = [
        row for row, note in zip(texts(section), first_notes(section), strict=True) if note == "Channel"
    ]
    assert sum(int(row[1].replace(",", "")) for row in by_channel) == int(rows["All"][0].replace(",", ""))
    assert rows["E-mail"][-1] == "30%"
    assert rows["App push"][3:] == ["–", "–"], "nothing was spent, and it is too early"
    assert rows["No offer"][0] == "0"
    assert rows["Phone"][-1] == "–", "not measured"


def test_cost_of_another_tool(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        delete from kpi.recall_outcome where journey is not null;
        insert into kpi.recall_outcome by name
        select * replace ('winter_mailing' as campaign_id, date '2024-01-05' as as_of_date)
        from kpi.recall_outcome where campaign_id = 'spring_mailing';
        insert into kpi.recall_outcome by name
        select * replace ('newest_mailing' as campaign_id, date '2024-06-29' as as_of_date)
        from kpi.recall_outcome where campaign_id = 'spring_mailing'
        """
    )
    section = section_of(changed_shop, "cost")
    assert section.reading.startswith("Messages of spring_mailing cost GBP 80 ")
    assert [row[0] for row in texts(section)] == ["All", "E-mail", "No offer"]


def test_return_is_judged_by_margin(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute("update kpi.incrementality set verdict = 'harmful' where metric = 'net_margin'")
    assert {row[-1] for row in notes(section_of(changed_shop, "cost")) if row[-1]} == {"harmful"}


def test_learned_lift(sections: dict[str, Section]) -> None:
    section = sections["learned_lift"]
    assert (
        section.reading == "Surest of a lift: “Apology” by e-mail, free service, +5.2 points (+2.7 to +7.7)."
    )
    assert texts(section)[0] == ["Welcome back: promotion", "700", "80", "+3.1", "+1.1 to +5.1"]
    assert "CRM, no offer" not in first_notes(section), "three ways of each journey"


def test_learned_response(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    section = sections["response"]
    rows = texts(section)
    assert rows[0] == ["Important value", "60", "19", "25.4%", "23.4 to 27.9"]
    assert "Social message, gift" not in first_notes(section), "five ways of each class"
    [(ways,)] = shop.sql(
        "select count(*) from kpi.channel_preference where segment_dim = 'guide_class' and touches > 12"
    ).fetchall()
    assert len(rows) == ways


def test_who_is_not_known_is_not_the_surest(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        "update kpi.channel_preference set segment = 'unknown', offer_kind = 'other' where channel = 'phone'"
    )
    section = section_of(changed_shop, "response")
    assert "Class not known" in [row[0] for row in texts(section)]
    assert section.reading.startswith("Surest of a response: Important value by social message, gift, ")


def test_redormancy(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    section = sections["redormancy"]
    woken, again = _one(
        shop,
        """
        select sum(woken), sum(asleep_again) from kpi.redormancy
        where woken_by = 'recall' and cohort <= date '2024-06-30'
        """,
    )
    assert isinstance(woken, int) and isinstance(again, int)
    assert section.reading.startswith(
        f"Of {woken} customers woken by a recall {again / woken:.1%} are asleep again; of 1,400 customers "
        "who woke by themselves "
    )
    rows = texts(section)
    assert [rows[0][0], rows[-1][0], len(rows)] == ["2024-06", "2023-07", 12]
    assert rows[-1][1:] == ["40", "7 (17.5%)", "100", "46 (46.0%)"]
    assert notes(section)[-1] == [
        "",
        "GBP 1,320",
        "after 60 days, 40% same reason",
        "GBP 3,300",
        "after 60 days",
    ]


def test_retention_of_complete_months(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    section = sections["retention"]
    rows = texts(section)
    assert [rows[0][0], rows[-1][0], len(rows)] == ["2024-06", "2023-06", 13]
    assert rows[0][2:6] == ["–", "–", "–", "–"], "its first month is not over"
    share, revenue = _one(
        shop,
        """
        select
            max(active / customers) filter (where month = 12),
            sum(net_revenue) filter (where month <= 12)
        from kpi.cohort_retention where cohort_month = date '2023-06-01'
        """,
    )
    assert rows[-1][5:] == [f"{share:.1%}", f"{revenue:,.0f}"]
    chart = section.chart
    assert chart is not None
    squares = sum(mark.startswith("<rect") for mark in chart(Canvas(WIDE_PX)).marks)
    assert squares == 12 * 13 // 2, "the triangle of twelve months and the cohorts that have one"


def test_a_month_that_is_not_over_is_left_out(shop: duckdb.DuckDBPyConnection) -> None:
    rows = texts(section_of(shop, "retention", date(2024, 6, 29)))
    assert rows[0][0] == "2024-05"


@pytest.mark.parametrize(
    ("change", "slug", "says"),
    [
        ("delete from kpi.target", "targets", "The policy sets no targets."),
        ("update kpi.target set actual = null, met = null", "targets", "Nothing has been measured yet for 7"),
        ("update kpi.target set met = true, actual = target", "targets", "7 of 7 targets are met."),
        ("update kpi.recall_outcome set targeted = 0", "funnel", "Nobody was contacted in the last 30 days"),
        (
            "update kpi.recall_outcome set cost = 0, contact_cost = 0, incentive_cost = 0",
            "cost",
            "in the year cost nothing; the purchases after them brought a margin of GBP 30,400.",
        ),
        ("delete from kpi.incrementality", "cost", "what would have come anyway is not known yet"),
        (
            "update kpi.incrementality set incremental_roi = null, incremental_revenue = null",
            "cost",
            "what would have come anyway is not known yet",
        ),
        (
            "update kpi.channel_preference set lift = null, lift_low = null, lift_high = null",
            "learned_lift",
            "There are no outcomes",
        ),
        (
            "update kpi.channel_preference set lift_low = null, lift_high = null",
            "learned_lift",
            "+5.2 points (unknown)",
        ),
        ("delete from kpi.channel_preference", "response", "no touches to learn from"),
        ("update kpi.redormancy set woken = 0", "redormancy", "Nobody has been woken yet."),
        (
            "delete from kpi.redormancy where woken_by = 'own_accord'; "
            "update kpi.redormancy set asleep_again = 0",
            "redormancy",
            "Of 560 customers woken by a recall 0.0% are asleep again.",
        ),
        ("delete from kpi.cohort_retention where month > 0", "retention", "no month after it is over yet"),
        ("update kpi.cohort_retention set customers = 0", "retention", "No month of first purchases is over"),
    ],
)
def test_unusual_tables(changed_shop: duckdb.DuckDBPyConnection, change: str, slug: str, says: str) -> None:
    changed_shop.execute(change)
    for language in ("en", "zh"):
        section = section_of(changed_shop, slug, language=language)
        if language == "en":
            assert says in section.reading
        if section.chart is not None:
            assert section.chart(Canvas(NARROW_PX)).marks


def test_a_report_of_an_old_date_knows_nothing_later(shop: duckdb.DuckDBPyConnection) -> None:
    sections = sections_of(shop, OLD_DATE)
    assert sections["funnel"].reading.startswith("Own contacts of the last 30 days reached 1,900 of 2,000")
    assert sections["cost"].reading.startswith("Own recalls of sleepers in the year cost GBP 1,260 ")
    assert "recalled this year 78.0% bought" in sections["true_effect"].reading, "recall_2023"
    assert texts(sections["retention"])[0][0] == "2023-12"
    assert texts(sections["redormancy"])[0][0] == "2023-12"
    assert "No customer's dormancy has been judged by this date." in sections["trend"].reading


def test_a_report_before_everything(shop: duckdb.DuckDBPyConnection) -> None:
    sections = sections_of(shop, FIRST_DATE)
    for slug in ("funnel", "true_effect", "cost", "redormancy", "retention", "trend", "state_movement"):
        assert sections[slug].table is None, slug
        assert sections[slug].reading.endswith(".")
