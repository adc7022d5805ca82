"""What each section reads out of the published tables, also out of unusual ones."""

from datetime import date

import duckdb
import pytest

from pipelines.report.charts import LIGHT, NARROW_PX, Canvas
from pipelines.report.section import Cell, Section, Source
from pipelines.report.sections import SECTIONS

AS_OF_DATE = date(2024, 6, 30)


def _sections(con: duckdb.DuckDBPyConnection) -> dict[str, Section]:
    source = Source(con, AS_OF_DATE, "GBP", {})
    return {section.slug: section for section in (build(source) for build in SECTIONS)}


def _texts(section: Section) -> list[list[str]]:
    assert section.table is not None
    return [[cell.text if isinstance(cell, Cell) else cell for cell in row] for row in section.table.rows]


@pytest.fixture(scope="module")
def sections(shop: duckdb.DuckDBPyConnection) -> dict[str, Section]:
    return _sections(shop)


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
    tiles = {tile.label: tile.value for tile in _sections(changed_shop)["headline"].tiles}
    assert tiles["Net revenue"] == "1,200"


def test_parts_add_up_to_the_whole(sections: dict[str, Section]) -> None:
    def total(slug: str, column: int) -> int:
        return sum(int(row[column].replace(",", "")) for row in _texts(sections[slug]))

    assert total("classes", 1) == total("rfm", 1) == total("silence", 2) == 540
    assert total("decisions", 1) == total("dormancy", 4) == 600


def test_only_the_fit_of_the_date_counts(sections: dict[str, Section]) -> None:
    x_days = {row[0]: row[1] for row in _texts(sections["silence"])}
    assert x_days == {"Bakery": "21", "Coffee & tea": "35", "<script>alert(1)</script>": "62", "all": "48"}


def test_movement_of_the_date(sections: dict[str, Section]) -> None:
    assert sections["movement"].reading == "1 customer fell asleep and 1 woke; 1 changed class."
    assert ["New", "Active", "1"] in _texts(sections["movement"])
    assert all("Lost" not in row for row in _texts(sections["movement"])), "of the day before"


def test_only_current_ingestions_count(sections: dict[str, Section]) -> None:
    assert _texts(sections["ingestions"]) == [
        ["pos_sales", "120,000", "119,000", "300", "700"],
        ["products", "900", "900", "–", "–"],
    ]


def test_gates_of_the_date(sections: dict[str, Section]) -> None:
    assert sections["gates"].reading == "1 of 4 suites did not pass."
    assert _texts(sections["gates"]) == [
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
        ("delete from marts.segment_movement", "movement", "Nobody changed state or class"),
        (
            "delete from marts.segment_movement where scheme = 'dormancy_state'",
            "movement",
            "0 customers fell",
        ),
        ("update marts.customer_rfm set monetary = -5", "classes", "net revenue is not positive"),
        ("update marts.customer_rfm set monetary = 0", "classes", "net revenue is not positive"),
        ("update marts.customer_rfm set r_score = 5", "rfm", "Nobody who used to come often"),
        ("update marts.customer_dormancy set model_version = null", "silence", "each customer's own"),
        ("update marts.dormancy_model set tuned_x_days = 30", "silence", "from day 30 of silence on."),
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
    section = _sections(changed_shop)[slug]
    assert says in section.reading
    if section.chart is not None:
        assert section.chart(Canvas(NARROW_PX, LIGHT, chinese=True)).to_dict()


def test_a_refit_explains_movement(changed_shop: duckdb.DuckDBPyConnection) -> None:
    assert "fitted anew" not in _sections(changed_shop)["movement"].note
    changed_shop.execute(f"update marts.dormancy_model set fitted_on = date '{AS_OF_DATE}'")
    assert "fitted anew" in _sections(changed_shop)["movement"].note


def test_long_category_tables_are_cut(changed_shop: duckdb.DuckDBPyConnection) -> None:
    changed_shop.execute(
        """
        update marts.customer_dormancy
        set model_category = 'category ' || customer_id[-2:], model_version = null
        where model_version is not null
        """
    )
    rows = _texts(_sections(changed_shop)["silence"])
    assert len(rows) == 16
    assert rows[-1][0] == "85 others"
    assert sum(int(row[2]) for row in rows) == 540
