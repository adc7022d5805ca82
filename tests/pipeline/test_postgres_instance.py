"""The production instance: Dagster's runs and events in a real PostgreSQL, and commands without a daemon."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from adbc_driver_postgresql import dbapi
from dagster import DagsterEventType, DagsterRunStatus, JobDefinition, RunsFilter, job
from data_home import Home

from pipelines.jobs import DAILY_RECALL, SCRUB
from pipelines.resources.instance import mark_dead_runs, open_instance
from pipelines.resources.notify import journal
from pipelines.resources.process import process_identity
from pipelines.resources.warehouse import PROCESS_TAG
from pipelines.settings import PROJECT_DIR

pytestmark = pytest.mark.xdist_group("eve")

SERVER = "postgresql://postgres@127.0.0.1:5432"


@pytest.fixture
def production(eve: Home, require_absent, monkeypatch) -> Iterator[Home]:
    """A home whose Dagster instance is that of deploy/dagster.yaml, in a database of its own."""
    try:
        import dagster_postgres  # noqa: F401, PLC0415
    except ImportError:
        require_absent("dagster-postgres; pip install winback[production]")
    name = f"winback_{uuid.uuid4().hex[:8]}"
    try:
        connection = dbapi.connect(f"{SERVER}/test", autocommit=True)
    except dbapi.Error as error:
        require_absent(f"PostgreSQL on 127.0.0.1:5432 with a database test for the user postgres: {error}")
    given = {
        "HOST": "127.0.0.1",
        "PORT": "5432",
        "DATABASE": name,
        "USER": "postgres",
        "PASSWORD": "not asked",
    }
    for key, value in given.items():
        monkeypatch.setenv(f"WINBACK_PG_{key}", value)
    settings = (PROJECT_DIR / "deploy" / "dagster.yaml").read_text(encoding="utf-8")
    (eve.settings.dagster_home / "dagster.yaml").write_text(settings, encoding="utf-8")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create database {name}")
        try:
            yield eve
        finally:
            cursor.execute(f"drop database {name} with (force)")


def rows(query: str, database: str) -> list[tuple]:
    with dbapi.connect(f"{SERVER}/{database}") as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_runs_are_stored_there_and_dead_ones_are_ended(
    production: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    home: Path = production.settings.dagster_home
    before = sorted(home.rglob("*"))
    with open_instance(home) as instance:
        dead = instance.create_run_for_job(_nothing(), status=DagsterRunStatus.STARTED)
        boot, _, start = process_identity().split(":", 2)
        instance.add_run_tags(dead.run_id, {PROCESS_TAG: f"{boot}:999999999:{start}"})
        alive = instance.create_run_for_job(_nothing(), status=DagsterRunStatus.STARTED)
        instance.add_run_tags(alive.run_id, {PROCESS_TAG: process_identity()})

    assert production.winback("scrub") == 0

    assert f"Run {dead.run_id} is marked as ended" in capfd.readouterr().out
    with open_instance(home) as instance:
        (run,) = instance.get_runs(RunsFilter(job_name=SCRUB))
        assert run.status == DagsterRunStatus.SUCCESS
        made = instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION
        ).records
        assert len(made) > 80
        assert instance.get_run_by_id(dead.run_id).status == DagsterRunStatus.FAILURE
        assert instance.get_run_by_id(alive.run_id).status == DagsterRunStatus.STARTED
        assert mark_dead_runs(instance, print) == []
        database = instance.get_ref().storage_data.config_dict["postgres_db"]["db_name"]
    assert database == {"env": "WINBACK_PG_DATABASE"}
    stored = rows("select run_id, status from runs", os.environ["WINBACK_PG_DATABASE"])
    assert (run.run_id, "SUCCESS") in stored and len(stored) == 3
    assert sorted(home.rglob("*")) == before, "nothing of it is in the data home"
    # The dead run was told of, once.
    assert [notice["run_id"] for notice in journal(production.settings).notices()] == [dead.run_id]


def _nothing() -> JobDefinition:
    @job(name=DAILY_RECALL)
    def nothing() -> None:
        """No steps: its record is what counts."""

    return nothing
