"""What each section reads out of the published tables, also out of unusual ones."""

import re
from datetime import date

import duckdb
import pytest
from reading import AS_OF_DATE, first_notes, section_of, sections_of, texts

from pipelines.report.charts import NARROW_PX, Canvas
from pipelines.report.section import Section


@pytest.fixture(scope="module")
def sections(shop: duckdb.DuckDBPyConnection) -> dict[str, Section]:
    return sections_of(shop)


def test_headline(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    tiles = {tile.label: tile.value for tile in sections["headline"].tiles}
    assert tiles["Customers"] == "600"
    assert tiles["Buyers"] == "540"
    [(asleep, recalled, held_out)] = shop.sql(
        """
        select
            (select count(*) from marts.customer_dormancy where dormancy_state not in ('active', 'cooling')),
            (select count(*) from activation.recall_decision where reason_code = 'recall'),
            (select count(*) from activation.recall_decision where reason_code = 'holdout')
        """
    ).fetchall()
    assert tiles["Asleep"] == f"{asleep / 6:.1f}%"
    assert tiles["Recalled"] == str(recalled)
    assert tiles["Held out"] == str(held_out)


def test_net_revenue_is_of_365_days(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        delete from core.purchase_day;
        insert into core.purchase_day by name
        select 'c0001' as customer_id, day as purchased_on, amount as net_amount
        from (values
            (date '2023-07-02', 1000), (date '2024-06-30', 200), -- within
            (date '2023-07-01', 30), (date '2024-07-01', 4) -- before and after
        ) as rows (day, amount)
        """
    )
    tiles = {tile.label: tile.value for tile in section_of(changed_shop, "headline").tiles}
    assert tiles["Net revenue"] == "1,200"


def test_parts_add_up_to_the_whole(sections: dict[str, Section]) -> None:
    def total(slug: str, column: int) -> int:
        return sum(int(row[column].replace(",", "")) for row in texts(sections[slug]))

    assert total("classes", 1) == total("rfm", 1) == total("silence", 1) == 540
    assert total("decisions", 1) == total("dormancy", 4) == total("own_x", 1) == 600
    asleep = sum(int(row[4]) for row in texts(sections["dormancy"])[2:])
    assert total("reasons", 4) == sum(total("reasons", column) for column in (1, 2, 3)) == asleep


def test_only_the_fit_of_the_date_counts(sections: dict[str, Section]) -> None:
    assert texts(sections["evidence"]) == [
        ["all", "54", "0.740", "0.770", "–", "67.0%", "33.0%"],
        ["Bakery", "216", "0.700", "0.750", "60.0%", "65.0%", "35.0%"],
        ["Coffee & tea", "162", "–", "–", "–", "–", "–"],
        ["<script>alert(1)</script>", "108", "0.720", "0.710", "62.0%", "61.0%", "38.0%"],
    ]
    assert first_notes(sections["evidence"]) == [
        "model, k = 1",
        "model, k = 2",
        "best X, 35 days; not evaluated",
        "best X, 62 days; model, k = 1 refused",
    ]


def test_evidence_says_what_won(sections: dict[str, Section]) -> None:
    assert sections["evidence"].reading == (
        "The model is in use in 2 of 4 categories, where it ranks sleepers with a mean AUC of 0.760 against "
        "0.720 of the best X days; a model was refused in <script>alert(1)</script>; 1 category could not be "
        "evaluated."
    )


def test_calibration_pools_dates_and_leaves_out_categories(sections: dict[str, Section]) -> None:
    rows = texts(sections["calibration"])
    assert len(rows) == 10
    assert rows[4] == ["5", "41.7%", "40.7%", "100", "41.7%", "40.7%", "100"]
    assert "from 2024-02-25 to 2024-04-25" in sections["calibration"].note


def test_own_x_by_category_and_kind(sections: dict[str, Section]) -> None:
    rows = [
        [note, *row]
        for note, row in zip(first_notes(sections["own_x"]), texts(sections["own_x"]), strict=True)
    ]
    assert ["Coffee & tea", "Repeaters", "86", "35", "35", "35"] in rows
    assert rows[-1] == ["Never bought", "Registered", "60", "90", "90", "90"]
    assert all(int(row[3]) <= int(row[4]) <= int(row[5]) for row in rows)


def test_small_categories_share_the_rest_of_own_x(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        update marts.customer_dormancy
        set model_category = 'category ' || customer_id[-2:]
        where customer_kind = 'buyer'
        """
    )
    section = section_of(changed_shop, "own_x")
    assert len(set(first_notes(section))) == 8 + 2
    assert {"Other categories", "Never bought"} < set(first_notes(section))
    assert sum(int(row[1]) for row in texts(section)) == 600


def test_reasons_with_the_facts_behind_them(
    shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]
) -> None:
    section = sections["reasons"]
    names = [row[0] for row in texts(section)]
    assert names == ["Bad experience", "Price competition", "Communication overload", "Unknown"]
    [(returned,)] = shop.sql(
        """
        select avg(cast(contains(evidence, 'return') as integer))
        from marts.dormancy_reason where reason = 'bad_experience'
        """
    ).fetchall()
    assert first_notes(section) == [
        f"complaint 100%, return {returned:.0%}",
        "coupon order 100%",
        "messages in 28 days 100%",
        "",
    ]
    assert "brand fade" not in section.reading.lower()


def test_movement_between_states(sections: dict[str, Section]) -> None:
    section = sections["state_movement"]
    assert section.reading == ("In 30 days 1 customer fell asleep and 2 woke; since the day before 1 and 1.")
    assert texts(section) == [
        ["Active", "Cooling", "2", "2"],
        ["Dormant", "Active", "1", "1"],
        ["New", "Active", "1", "1"],
        ["Active", "Dormant", "1", "–"],
        ["Dormant", "Deep dormant", "1", "–"],
        ["Lost", "Active", "1", "–"],
        ["Cooling", "Dormant", "–", "1"],
    ]


def test_movement_between_classes(sections: dict[str, Section]) -> None:
    section = sections["class_movement"]
    assert section.reading == (
        "In 30 days 4 buyers changed class, 1 since the day before; most often New → General (2)."
    )
    assert texts(section)[0] == ["New", "General", "2", "–"]
    assert len(texts(section)) == 3


def test_movement_counts_each_customer_once(
    shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]
) -> None:
    moved = shop.sql(
        """
        select count(distinct customer_id) from marts.segment_movement
        where scheme = 'dormancy_state' and moved_on between date '2024-06-01' and date '2024-06-30'
        """
    ).fetchall()
    came_back = 1
    counted = sum(int(row[2]) for row in texts(sections["state_movement"]) if row[2] != "–")
    assert [(counted + came_back,)] == moved


def test_long_movement_tables_are_cut(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        insert into marts.segment_movement by name
        select
            'd' || a || b as customer_id, 'guide_class' as scheme, 'a' || a as from_segment,
            'b' || b as to_segment, date '2024-06-20' as moved_on
        from range(5) as x (a) cross join range(5) as y (b)
        """
    )
    rows = texts(section_of(changed_shop, "class_movement"))
    assert len(rows) == 15
    assert rows[-1][0] == "14 other ways"
    assert sum(int(row[2]) for row in rows) == 4 + 25


def test_trend_until_the_date(shop: duckdb.DuckDBPyConnection, sections: dict[str, Section]) -> None:
    section = sections["trend"]
    assert section.table is not None
    assert [column.title for column in section.table.columns][1:3] == ["2024-04-30", "2024-06-30"]
    [(asleep, customers)] = shop.sql(
        """
        select sum(customers) filter (where dormancy_state not in ('active', 'cooling')), sum(customers)
        from kpi.dormancy_overview where as_of_date = '2024-04-30'
        """
    ).fetchall()
    assert f"are asleep on 2024-06-30, {asleep / customers:.1%} were on 2024-04-30" in section.reading
    active, *_ = texts(section)
    assert active[:3] == ["Active", "343", "237"]


def test_trend_of_one_date(changed_shop: duckdb.DuckDBPyConnection) -> None:
    section = section_of(changed_shop, "trend", date(2024, 4, 30))
    assert section.reading == (
        "2024-04-30 is the only date that has been judged, so there is no change to show yet."
    )
    assert section.chart is None


def test_only_current_ingestions_count(sections: dict[str, Section]) -> None:
    assert texts(sections["ingestions"]) == [
        ["pos_sales", "120,000", "119,000", "300", "700"],
        ["products", "900", "900", "–", "–"],
    ]


def test_gates_of_the_date(sections: dict[str, Section]) -> None:
    assert sections["gates"].reading == "1 of 4 suites did not pass."
    assert texts(sections["gates"]) == [
        ["Raw", "1", "6", "✓ passed"],
        ["Core", "1", "9", "✓ passed"],
        ["Marts", "1", "8", "✓ passed"],
        ["Activation", "1", "0", "✗ 1 not passed"],
    ]
    remarks = [row[-1].note for row in sections["gates"].table.rows]
    assert remarks == ["1 warning: pos_sales", "", "", "not checked since it was rebuilt: recall_decision"]


@pytest.mark.parametrize(
    ("change", "slug", "says"),
    [
        ("update activation.recall_decision set simulated = true", "headline", "would have been recalled"),
        (
            "update activation.recall_decision set simulated = true",
            "decisions",
            "customers would be recalled",
        ),
        ("update activation.recall_decision set decision = 'send'", "decisions", "nobody else is left out"),
        ("delete from marts.segment_movement", "state_movement", "Nobody's dormancy state has changed"),
        ("delete from marts.segment_movement", "class_movement", "Nobody's class has changed"),
        (
            "update marts.segment_movement set to_segment = null where customer_id = 'c0003'",
            "state_movement",
            "0 customers fell asleep and 2 woke",
        ),
        ("update marts.customer_rfm set monetary = -5", "classes", "net revenue is not positive"),
        ("update marts.customer_rfm set monetary = 0", "classes", "net revenue is not positive"),
        ("update marts.customer_rfm set r_score = 5", "rfm", "Nobody who used to come often"),
        (
            "update marts.customer_dormancy set dormancy_state = 'active'",
            "silence",
            "of 0 of 540 (0.0%) means",
        ),
        ("update marts.customer_dormancy set days_since_purchase = 1", "silence", "within 1 day;"),
        (
            "delete from marts.customer_dormancy where customer_kind = 'buyer'",
            "own_x",
            "after 90 days without",
        ),
        (
            "update marts.customer_dormancy set dormant_from_date = as_of_date - days_since_activity + 44",
            "own_x",
            "of every kind sleep by day 44 of silence",
        ),
        ("update marts.customer_dormancy set dormant_since = null", "reasons", "Nobody is asleep"),
        (
            "update marts.customer_dormancy set primary_reason = null",
            "reasons",
            "No evidence says why the 330",
        ),
        (
            "update marts.customer_dormancy set primary_reason = 'brand_fade' "
            "where primary_reason = 'unknown'",
            "reasons",
            "There is a reason for each of the 330 sleepers; the commonest is “brand fade” (210).",
        ),
        (
            "delete from marts.dormancy_model where fitted_on <= date '2024-06-30'",
            "evidence",
            "Nothing was fit",
        ),
        ("delete from marts.dormancy_model_evaluation", "evidence", "days are in use in 4 categories."),
        (
            "update marts.dormancy_model set method = 'tuned_x', refused = false",
            "evidence",
            "The rule won in all, Bakery and <script>alert(1)</script>; 1 category",
        ),
        (
            "delete from marts.dormancy_model_evaluation where method <> 'tuned_x'; "
            "update marts.dormancy_model set method = 'tuned_x', refused = false",
            "evidence",
            "The rule won in all, Bakery",
        ),
        ("delete from marts.dormancy_model_calibration", "calibration", "had the time to come true"),
        ("update marts.dormancy_model_calibration set customers = 0", "calibration", "nothing to compare"),
        (
            "update marts.dormancy_model_calibration set method = 'tuned_x'",
            "calibration",
            "The best X days, turned into probabilities, foretold",
        ),
        ("update marts.customer_dormancy set days_since_purchase = null", "silence", "Nobody has a kept"),
        (
            "delete from kpi.dormancy_overview where dormancy_state <> 'lost'",
            "dormancy",
            "(100.0%) are asleep",
        ),
        (
            "update quality.ingestions set current = rows_read = rows_loaded",
            "ingestions",
            "that were read are",
        ),
        (
            "delete from quality.gate_results where stage = 'activation'",
            "gates",
            "All 3 suites with 23 expect",
        ),
    ],
)
def test_unusual_tables(changed_shop: duckdb.DuckDBPyConnection, change: str, slug: str, says: str) -> None:
    changed_shop.execute(change)
    section = section_of(changed_shop, slug)
    assert says in section.reading
    if section.chart is not None:
        assert section.chart(Canvas(NARROW_PX)).marks


def test_evidence_that_is_not_kept_is_not_missed(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute("delete from marts.dormancy_reason")
    section = section_of(changed_shop, "reasons")
    assert "No evidence is kept for this date" in section.note
    assert not any(first_notes(section))


@pytest.mark.parametrize("column", ["auc", "precision_at_equal_count", "false_flag_rate"])
def test_figures_that_could_not_be_measured(changed_shop: duckdb.DuckDBPyConnection, column: str) -> None:
    changed_shop.execute(f"update marts.dormancy_model_evaluation set {column} = null")
    section = section_of(changed_shop, "evidence")
    said = " ".join([section.reading, section.note, *(text for row in texts(section) for text in row)])
    assert not re.search(r"\b(?:nan|None|null|inf)\b", said)


def test_a_refit_explains_movement(changed_shop: duckdb.DuckDBPyConnection) -> None:
    assert "fitted anew" in section_of(changed_shop, "state_movement").note
    changed_shop.execute(f"update marts.dormancy_model set fitted_on = date '{AS_OF_DATE}' - 30")
    assert "fitted anew" not in section_of(changed_shop, "state_movement").note


def test_long_category_tables_are_cut(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        update marts.customer_dormancy
        set model_category = 'category ' || customer_id[-2:]
        where customer_kind = 'buyer'
        """
    )
    rows = texts(section_of(changed_shop, "silence"))
    assert len(rows) == 16
    assert rows[-1][0] == "85 others"
    assert sum(int(row[1]) for row in rows) == 540
