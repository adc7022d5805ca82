"""The demo shop through all stages: what was planted is found, and every channel arrives."""

import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from demo_home import CUSTOMERS, DemoHome
from published_contract import faults

from pipelines.demo import Marker, read_marker
from pipelines.settings import PROJECT_DIR

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def home(demo: DemoHome) -> DemoHome:
    """The demo shop's home after the run of its last date."""
    return demo


@pytest.fixture(scope="module")
def marker(home: DemoHome) -> Marker:
    found = read_marker(home.landing)
    assert found is not None
    return found


def one(home: DemoHome, sql: str) -> Any:
    with home.published() as con:
        row = con.execute(sql).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def test_planted_rows_are_found_exactly(home, marker):
    with home.published() as con:
        rows = con.execute(
            "select feed, count(*), sum(rows_read), sum(rows_loaded), sum(rows_duplicate), "
            "sum(rows_quarantined) from quality.ingestions where current group by feed"
        ).fetchall()
        reasons = con.execute(
            """
            select feed, entry.key, sum(cast(entry.value as bigint))
            from quality.ingestions, json_each(quarantined_by_reason) as entry
            where current group by all
            """
        ).fetchall()
    found = {feed: tuple(map(int, counts)) for feed, *counts in rows}
    planted = {
        feed: (
            counts.files,
            counts.rows_read,
            counts.rows_loaded,
            counts.rows_duplicate,
            sum(counts.quarantined.values()),
        )
        for feed, counts in marker.feeds.items()
    }
    assert found == planted
    by_reason: dict[str, dict[str, int]] = {feed: {} for feed in marker.feeds}
    for feed, reason, count in reasons:
        by_reason[feed][reason] = int(count)
    assert by_reason == {feed: counts.quarantined for feed, counts in marker.feeds.items()}
    kinds = {reason for reasons in by_reason.values() for reason in reasons}
    assert kinds >= {
        "unreadable_line", "wrong_type", "missing_value", "superseded_in_file", "future_date", "not_allowed",
        "out_of_range", "negative_quantity", "absurd_amount", "too_long",
    }  # fmt: skip


def test_orphans_are_kept_and_reported(home, marker):
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        reported = dict(con.execute("select feed, sum(rows) from quality.orphans group by feed").fetchall())
    planted = {feed: counts.kept.get("orphan_reference", 0) for feed, counts in marker.feeds.items()}
    assert any(planted.values())
    assert {feed: int(reported.get(feed, 0)) for feed in planted} == planted


def test_every_channel_arrives(home):
    sources = one(home, "select list(distinct source order by source) from core.customer_account")
    assert sources == ["ecommerce", "pos", "service", "social"]
    kinds = one(home, "select list(distinct customer_kind order by customer_kind) from core.customer")
    assert kinds == ["buyer", "enquirer", "registrant"]
    for table in ("session", "ticket", "touch"):
        rows, customers = one(home, f"select count(*), count(distinct customer_id) from core.{table}")
        assert rows >= customers > CUSTOMERS / 10, table
    for channel in ("email", "sms", "push", "social", "phone"):
        reachable, customers = one(
            home, f"select count(*) filter (where reachable_{channel}), count(*) from core.customer"
        )
        assert 0 < reachable < customers, channel
    held_out, answered = one(
        home,
        "select count(*) filter (where is_control), count(*) filter (where clicked_at is not null) "
        "from core.touch",
    )
    assert held_out and answered
    assert one(home, "select count(*) from core.product where complaint_rate > 0")


def test_the_planted_effect_of_past_campaigns_is_found(home):
    """All campaigns together, within what chance allows; what is seen alone is far from it."""
    truth = home.settings.demo_truth_dir / "campaign_assignment"
    with home.published() as con:
        campaigns, z, found, seen = con.execute(
            f"""
            with planted as (
                select campaign_id, avg(effect) filter (where not is_control) as effect
                from '{truth}/*.parquet' group by campaign_id
            )
            select count(*),
                sum((lift - effect) / std_error ** 2) / sqrt(sum(1 / std_error ** 2)),
                sum(lift / std_error ** 2) / sum(1 / std_error ** 2),
                sum(treated_rate / std_error ** 2) / sum(1 / std_error ** 2)
            from kpi.incrementality inner join planted using (campaign_id)
            where metric = 'conversion' and segment_dim = 'all' and arm = 'all'
            """
        ).fetchone()
    assert campaigns > 3
    assert abs(z) < 3.5
    assert 0 < found < seen


def test_visits_tickets_and_touches_wake_no_buyer_before_they_happen(home):
    """Activity is known up to the as-of date and no further."""
    later = one(
        home,
        "select count(*) from marts.customer_dormancy "
        "where days_since_activity < 0 or days_since_purchase < days_since_activity",
    )
    assert later == 0


def test_the_published_copy_keeps_the_contract(home):
    with home.published() as con:
        assert faults(con) == []


def test_no_address_is_in_the_published_copy(home):
    """E-mail addresses, phone numbers and push tokens stand in the private database alone."""
    with duckdb.connect() as con:
        for name, file in (("private", home.settings.warehouse_file), ("seen", home.settings.published_file)):
            con.execute(f"attach '{file}' as {name} (read_only)")
        con.execute(
            """
            create temp table address as
            select distinct address from private.core.int_address where kind in ('email', 'phone', 'push')
            """
        )
        kinds = con.execute(
            "select count(*) filter (where contains(address, '@')), count(*) from address"
        ).fetchone()
        columns = con.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where database_name = 'seen' and data_type in ('VARCHAR', 'VARCHAR[]')"
        ).fetchall()
        found = [
            f"{table}.{column}"
            for table, column in columns
            if con.execute(
                "select count(*) "
                f"from (select distinct cast({column} as varchar) as value from seen.{table}) as seen "
                "inner join address on contains(value, address)"
            ).fetchone()
            != (0,)
        ]
    assert kinds is not None and 100 < kinds[0] < kinds[1]
    assert found == []


def test_another_size_in_the_same_home_is_refused(home, capfd):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DemoHome, "environment", DemoHome.environment.fget(home) | {"WINBACK_CUSTOMERS": "300"})
        assert home.run() == 1
    said = capfd.readouterr().err
    assert f"holds the demo shop of {CUSTOMERS} customers" in said
    assert "WINBACK_DATA_DIR" in said


def test_no_pipeline_code_reads_the_truth():
    """The truth is written with the files, and whom it names may be erased; only evaluations look at it."""
    found = subprocess.run(
        ["grep", "-rlE", "demo_truth", "pipelines", "dbt_project", "expectations"],
        cwd=PROJECT_DIR,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    sources = {file for file in found if Path(file).suffix in {".py", ".sql", ".yml", ".yaml"}}
    assert sources - {"pipelines/demo/__init__.py"} == {
        "pipelines/settings.py",
        "pipelines/assets/extract.py",
        # Who is erased goes out of the truth too.
        "pipelines/assets/privacy.py",
    }
    extract = (PROJECT_DIR / "pipelines/assets/extract.py").read_text(encoding="utf-8")
    assert extract.count("demo_truth") == 2, "it is named where it is written and closed to others"
