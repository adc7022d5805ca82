"""An analyst reads while a run publishes; and who may open which file."""

import stat

import duckdb
import pytest
from analysts import HABITS
from small_shop import END

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
