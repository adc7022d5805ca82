"""The warehouse is opened with one configuration, under its lock, and by nobody else in between."""

import datetime
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from pipelines.resources.process import process_identity
from pipelines.resources.warehouse import PROCESS_TAG, Warehouse, WarehouseNotLocked


@pytest.fixture
def warehouse(settings):
    return Warehouse.from_settings(settings)


def _mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_it_is_not_opened_without_its_lock(warehouse):
    with pytest.raises(WarehouseNotLocked, match="require the resource `warehouse`"), warehouse.connect():
        pass


def test_only_its_owner_can_read_it(warehouse):
    with warehouse.locked("test"), warehouse.connect() as connection:
        connection.execute("create table t as select 1 as a")

    assert _mode(warehouse.file) == 0o600
    assert _mode(Path(warehouse.file).parent) == 0o700


def test_dates_are_local_also_in_cursors_and_second_connections(warehouse):
    local_date = "select cast(timestamptz '2020-01-01 03:00:00+00' as date)"
    with warehouse.locked("test"), warehouse.connect() as connection, warehouse.connect() as second:
        for opened in (connection, connection.cursor(), second, second.cursor()):
            assert opened.execute(local_date).fetchone() == (datetime.date(2019, 12, 31),)


def test_an_order_by_decides_the_order_of_stored_rows(warehouse):
    """Why insertion order is preserved: without that, two builds of a table differ in the order of rows."""
    with warehouse.locked("test"), warehouse.connect() as connection:
        connection.execute("create table t as select hash(i) as h from range(600000) r(i) order by h")
        misplaced = connection.execute(
            "select count(*) from (select h, lag(h) over (order by rowid) as before from t) where h < before"
        ).fetchone()

    assert misplaced == (0,)


def test_dbt_has_the_same_configuration(warehouse):
    """A second connection to an open file with another one fails."""
    profiles = Path(__file__).parents[3] / "dbt_project" / "profiles.yml"
    text = profiles.read_text(encoding="utf-8")
    for name, value in warehouse.environment().items():
        text = text.replace(f"{{{{ env_var('{name}') }}}}", value)
    output = yaml.safe_load(text)["winback"]["outputs"]["duckdb"]

    assert output["config_options"] == warehouse.config
    assert output["settings"] == {"TimeZone": warehouse.time_zone}
    assert output["path"] == warehouse.file
    assert output["keep_open"] is False
    with warehouse.locked("test"), warehouse.connect():
        duckdb.connect(output["path"], config=output["config_options"]).close()


def test_a_run_holds_the_lock_from_first_to_last_step_and_is_tagged_with_its_process(warehouse):
    @dg.asset
    def first(warehouse: Warehouse) -> None:
        assert warehouse.lock.is_held()
        with warehouse.connect() as connection:
            connection.execute("create table t as select 1 as a")

    @dg.asset(deps=[first])
    def second(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
        assert warehouse.lock.holder().run_id == context.run_id
        with warehouse.connect() as connection:
            assert connection.execute("select a from t").fetchone() == (1,)

    with dg.instance_for_test() as instance:
        result = dg.materialize([first, second], resources={"warehouse": warehouse}, instance=instance)
        assert instance.get_run_by_id(result.run_id).tags[PROCESS_TAG] == process_identity()

    assert result.success
    assert not warehouse.lock.is_held()


def test_a_failed_run_frees_the_lock(warehouse):
    @dg.asset
    def failing(warehouse: Warehouse) -> None:
        raise ValueError("no")

    result = dg.materialize([failing], resources={"warehouse": warehouse}, raise_on_error=False)

    assert not result.success
    assert not warehouse.lock.is_held()


APPEND = """
    import sys, time
    from pathlib import Path
    import dagster as dg
    from pipelines.resources.warehouse import Warehouse

    run, file, temp = int(sys.argv[1]), sys.argv[2], sys.argv[3]

    @dg.asset
    def first(warehouse: Warehouse) -> None:
        with warehouse.connect() as connection:
            connection.execute("create table if not exists log (step integer, run integer)")
            connection.execute("insert into log select coalesce(max(step), 0) + 1, ? from log", [run])
        time.sleep(0.3)

    @dg.asset(deps=[first])
    def second(warehouse: Warehouse) -> None:
        with warehouse.connect() as connection:
            connection.execute("insert into log select max(step) + 1, ? from log", [run])

    # Both have imported what they need, and start at once.
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(f"{file}.{run}").touch()
    while not all(Path(f"{file}.{each}").exists() for each in (1, 2)):
        time.sleep(0.01)
    resource = Warehouse(file=file, temp_directory=temp, time_zone="UTC", lock_timeout_seconds=30)
    assert dg.materialize([first, second], resources={"warehouse": resource}).success
"""


def test_two_runs_started_at_once_do_not_interleave(warehouse):
    arguments = [warehouse.file, warehouse.temp_directory]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(APPEND), str(number), *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    errors = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors

    with warehouse.locked("test"), duckdb.connect(warehouse.file, config=warehouse.config) as connection:
        written = [row[0] for row in connection.execute("select run from log order by step").fetchall()]
    assert written in ([1, 1, 2, 2], [2, 2, 1, 1])
    assert "waiting for the warehouse: held by run" in "".join(errors)
