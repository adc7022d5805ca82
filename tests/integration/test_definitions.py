"""The code location as Dagster and its commands see it, and that it loads fast."""

import json
import os
import statistics
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    BackfillPolicy,
    DagsterInstance,
    DefaultScheduleStatus,
    build_schedule_context,
    in_process_executor,
)

from pipelines.assets.audiences import day_of_looking
from pipelines.build import build_definitions
from pipelines.checks import dbt_tests
from pipelines.checks.gates import CHECK_NAME
from pipelines.checks.stages import Stage
from pipelines.checks.suites import load_suites
from pipelines.jobs import DAILY_RECALL, ERASE, KPI_REFRESH, SCRUB
from pipelines.resources.dbt import ensure_manifest
from pipelines.settings import PROJECT_DIR, load_settings

GROUPS = {
    "privacy",
    "raw",
    "policy",
    "staging",
    "identity",
    "core",
    "dormancy",
    "marts",
    "activation",
    "audiences",
    "kpi",
    "published",
    "reports",
}
PARTITIONED = {"dormancy", "marts", "activation", "audiences", "kpi", "published", "reports"}
PURE = ("feeds", "identity", "dormancy", "activation", "notices", "publication", "report")
# Each takes seconds to import, and only a step that works needs it.
SLOW = (
    "great_expectations",
    "dbt.cli.main",
    "dbt.parser",
    "dbt.adapters.duckdb",
    "altair",
    "polars",
    "pandas",
)
RATIO = 1.5
# In a group of dates, and of none itself: it looks at all that went out.
UNDATED = "audiences/scrub"
NO_TABLES = {
    "audiences/recall",
    "audiences/scrub",
    "privacy/erasure",
    "privacy/erasure_search",
    "published/winback_analytics",
    "reports/daily_report",
    "reports/run_summary",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A person's environment, with a data home in which nothing is."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WINBACK_", "DAGSTER_"))}
    return own | {"WINBACK_DATA_DIR": str(tmp_path_factory.mktemp("home"))}


@pytest.fixture(scope="module")
def definitions(environment):
    return build_definitions(load_settings(environment))


@pytest.fixture(scope="module")
def nodes(definitions):
    return {node.key: node for node in definitions.resolve_asset_graph().asset_nodes}


def names(nodes, is_wanting):
    return [key.to_user_string() for key, node in nodes.items() if is_wanting(node)]


def test_every_asset_says_what_it_is_and_whose(nodes):
    # dagster-dbt describes a model that nobody described by its name.
    assert not names(nodes, lambda node: not node.description or node.description.startswith("dbt "))
    assert not names(nodes, lambda node: not node.owners)
    assert not names(nodes, lambda node: not node.kinds)
    assert {node.group_name for node in nodes.values()} == GROUPS


def _columns(node):
    schema = node.metadata.get("dagster/column_schema")
    return [] if schema is None else schema.columns


def test_every_asset_says_where_to_read_on(nodes):
    """A page that is there, and for a table the files that make and guard it, a click away."""
    for node in nodes.values():
        assert Path(node.metadata["docs"].value).is_file(), node.key
        references = node.metadata["dagster/code_references"].code_references
        assert references and all(Path(each.file_path).is_file() for each in references), node.key
    [reference, model, suite] = (
        nodes[AssetKey(["marts", "customer_rfm"])].metadata["dagster/code_references"].code_references
    )
    assert reference.label == "docs/data-dictionary.md"
    assert model.file_path.endswith("dbt_project/models/marts/customer_rfm.sql")
    assert suite.file_path.endswith("expectations/marts/customer_rfm.yaml")


def test_a_page_that_is_served_is_a_link(environment):
    definitions = build_definitions(
        load_settings(environment | {"WINBACK_DOCS_URL": "https://example.org/docs"})
    )
    spec = definitions.resolve_asset_graph().get(AssetKey(["marts", "dormancy_reason"]))

    assert spec.metadata["docs"].value == "https://example.org/docs/reasons.md"


def test_every_table_describes_all_its_columns(nodes):
    without = {key.to_user_string() for key, node in nodes.items() if not _columns(node)}
    assert without == NO_TABLES
    assert [
        f"{key.to_user_string()}.{column.name}"
        for key, node in nodes.items()
        for column in _columns(node)
        if not column.description
    ] == []


def test_every_table_that_is_made_of_others_says_which_columns_of_which(nodes):
    without = {
        key.to_user_string()
        for key, node in nodes.items()
        if node.group_name not in ("raw", "policy") and "dagster/column_lineage" not in node.metadata
    }
    assert without - NO_TABLES == {"marts/int_reported_date"}, "it has the run's own dates"
    known = {(key, column.name) for key, node in nodes.items() for column in _columns(node)}
    for key, node in nodes.items():
        lineage = node.metadata.get("dagster/column_lineage")
        for column, parents in (lineage.deps_by_column if lineage else {}).items():
            assert (key, column) in known
            assert {(each.asset_key, each.column_name) for each in parents} <= known, (key, column)


def test_lineage_leads_through_tables_that_are_no_assets(nodes):
    lineage = nodes[AssetKey(["marts", "customer_rfm"])].metadata["dagster/column_lineage"]

    [monetary] = [each for each in lineage.deps_by_column["monetary"] if each.column_name == "net_amount"]
    assert monetary.asset_key == AssetKey(["core", "int_revenue_day"])


def test_every_check_says_in_one_line_what_it_guards(definitions):
    checks = definitions.resolve_asset_graph().asset_check_nodes
    said = {check.key: check.description or "" for check in checks}

    assert len(said) > 80
    assert [
        key for key, text in said.items() if len(text) < 15 or "\n" in text or not text.endswith(".")
    ] == []


def test_every_test_of_dbt_says_what_to_do_when_it_fails(environment):
    manifest = json.loads(ensure_manifest(load_settings(environment).dbt_dir).read_text(encoding="utf-8"))
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]

    assert len(tests) > 40
    assert [test["name"] for test in tests if len(dbt_tests.remedy(test)) < 20] == []


def test_the_key_of_a_table_is_its_name_in_the_warehouse(nodes):
    for group in ("raw", "identity", "core", "marts", "activation", "kpi"):
        assert {key.path[0] for key, node in nodes.items() if node.group_name == group} == {group}


def test_dates_begin_after_core(nodes):
    dated = {key.to_user_string(): node for key, node in nodes.items()}
    assert not dated.pop(UNDATED).is_partitioned
    assert {node.group_name for node in dated.values() if node.is_partitioned} == PARTITIONED
    assert not names(dated, lambda node: node.is_partitioned != (node.group_name in PARTITIONED))


def test_a_range_of_dates_is_one_run(nodes):
    """Unpartitioned assets too: a policy of their own would split a backfill of the job."""
    assert not names(nodes, lambda node: node.backfill_policy != BackfillPolicy.single_run())


def test_every_suite_is_a_blocking_check_of_its_table(definitions):
    gates = {
        check.key.asset_key.to_user_string(): check
        for check in definitions.resolve_asset_graph().asset_check_nodes
        if check.key.name == CHECK_NAME
    }
    wanted = {suite.table.replace(".", "/") for stage in Stage for suite in load_suites(stage)}

    assert set(gates) == wanted
    assert [name for name, check in gates.items() if not check.blocking] == []


def test_what_leaves_the_house_comes_after_all_gates_before_it(nodes, definitions):
    """The audiences directly, because a blocking check only stops what hangs on its asset."""
    graph = definitions.resolve_asset_graph()
    guarded = {stage: {key for key in nodes if key.to_user_string() in _tables(stage)} for stage in Stage}
    audiences = next(
        node for node in nodes.values() if node.group_name == "audiences" and node.is_partitioned
    )
    scrub = next(node for key, node in nodes.items() if key.to_user_string() == UNDATED)
    published = next(node for node in nodes.values() if node.group_name == "published")

    before = set().union(*(guarded[stage] for stage in Stage if stage is not Stage.KPI))
    assert before <= graph.get(audiences.key).parent_keys
    assert before | guarded[Stage.KPI] | {audiences.key} <= graph.get(published.key).parent_keys
    assert guarded[Stage.RAW] | guarded[Stage.CORE] <= graph.get(scrub.key).parent_keys


def _tables(stage):
    return {suite.table.replace(".", "/") for suite in load_suites(stage)}


def test_the_daily_job_does_everything_with_every_check(definitions, nodes):
    job = definitions.resolve_job_def(DAILY_RECALL)
    checks = definitions.resolve_asset_graph().asset_check_keys

    left_out = {key for key in nodes if key.to_user_string() == UNDATED or key.path[0] == "privacy"}
    assert set(job.asset_layer.selected_asset_keys) == set(nodes) - left_out
    assert set(job.asset_layer.asset_graph.asset_check_keys) == set(checks)
    assert job.partitions_def is not None


def test_the_scrub_builds_up_to_the_core_with_its_gates(definitions, nodes):
    job = definitions.resolve_job_def(SCRUB)
    checks = {check.asset_key for check in job.asset_layer.asset_graph.asset_check_keys}

    groups = {"raw", "policy", "identity", "staging", "core"}
    wanted = {key for key, node in nodes.items() if node.group_name in groups}
    assert {key.to_user_string() for key in set(job.asset_layer.selected_asset_keys) - wanted} == {UNDATED}
    assert wanted <= set(job.asset_layer.selected_asset_keys)
    gated = _tables(Stage.RAW) | _tables(Stage.CORE)
    assert gated <= {key.to_user_string() for key in checks}
    assert job.partitions_def is None


def test_everything_runs_in_one_process(definitions):
    """The job, and what a person materialises in the UI."""
    jobs = [definitions.resolve_job_def(name) for name in (DAILY_RECALL, KPI_REFRESH, SCRUB)]
    jobs.append(definitions.resolve_implicit_global_asset_job_def())

    assert [job.executor_def for job in jobs] == [in_process_executor] * 4


def test_the_schedule_runs_by_default_in_the_shops_zone(definitions):
    schedule = definitions.resolve_schedule_def(f"{DAILY_RECALL}_schedule")

    assert schedule.default_status == DefaultScheduleStatus.RUNNING
    assert schedule.execution_timezone == "Asia/Shanghai"
    assert schedule.cron_schedule == "0 5 * * *"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (None, "nothing was sent yet"),
        ("2024-06-20", "the newest audiences, of 2024-06-20, cannot be used any more"),
        # The zone's date counts: in Shanghai it is July already.
        ("2024-06-21", "the newest audiences, of 2024-06-21, cannot be used any more"),
        ("2024-06-22", None),
        ("2024-06-30", None),
    ],
)
def test_the_scrub_is_launched_hourly_while_lists_can_be_used(environment, tmp_path, sent, said):
    settings = load_settings(environment | {"WINBACK_DATA_DIR": str(tmp_path)})
    if sent is not None:
        (settings.lake_dir / "emissions" / f"as_of={sent}").mkdir(parents=True)
    schedule = build_definitions(settings).resolve_schedule_def(f"{SCRUB}_schedule")
    at = datetime(2024, 6, 30, 16, 30, tzinfo=UTC)

    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(instance=instance, scheduled_execution_time=at)
        launched = schedule.evaluate_tick(context)

    assert schedule.default_status == DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 * * * *", "Asia/Shanghai")
    assert (launched.skip_message, len(launched.run_requests)) == (said, said is None)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (None, "nothing was sent yet"),
        ("2024-05-31", "the outcome of the newest audiences, of 2024-05-31, is known"),
        ("2024-06-01", None),
    ],
)
def test_a_refresh_is_launched_hourly_while_outcomes_come_in(environment, tmp_path, sent, said):
    """For the newest date that was computed, be it sent or not."""
    settings = load_settings(environment | {"WINBACK_DATA_DIR": str(tmp_path)})
    movements = settings.lake_dir / "segment_movement"
    movements.mkdir(parents=True)
    (movements / "moved_on=2024-06-29.parquet").touch()
    if sent is not None:
        (settings.lake_dir / "emissions" / f"as_of={sent}").mkdir(parents=True)
    definitions = build_definitions(settings)
    schedule = definitions.resolve_schedule_def(f"{KPI_REFRESH}_schedule")
    at = datetime(2024, 6, 30, 16, 0, tzinfo=UTC)

    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(
            instance=instance,
            scheduled_execution_time=at,
            repository_def=definitions.get_repository_def(),
        )
        launched = schedule.evaluate_tick(context)

    assert schedule.default_status == DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 * * * *", "Asia/Shanghai")
    assert launched.skip_message == said
    assert [run.partition_key for run in launched.run_requests] == ([] if said else ["2024-06-29"])


@pytest.mark.parametrize(
    ("end", "day"), [(None, "2024-07-01"), ("2024-06-30", "2024-07-01"), ("2024-06-29", "2024-06-20")]
)
def test_a_past_that_is_played_again_does_not_see_what_came_later(environment, end, day):
    profile = load_settings(environment).profile
    calendar = profile.calendar.model_copy(update={"end_date": end and date.fromisoformat(end)})
    shop = profile.model_copy(update={"calendar": calendar})
    started_at = datetime(2024, 6, 30, 16, 30, tzinfo=UTC)

    assert day_of_looking(shop, started_at, date(2024, 6, 19)) == date.fromisoformat(day)


def _dg(environment, *arguments):
    command = [str(Path(sys.executable).with_name("dg")), *arguments]
    return subprocess.run(
        command, cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_dg_checks_the_definitions(environment):
    checked = _dg(environment, "check", "defs")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully" in checked.stdout


def test_dg_lists_the_definitions(environment, nodes):
    listed = _dg(environment, "list", "defs", "--json")

    assert listed.returncode == 0, listed.stdout + listed.stderr
    found = json.loads(listed.stdout)
    assert {asset["asset_key"] for asset in found["assets"]} == {key.to_user_string() for key in nodes}
    assert [job["name"] for job in found["jobs"]] == [DAILY_RECALL, ERASE, KPI_REFRESH, SCRUB]


LOADING = """
import sys, time
start = time.process_time()
import dagster_dbt
middle = time.process_time()
import pipelines.definitions
end = time.process_time()
slow = [name for name in {slow!r} if name in sys.modules]
print(middle - start, end - start, *slow)
"""


@pytest.fixture(scope="module")
def loadings(environment):
    """Seconds of `import dagster_dbt` and of `import pipelines.definitions`, and slow modules, five times.

    The second begins with the first, so that one process takes both, and the moment's load falls on both.
    CPU time, because the other tests work beside this one.
    """
    ensure_manifest(load_settings(environment).dbt_dir)
    lines = [_python(environment, LOADING.format(slow=SLOW)).split() for _ in range(5)]
    return [(float(theirs), float(ours), slow) for theirs, ours, *slow in lines]


def _python(environment, code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_definitions_load_about_as_fast_as_dagster_dbt(loadings):
    ratio = statistics.median(ours / theirs for theirs, ours, _ in loadings)

    assert ratio <= RATIO, f"{ratio:.2f} times `import dagster_dbt`: {loadings}"


def test_loading_the_definitions_imports_nothing_slow(loadings):
    assert [slow for _, _, slow in loadings] == [[]] * len(loadings)


def test_the_pure_packages_do_not_know_dagster(environment):
    modules = [
        ".".join(file.relative_to(PROJECT_DIR).with_suffix("").parts)
        for name in PURE
        for file in (PROJECT_DIR / "pipelines").glob(f"{name}*/**/*.py")
    ]
    modules += ["pipelines.settings", "pipelines.history", "pipelines.control"]
    code = "\n".join(f"import {module.removesuffix('.__init__')}" for module in modules)

    assert len(modules) > 20
    assert _python(environment, f"{code}\nimport sys\nprint('dagster' in sys.modules)") == "False\n"


def test_every_dbt_test_runs_in_some_step(environment):
    """dbt leaves out, without a word, a test one of whose tables is neither built nor a parent of what is."""
    manifest = json.loads(ensure_manifest(load_settings(environment).dbt_dir).read_text(encoding="utf-8"))
    nodes = manifest["nodes"]
    steps: dict[str, set[str]] = {}
    for name, node in nodes.items():
        if node["resource_type"] in ("model", "seed"):
            # Seeds and the tables of identity are built with staging.
            folder = node["fqn"][1] if node["resource_type"] == "model" else "staging"
            steps.setdefault("staging" if folder == "identity" else folder, set()).add(name)
    reached = [
        built | {parent for name in built for parent in nodes[name]["depends_on"].get("nodes", ())}
        for built in steps.values()
    ]
    tests = {
        name: set(node["depends_on"]["nodes"]) for name, node in nodes.items() if name.startswith("test.")
    }
    assert len(tests) > 40
    assert [name for name, tables in tests.items() if not any(tables <= each for each in reached)] == []


def test_an_erasure_makes_anew_what_is_derived_of_people_and_proves_it_last(definitions, nodes):
    job = definitions.resolve_job_def(ERASE)
    selected = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}

    groups = {"raw", "policy", "identity", "staging", "core", "kpi", "privacy"}
    wanted = {key.to_user_string() for key, node in nodes.items() if node.group_name in groups}
    assert wanted <= selected
    assert selected - wanted == {"published/winback_analytics", "reports/daily_report"}
    search = next(node for key, node in nodes.items() if key.path[-1] == "erasure_search")
    assert {"published/winback_analytics", "reports/daily_report"} <= {
        key.to_user_string() for key in search.parent_keys
    }
