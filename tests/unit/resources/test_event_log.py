"""Pins what our event log shares with Dagster's own: the files, and that each sees what the other wrote."""

import sqlite3

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.storage.event_log import SqliteEventLogStorage

from pipelines.resources.event_log import EventLog
from pipelines.resources.instance import open_instance, prepare_home


@dg.asset
def tea() -> None:
    """A table."""


@pytest.fixture
def home(settings):
    prepare_home(settings)
    return settings.dagster_home


def materialised(instance: DagsterInstance) -> list[str]:
    """Runs that made `tea`, the newest first."""
    records = instance.fetch_materializations(tea.key, limit=100).records
    return [record.run_id for record in records]


def test_dagster_and_we_read_what_the_other_wrote(home):
    with open_instance(home) as ours, DagsterInstance.from_config(str(home)) as theirs:
        assert type(ours.event_log_storage) is EventLog
        assert type(theirs.event_log_storage) is SqliteEventLogStorage
        first = dg.materialize([tea], instance=ours).run_id
        second = dg.materialize([tea], instance=theirs).run_id
        third = dg.materialize([tea], instance=ours).run_id

        for instance in (ours, theirs):
            assert materialised(instance) == [third, second, first]
            assert len(instance.all_logs(first)) == len(instance.all_logs(second)) > 5


def test_a_file_is_opened_once_and_closed_at_the_end(home, monkeypatch):
    opened = []
    connect = sqlite3.dbapi2.connect

    def counted(file, *args, **kwargs):
        opened.append(str(file))
        return connect(file, *args, **kwargs)

    with open_instance(home) as instance:
        monkeypatch.setattr(sqlite3.dbapi2, "connect", counted)
        run = dg.materialize([tea], instance=instance)
        file = instance.event_log_storage.path_for_shard(run.run_id)
        folder = home / "history" / "runs"
        assert [file in each for each in opened].count(True) == 1
        assert list(folder.glob("*-wal"))
    assert not list(folder.glob("*-wal")), "SQLite removes the write-ahead log with the last connection"


def test_the_newest_events_may_wait_for_the_disk_and_nothing_is_damaged(home):
    with open_instance(home) as instance, instance.event_log_storage.index_connection() as con:
        assert con.exec_driver_sql("pragma journal_mode").scalar() == "wal"
        assert con.exec_driver_sql("pragma synchronous").scalar() == 1


def test_a_storage_of_ones_own_stays(home, tmp_path):
    (home / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {tmp_path / 'elsewhere'}}}}}\n")

    with open_instance(home) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        assert (tmp_path / "elsewhere").is_dir()
