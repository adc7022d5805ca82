"""The warehouse is made anew from the lake alone, when its file is lost or spoilt."""

import shutil
from dataclasses import replace

import pytest
from story import DATE_COLUMNS, MID, MONDAY, MONTH_END, SATURDAY, SUNDAY, Moment, Story

from pipelines import cli
from pipelines.assets.dbt import plan_decisions

pytestmark = pytest.mark.xdist_group("story")


@pytest.fixture(scope="module")
def spoilt(story: Story, tmp_path_factory):
    """A copy of the home with a spoilt warehouse, no published copy, and a shop whose files are gone."""
    folder = tmp_path_factory.mktemp("spoilt")
    home = story.home.copy(folder / "home")
    profile = folder / story.home.shop.profile.name
    text = story.home.shop.profile.read_text(encoding="utf-8")
    profile.write_text(text.replace(str(story.home.shop.folder), str(folder / "gone")), encoding="utf-8")
    home.shop = replace(story.home.shop, folder=folder / "gone", profile=profile)
    home.settings.warehouse_file.write_bytes(b"no database" * 1000)
    home.settings.published_file.unlink()
    shutil.rmtree(home.settings.reports_dir)
    return home


@pytest.fixture(scope="module")
def rebuilt(spoilt) -> Moment:
    """The spoilt home after `winback rebuild`."""
    assert spoilt.winback("rebuild") == 0
    return Moment.of(spoilt)


def test_a_rebuild_gives_identical_published_tables(story: Story, rebuilt: Moment) -> None:
    before = story["month end"]
    assert rebuilt.columns == before.columns
    for table, rows in before.tables.items():
        assert rebuilt.tables[table] == rows, table


def test_a_rebuild_brings_back_what_was_sent_with_the_run_that_sent_it(story: Story, rebuilt: Moment) -> None:
    for day in (SATURDAY, SUNDAY, MONDAY):
        decisions = rebuilt.decisions(day)
        assert decisions == story["monday"].decisions(day)
        assert {row["simulated"] for row in decisions.values()} == {False}


def test_movements_of_dates_beyond_retention_come_back(story: Story, rebuilt: Moment) -> None:
    moved = story["mid"].records("marts.segment_movement", MID)
    assert moved
    assert rebuilt.records("marts.segment_movement", MID) == moved
    assert MID not in rebuilt.dates("marts.customer_rfm")


def test_a_rebuild_sends_nothing(story: Story, rebuilt: Moment) -> None:
    before = story["month end"]
    assert rebuilt.exports == before.exports
    assert sorted(rebuilt.written_at_ns.values()) == sorted(before.written_at_ns.values())
    assert rebuilt.lake == before.lake


def test_a_rebuild_does_not_send_what_was_never_sent() -> None:
    # As after a run that died between its marts and its audiences.
    for day in plan_decisions([SATURDAY, SUNDAY], [SATURDAY], "a run", simulated=True):
        assert (day.simulated, day.run_id) == (True, None)
    assert not plan_decisions([SATURDAY, SUNDAY], [SATURDAY], "a run", simulated=False)[-1].simulated


def test_a_rebuild_publishes_once_and_with_the_newest_dates(story: Story, tmp_path, monkeypatch) -> None:
    home = story.home.copy(tmp_path / "home")
    published = home.settings.published_file.read_bytes()
    warehouse = home.settings.warehouse_file.read_bytes()
    asked = []

    def run(_, dates, *, rebuild, publish):
        asked.append((dates, rebuild, publish))
        return not publish

    monkeypatch.setattr(cli._Runner, "run", run)
    assert home.winback("rebuild") == 1
    assert asked == [([MONTH_END], True, False), ([SATURDAY, SUNDAY, MONDAY], True, True)]
    # The last part failed: analysts still have all of what they had, and so has the next run.
    assert home.settings.published_file.read_bytes() == published
    assert home.settings.warehouse_file.read_bytes() == warehouse
    assert not home.settings.rebuild_dir.exists()


def test_without_a_computed_date_there_is_nothing_to_rebuild(home, capsys) -> None:
    assert home.winback("rebuild") == 2
    assert "there is nothing to rebuild" in capsys.readouterr().err
    assert not home.settings.warehouse_file.exists()


def test_a_plain_run_without_the_warehouse_file_gives_its_date_as_before(story: Story, tmp_path) -> None:
    home = story.home.copy(tmp_path / "home")
    home.settings.warehouse_file.unlink()
    assert home.run() == 0
    before, after = story["month end"], Moment.of(home)
    assert after.exports == before.exports
    assert after.lake == before.lake
    for table, rows in before.tables.items():
        if table in DATE_COLUMNS:
            assert after.records(table, MONDAY) == before.records(table, MONDAY), table
        else:
            assert after.tables[table] == rows, table
    # What the lake keeps of other dates comes back with it.
    assert after.tables["marts.segment_movement"] == before.tables["marts.segment_movement"]
    for day in (SATURDAY, SUNDAY):
        assert after.decisions(day) == before.decisions(day)
