"""A data home is made ready once, belongs to one shop, and dead runs do not stay in it."""

import os
import signal
import stat
import subprocess
import sys
import textwrap

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from pipelines.resources.instance import WrongShop, mark_dead_runs, prepare_home
from pipelines.resources.process import process_identity
from pipelines.resources.warehouse import PROCESS_TAG, Warehouse


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_with_personal_data_are_private(settings):
    prepare_home(settings)

    private = (
        settings.lake_dir,
        settings.warehouse_file.parent,
        settings.audiences_dir,
        settings.dagster_home,
    )
    assert [_mode(folder) for folder in private] == [0o700] * 4
    assert _mode(settings.published_file.parent) == 0o755


def test_dagster_accepts_its_settings_and_queues_one_run_at_a_time(settings):
    prepare_home(settings)

    with DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled


def test_what_people_changed_stays(settings):
    prepare_home(settings)
    settings_file = settings.dagster_home / "dagster.yaml"
    settings_file.write_text("telemetry: {enabled: false}\n")
    settings.landing_dir.chmod(0o777)

    prepare_home(settings)

    assert settings_file.read_text() == "telemetry: {enabled: false}\n"
    assert _mode(settings.landing_dir) == 0o777
    assert [path.name for path in settings.home.iterdir() if path.name.startswith(".")] == []


def test_another_shop_needs_another_home(settings, settings_for):
    prepare_home(settings)

    with pytest.raises(WrongShop, match=r"'corner_shop'.*'other_shop'.*WINBACK_DATA_DIR"):
        prepare_home(settings_for(settings.home, "other_shop"))


def test_a_damaged_marker_is_an_error_that_names_the_file(settings):
    prepare_home(settings)
    (settings.home / "shop.json").write_text("{}")

    with pytest.raises(WrongShop, match=r"shop\.json is damaged"):
        prepare_home(settings)


RUN = """
    import sys, time
    import dagster as dg
    from pipelines.resources.warehouse import Warehouse

    @dg.asset
    def endless(warehouse: Warehouse) -> None:
        print("working", flush=True)
        time.sleep(60)

    home, file, temp = sys.argv[1:]
    warehouse = Warehouse(file=file, temp_directory=temp, time_zone="UTC")
    with dg.DagsterInstance.from_config(home) as instance:
        dg.materialize([endless], resources={"warehouse": warehouse}, instance=instance)
"""


def test_a_run_killed_outright_is_marked_as_failed_and_blocks_nothing(settings):
    prepare_home(settings)
    warehouse = Warehouse.from_settings(settings)
    home, messages = str(settings.dagster_home), []
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUN), home, warehouse.file, warehouse.temp_directory],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "working\n"
    with DagsterInstance.from_config(home) as instance:
        (run,) = instance.get_runs()
        assert mark_dead_runs(instance, messages.append) == [], "it lives"

        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()

        assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.STARTED
        assert mark_dead_runs(instance, messages.append) == [run.run_id]
        assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.FAILURE
        assert mark_dead_runs(instance, messages.append) == []
    assert len(messages) == 1
    assert f"(pid {process.pid}) is gone" in messages[0]
    with warehouse.locked("next", log=messages.append):
        assert len(messages) == 1, "nothing to wait for"


def _gone():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(process.pid)
    process.communicate(b"\n")
    return identity


@pytest.mark.parametrize(
    ("status", "ended_as"),
    [
        (DagsterRunStatus.STARTING, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.STARTED, DagsterRunStatus.FAILURE),
        (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED),
    ],
)
def test_dead_runs_end_in_a_fitting_state(status, ended_as):
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(_job(), status=status, tags={PROCESS_TAG: _gone()})

        assert mark_dead_runs(instance, print) == [run.run_id]
        assert instance.get_run_by_id(run.run_id).status == ended_as


def test_a_run_that_names_no_process_is_given_up_when_it_does_not_start(monkeypatch):
    with dg.instance_for_test() as instance:
        starting = instance.create_run_for_job(_job(), status=DagsterRunStatus.STARTING)
        instance.create_run_for_job(_job(), status=DagsterRunStatus.STARTED)
        assert mark_dead_runs(instance, print) == []

        monkeypatch.setattr("pipelines.resources.instance._START_TIMEOUT_SECONDS", -1)
        assert mark_dead_runs(instance, print) == [starting.run_id]


def _job():
    @dg.op
    def work():
        pass

    @dg.job
    def daily():
        work()

    return daily
