"""dbt in-process, through `@dbt_assets` and `Definitions`: pins the half-internal way into dagster-dbt."""

import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster_dbt import dbt_assets

from pipelines.resources import dbt as dbt_module
from pipelines.resources.dbt import Dbt, DbtParseError, asset_manifest, ensure_manifest
from pipelines.resources.warehouse import Warehouse

DBT_PROJECT = Path(__file__).parents[3] / "dbt_project"
DATES = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")

FILES = {
    "dbt_project.yml": """
        {name: winback, version: "1.0", config-version: 2, profile: winback,
         models: {winback: {staging: {+schema: staging, +materialized: view},
                            marts: {+schema: marts, +materialized: table},
                            hidden: {+schema: hidden, +materialized: table},
                            broken: {+schema: broken, +materialized: table},
                            slow: {+schema: slow, +materialized: table}}}}""",
    "macros/generate_schema_name.sql": """
        {% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}""",
    "models/staging/stg_order.sql": """
        select
            i as order_id,
            'c' || (i % 10) as customer_id,
            date '2024-01-01' + (i % 3)::integer as as_of_date
        from range(30) as r(i)""",
    "models/marts/customer_orders.sql": """
        select as_of_date, customer_id, count(*) as orders from {{ ref('stg_order') }} group by all""",
    "models/marts/totals.sql": "select sum(orders)::bigint as orders from {{ ref('customer_orders') }}",
    "models/marts/local_day.sql": "select cast(timestamptz '2024-01-01 03:00:00+00' as date) as local_day",
    "models/marts/_marts.yml": """
        {version: 2,
         models: [{name: customer_orders, config: {meta: {published: true}},
                   columns: [{name: customer_id, description: Whose orders, data_tests: [not_null]},
                             {name: orders,
                              data_tests: [accepted_values: {arguments: {values: [1, 99], quote: false}}]}]},
                  {name: totals, columns: [{name: orders, data_tests: [not_null]}]}]}""",
    "models/hidden/int_order.sql": "select order_id, customer_id, 1 as units from {{ ref('stg_order') }}",
    "models/hidden/int_customer.sql": """
        select customer_id, sum(units)::bigint as units from {{ ref('int_order') }} group by all""",
    "models/hidden/int_seen.sql": "select distinct customer_id from {{ ref('int_order') }}",
    "models/hidden/customer.sql": "select * from {{ ref('int_customer') }}",
    "models/hidden/customers.sql": "select count(*) as customers from {{ ref('int_customer') }}",
    "models/hidden/_hidden.yml": """
        {version: 2,
         models: [{name: int_customer,
                   columns: [{name: units,
                              data_tests: [accepted_values: {arguments: {values: [3], quote: false}}]}]},
                  {name: customer,
                   columns: [{name: customer_id,
                              data_tests: [relationships: {arguments: {to: ref('int_customer'),
                                                                       field: customer_id}}]}]}]}""",
    "models/readers/reader.sql": "select * from {{ ref('int_seen') }}",
    "models/broken/needs_a_table.sql": "select * from nowhere.at_all",
    "models/slow/takes_for_ever.sql": """
        select sum(hash(a.i + b.i)) as s from range(10000000) a(i), range(10000000) b(i)""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dbt_project")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name in ("profiles.yml", "macros/table.sql"):
        shutil.copyfile(DBT_PROJECT / name, folder / name)
    ensure_manifest(folder)
    return folder


@dataclass
class Shop:
    """A data home with the definitions on it."""

    warehouse: Warehouse
    dbt: Dbt
    definitions: dg.Definitions

    def run(self, *models, **options):
        job = self.definitions.resolve_implicit_global_asset_job_def()
        keys = [key for key in job.asset_layer.executable_asset_keys if key.path[-1] in models]
        assert len(keys) == len(models)
        return job.execute_in_process(asset_selection=keys, raise_on_error=False, **options)

    def query(self, sql):
        with self.warehouse.locked("test"), self.warehouse.connect() as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def shop(settings, project):
    manifest = asset_manifest(ensure_manifest(project), ["hidden"])

    def assets(folder, partitions=None):
        @dbt_assets(manifest=manifest, select=f"fqn:winback.{folder}", name=folder, partitions_def=partitions)
        def build(context: dg.AssetExecutionContext, dbt: Dbt):
            yield from dbt.build(context, intermediates=f"fqn:winback.{folder}.int_*")

        return build

    warehouse = Warehouse.from_settings(settings)
    dbt = Dbt(dbt_dir=str(project), scratch_dir=str(settings.scratch_dir / "dbt"), warehouse=warehouse)
    definitions = dg.Definitions(
        assets=[
            assets("staging"),
            assets("marts", DATES),
            assets("hidden"),
            assets("broken"),
            assets("slow"),
        ],
        resources={"warehouse": warehouse, "dbt": dbt},
        executor=dg.in_process_executor,
    )
    return Shop(warehouse, dbt, definitions)


def _metadata(result):
    events = result.get_asset_materialization_events()
    return {e.asset_key.path[-1]: {k: v.value for k, v in e.materialization.metadata.items()} for e in events}


def _failure(result):
    return next(e.step_failure_data.user_failure_data for e in result.all_events if e.is_step_failure)


def _open_files():
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return found


def test_models_materialise_with_row_counts_and_their_real_schema(shop):
    result = shop.run("stg_order", "totals", "customer_orders", "local_day", partition_key="2024-01-02")
    metadata = _metadata(result)

    assert set(metadata) == {"stg_order", "totals", "customer_orders", "local_day"}
    assert metadata["customer_orders"]["dagster/row_count"] == 30
    assert metadata["customer_orders"]["dagster/partition_row_count"] == 10
    assert metadata["totals"]["dagster/row_count"] == 1
    assert "dagster/partition_row_count" not in metadata["totals"]
    assert "dagster/row_count" not in metadata["stg_order"]
    columns = {c.name: c for c in metadata["customer_orders"]["dagster/column_schema"].columns}
    assert columns["as_of_date"].type == "DATE"
    assert columns["customer_id"].description == "Whose orders"
    assert shop.query("select orders from marts.totals") == [(30,)]
    assert str(shop.query("select local_day from marts.local_day")[0][0]) == "2023-12-31"


def test_a_failing_dbt_test_is_a_failed_check_and_a_failed_run(shop, project, monkeypatch):
    shop.run("stg_order")
    shop.query("create table counted as select 1")
    checks = {}
    path = project / "models/staging/stg_order.sql"
    original = path.read_text()
    path.write_text(original.replace("range(30)", "range(31)"))  # one customer then has two orders on a date
    try:
        shop.run("stg_order")
        result = shop.run("totals", "customer_orders", partition_key="2024-01-02")
    finally:
        path.write_text(original)
        ensure_manifest(project)
    for evaluation in result.get_asset_check_evaluations():
        checks[evaluation.check_name.split("_")[0]] = evaluation.passed
        if not evaluation.passed:
            said = evaluation

    assert not result.success
    assert checks["accepted"] is False
    assert said.metadata["failing_rows"].value == [{"value_field": 2, "n_records": 1}]
    assert said.metadata["what_to_do"].value.startswith("Correct the value in the model")
    assert "failed: orders is one of 1, 99. Remedy: Correct the value" in said.description
    assert set(_metadata(result)) == {"customer_orders"}, "what depends on a failed model is not built"
    failure = _failure(result)
    assert "accepted_values_customer_orders_orders__False__1__99" in failure.description
    assert "Got 1 result" in failure.description
    compiled = failure.description.split("compiled SQL: ")[1].splitlines()[0]
    assert "customer_orders" in Path(compiled).read_text()


def test_one_model_alone(shop):
    shop.run("stg_order", "totals", "customer_orders", "local_day", partition_key="2024-01-02")
    shop.query("drop table marts.local_day")
    result = shop.run("totals", partition_key="2024-01-02")

    assert result.success
    assert set(_metadata(result)) == {"totals"}
    assert [e.check_name for e in result.get_asset_check_evaluations()] == ["not_null_totals_orders"]
    assert shop.query("select count(*) from duckdb_tables() where table_name = 'local_day'") == [(0,)]


HIDDEN = ("int_seen", "customer", "customers")
"""The assets of the folder `hidden`; another folder reads the intermediate among them."""


def test_what_only_its_own_folder_reads_is_no_asset_and_edges_pass_through_it(shop):
    graph = shop.definitions.resolve_asset_graph()
    edges = {
        node.key.path[-1]: {parent.path[-1] for parent in node.parent_keys}
        for node in graph.asset_nodes
        if node.key.path[0] == "hidden"
    }
    (check,) = [
        graph.get_check_spec(key) for key in graph.asset_check_keys if key.asset_key.path[0] == "hidden"
    ]

    assert edges == {name: {"stg_order"} for name in HIDDEN}
    assert check.name.startswith("relationships_customer_")
    assert not list(check.additional_deps), "it compares with what is no asset"


def test_intermediates_are_built_in_a_whole_run_and_before_a_table_alone(shop):
    shop.run("stg_order")
    whole = shop.run(*HIDDEN)
    assert set(_metadata(whole)) == set(HIDDEN)
    assert shop.query("select count(*), sum(units) from hidden.int_customer") == [(10, 30)]

    shop.query("delete from hidden.int_order where customer_id = 'c1'")
    shop.query("drop table hidden.int_customer")
    shop.query("drop table hidden.customers")
    alone = shop.run("customer")

    assert alone.success
    assert set(_metadata(alone)) == {"customer"}
    assert shop.query("select count(*), sum(units) from hidden.customer") == [(10, 30)]
    assert shop.query("select count(*) from duckdb_tables() where table_name = 'customers'") == [(0,)]


@pytest.mark.parametrize("wanted", [HIDDEN, ["customer"]], ids=["whole", "alone"])
def test_a_failing_test_of_an_intermediate_fails_the_run_and_what_reads_it_is_not_built(
    shop, project, wanted
):
    shop.run("stg_order")
    path = project / "models/hidden/int_order.sql"
    original = path.read_text()
    path.write_text(original.replace("1 as units", "2 as units"))
    try:
        result = shop.run(*wanted)
    finally:
        path.write_text(original)
        ensure_manifest(project)

    assert not result.success
    assert "accepted_values_int_customer_units__False__3" in _failure(result).description
    assert not {"customer", "customers"} & set(_metadata(result))
    assert not [event for event in result.all_events if event.is_asset_observation], "it would be no asset's"


def test_a_failing_intermediate_fails_the_run_by_name(shop, project):
    shop.run("stg_order")
    path = project / "models/hidden/int_order.sql"
    original = path.read_text()
    path.write_text(original.replace("1 as units", "error('no unit') as units"))
    try:
        result = shop.run(*HIDDEN)
    finally:
        path.write_text(original)
        ensure_manifest(project)

    assert not result.success
    assert "model int_order (models/hidden/int_order.sql)" in _failure(result).description
    assert "no unit" in _failure(result).description
    assert _metadata(result) == {}


def test_a_table_is_made_anew_where_another_or_a_view_was_and_a_failure_leaves_it(shop, project):
    shop.run("stg_order")
    shop.query("create schema if not exists hidden")
    shop.query("create view hidden.int_seen as select 'view' as was")
    assert shop.run(*HIDDEN).success
    assert shop.run(*HIDDEN).success
    assert shop.query("select count(*) from hidden.int_seen") == [(10,)]
    names = "select table_name from duckdb_tables() where schema_name = 'hidden' order by all"
    made = [("customer",), ("customers",), ("int_customer",), ("int_order",), ("int_seen",)]
    assert shop.query(names) == made
    path = project / "models/hidden/int_order.sql"
    original = path.read_text()
    path.write_text(original.replace("1 as units", "error('no unit') as units"))
    try:
        assert not shop.run(*HIDDEN).success
    finally:
        path.write_text(original)
        ensure_manifest(project)

    assert shop.query(names) == made
    assert shop.query("select count(*) from hidden.int_order") == [(30,)]


def test_a_failed_model_names_file_message_and_compiled_sql(shop):
    result = shop.run("needs_a_table")
    failure = _failure(result)

    assert not result.success
    assert "models/broken/needs_a_table.sql" in failure.description
    assert "nowhere" in failure.description
    assert Path(failure.description.split("compiled SQL: ")[1]).is_file()
    assert failure.metadata["nodes"].value == ["model.winback.needs_a_table"]
    log = Path(failure.metadata["log"].value).read_text()
    assert "[error]" in log and "nowhere" in log
    assert "[info] 1 of 1 START sql table model broken.needs_a_table" in log
    assert "[debug]" not in log


def test_nothing_stays_open_or_behind_and_the_surroundings_are_as_before(shop):
    before, folder = dict(os.environ), Path.cwd()
    shop.run("stg_order")

    assert shop.warehouse.file not in _open_files()
    assert not Path(f"{shop.warehouse.file}.wal").exists()
    assert list(Path(shop.dbt.scratch_dir).iterdir()) == []
    assert dict(os.environ) == before
    assert Path.cwd() == folder


def test_an_interrupted_run_stops_dbt_and_frees_the_warehouse(shop):
    def interrupt_when_it_works():
        folder, patience_ends = Path(shop.dbt.scratch_dir), time.monotonic() + 30
        while time.monotonic() < patience_ends and not any(
            "sum(hash(" in path.read_text() for path in folder.glob("*/*/run/**/takes_for_ever.sql")
        ):
            time.sleep(0.1)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=interrupt_when_it_works)
    watcher.start()
    result = shop.run("takes_for_ever")
    watcher.join()

    assert not result.success
    assert not [thread for thread in threading.enumerate() if thread.name == "dbt"]
    assert not shop.warehouse.lock.is_held()
    assert shop.warehouse.file not in _open_files()
    assert shop.run("stg_order").success


def test_the_manifest_is_parsed_again_only_when_the_project_changed(project, monkeypatch):
    parsed = []
    monkeypatch.setattr(dbt_module, "_parse", lambda folder, target: parsed.append(folder))
    ensure_manifest(project)
    os.utime(project / "dbt_project.yml")
    ensure_manifest(project)
    assert parsed == []

    added = project / "models/staging/stg_new.sql"
    added.write_text("select 1 as a")
    try:
        ensure_manifest(project)
    finally:
        added.unlink()
        (project / "target" / dbt_module.FINGERPRINT).unlink()
    assert parsed == [project]


def test_a_project_that_dbt_cannot_parse_says_why_and_leaves_the_old_manifest(project):
    manifest = ensure_manifest(project)
    before = manifest.read_bytes()
    added = project / "models/staging/stg_new.sql"
    added.write_text("select * from {{ ref('no_such_model') }}")
    try:
        with pytest.raises(DbtParseError, match="no_such_model"):
            ensure_manifest(project)
    finally:
        added.unlink()

    assert manifest.read_bytes() == before
    assert not (project / "target" / ".parsing").exists()
    assert ensure_manifest(project) == manifest
