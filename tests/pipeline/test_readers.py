"""An analyst reads while a run publishes; and who may open which file."""

import os
import stat
from datetime import timedelta

import duckdb
import pytest
from analysts import HABITS, Analyst, watching
from small_shop import END

from pipelines.assets.publish import published_tables
from pipelines.publication.publish import publish
from pipelines.resources.dbt import ensure_manifest
from pipelines.resources.warehouse import Warehouse

pytestmark = pytest.mark.xdist_group("eve")


def test_analysts_neither_block_a_run_nor_are_blocked(watched_day):
    assert [analyst.exit_status for analyst in watched_day.analysts.values()] == [0, 0], watched_day.analysts
    holds, opens = (watched_day.analysts[habit] for habit in HABITS)
    assert holds.first == opens.first == "2024-06-29"
    assert holds.queries > 50
    assert opens.queries > 50
    # The open connection keeps the copy it has; a new one sees the old copy or the new, and nothing between.
    assert holds.dates == ["2024-06-29"]
    assert opens.dates == ["2024-06-29", str(END)]


def assert_undisturbed(analysts: dict[str, Analyst], *, publications: int) -> None:
    """Ten readers, none of whom met an error, a copy that goes back, or more copies than there were."""
    assert len(analysts) == 10
    for name, analyst in analysts.items():
        assert (analyst.exit_status, analyst.complaint) == (0, ""), name
        assert analyst.queries >= publications, name
        assert analyst.dates == sorted(analyst.dates), name
        assert len(analyst.dates) <= publications + 1, name
    holds, opens = ([each for name, each in analysts.items() if name.startswith(habit)] for habit in HABITS)
    assert {len(analyst.dates) for analyst in holds} == {1}
    # The last query of each comes after the last publication.
    assert min(len(analyst.dates) for analyst in opens) > 1


def test_ten_readers_and_five_publications_in_a_row_do_not_disturb_each_other(day_after_eve, tmp_path):
    home = day_after_eve.copy(tmp_path / "home")
    # The two that the readers ask for; whole runs publish all, in the long form.
    tables = [
        table
        for table in published_tables(ensure_manifest(home.settings.dbt_dir))
        if table.full_name in ("marts.customer_rfm", "marts.customer_dormancy")
    ]
    warehouse = Warehouse.from_settings(home.settings)
    with (
        warehouse.locked("five publications"),
        warehouse.connect() as con,
        watching(home.settings.published_file, each=5) as analysts,
    ):
        for _ in range(5):
            con.execute("update marts.customer_rfm set monetary = monetary + 1")
            publish(con, home.settings.published_file, tables, dates=[END, END - timedelta(days=1)])
    assert_undisturbed(analysts, publications=5)


@pytest.mark.skipif(not os.environ.get("WINBACK_KILLS"), reason="the long form: set WINBACK_KILLS")
def test_ten_readers_and_five_runs_in_a_row_do_not_disturb_each_other(eve):
    with watching(eve.settings.published_file, each=5) as analysts:
        for days_before in (4, 3, 2, 1, 0):
            assert eve.run("--date", str(END - timedelta(days=days_before))) == 0
    assert_undisturbed(analysts, publications=5)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_personal_is_its_owners_alone_and_what_is_published_is_for_all(day_after_eve):
    settings = day_after_eve.settings

    assert mode(settings.warehouse_file) == 0o600
    exports = [path for path in settings.audiences_dir.rglob("*") if path.is_file()]
    assert exports
    assert {mode(path) for path in exports} == {0o600}
    private = [
        settings.warehouse_file.parent,
        settings.lake_dir,
        settings.audiences_dir,
        settings.scratch_dir,
    ]
    assert {mode(path) for path in private} == {0o700}
    assert mode(settings.published_file) == 0o644
    assert mode(settings.published_file.parent) == 0o755


def test_the_published_copy_opens_in_a_plain_client_and_cannot_be_written(day_after_eve):
    with day_after_eve.published() as con, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        con.execute("delete from core.customer")
