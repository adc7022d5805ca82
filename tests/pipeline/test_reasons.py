"""Why they sleep, on the demo shop: nearly as right as can be, and every score can be added up."""

import json
import sys
from decimal import Decimal

import duckdb
import pytest
from demo_home import DemoHome

from pipelines.assets.publish import snapshots
from pipelines.resources.dbt import ensure_manifest
from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

from evaluate_reasons import CLASSES, evaluate

pytestmark = pytest.mark.xdist_group("demo")


def rows(home: DemoHome, query: str) -> list[tuple]:
    with home.published() as con:
        return con.execute(query).fetchall()


def test_reasons_are_nearly_as_right_as_can_be(demo: DemoHome) -> None:
    """The short form of `benchmarks/evaluate_reasons.py`; 250 customers have some 80 such sleepers."""
    found = evaluate(demo.path)

    assert found["sleepers"] > 50
    assert found["ratio"] > 0.75
    assert found["unknown_without_evidence"] > 0.75
    assert found["sub_reason_right"] > 0.9
    assert len(found["confusion"]) == len(CLASSES)


def test_the_published_evidence_adds_up_to_the_score(demo: DemoHome) -> None:
    found = rows(demo, "select score, evidence from marts.dormancy_reason")

    assert len(found) > 100
    for score, evidence in found:
        pieces = json.loads(evidence)
        assert sum(Decimal(str(piece["contribution"])) for piece in pieces) == Decimal(str(score))
        assert {"fact", "value", "source_table", "source_key"} <= {
            key for piece in pieces for key in piece
        } or not pieces
        contributions = [piece["contribution"] for piece in pieces]
        assert contributions == sorted(contributions, reverse=True)


def test_evidence_is_of_the_customer_and_not_of_the_future(demo: DemoHome) -> None:
    """Each piece names a row of a published table that is the customer's own."""
    with home_with_pieces(demo) as con:
        for table, key in (
            ("core.ticket", "ticket_id"),
            ("core.touch", "touch_id"),
            ("core.order_line", "line_id"),
            ("core.survey_response", "response_id"),
            ("core.customer", "customer_id"),
        ):
            pieces, owned = con.execute(
                f"""
                select count(*), count(sources.{key})
                from piece left join seen.{table} as sources
                    on piece.source_key = sources.{key} and piece.customer_id = sources.customer_id
                where piece.source_table = ?
                """,
                [table],
            ).fetchone() or (0, 0)
            assert pieces == owned, table
        tables = {row[0] for row in con.execute("select distinct source_table from piece").fetchall()}
        assert len(tables) == 5
        assert con.execute("select count(*) from piece where happened_on > as_of_date").fetchone() == (0,)


def home_with_pieces(home: DemoHome) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(f"attach '{home.settings.published_file}' as seen (read_only)")
    con.execute(
        """
        create temp table piece as
        select as_of_date, customer_id, reason, value ->> 'source_table' as source_table,
            value ->> 'source_key' as source_key, cast(value ->> 'happened_on' as date) as happened_on
        from seen.marts.dormancy_reason, json_each(evidence) as each_piece
        """
    )
    return con


def test_evidence_is_kept_for_the_newest_date_alone(demo: DemoHome) -> None:
    manifest = ensure_manifest(PROJECT_DIR / "dbt_project")
    newest, history = snapshots(manifest, keep="newest"), snapshots(manifest)

    assert ("marts", "dormancy_reason", "as_of_date") in newest
    assert ("marts", "customer_dormancy", "as_of_date") in history
    assert not set(newest) & set(history)
    assert ("marts", "segment_movement", "moved_on") not in history


def test_the_overview_is_of_all_sleepers(demo: DemoHome) -> None:
    ((overview, sleepers),) = rows(
        demo,
        "select (select sum(customers) from kpi.reason_overview), "
        "(select count(*) from marts.customer_dormancy where dormant_since is not null)",
    )
    assert overview == sleepers > 50
