"""The kept connections to Dagster's event log: the same files, rows and readers as Dagster's own."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from pipelines.resources import event_log
from pipelines.resources.event_log import PooledSqliteEventLogStorage
from pipelines.resources.instance import _DAGSTER_YAML


@dg.asset
def table() -> dg.MaterializeResult:
    """Something to tell of."""
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dagster.yaml").write_text(_DAGSTER_YAML, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def test_dagster_s_own_storage_reads_what_it_wrote(home: Path):
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
        run = dg.materialize([table], instance=instance)
        written = [record.event_log_entry for record in instance.get_records_for_run(run.run_id).records]
        assert instance.get_latest_materialization_event(table.key).run_id == run.run_id
    own = SqliteEventLogStorage(str(home / "history" / "runs"))
    assert own.get_logs_for_run(run.run_id) == written
    assert len(written) > 10
    assert own.has_asset_key(table.key)


def test_another_reader_sees_each_event_at_once(home: Path):
    own = SqliteEventLogStorage(str(home / "history" / "runs"))
    with dg.DagsterInstance.get() as instance:
        for count in (1, 2, 3):
            dg.materialize([table], instance=instance)
            assert len(own.get_all_run_ids()) == count
            assert own.has_asset_key(table.key)


def test_files_of_many_runs_are_not_all_kept_open(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_log, "_KEPT_ENGINES", 2)
    with dg.DagsterInstance.get() as instance:
        runs = [dg.materialize([table], instance=instance).run_id for _ in range(4)]
        assert len(instance.event_log_storage._engines) <= 2
        assert all(instance.get_records_for_run(run).records for run in runs)


def test_a_wiped_log_begins_anew(home: Path):
    with dg.DagsterInstance.get() as instance:
        dg.materialize([table], instance=instance)
        instance.event_log_storage.wipe()
        assert instance.event_log_storage.get_all_run_ids() == []
        run = dg.materialize([table], instance=instance)
        assert instance.get_records_for_run(run.run_id).records
