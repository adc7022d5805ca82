"""Each gate on bad data made for it: what follows is not run, nothing goes out, nothing changes for analysts.

Launching the next step alone is refused too, until the stage has been built and checked again.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, ExecuteInProcessResult
from data_home import Home
from small_shop import END

from pipelines.assets.audiences import AUDIENCES
from pipelines.assets.publish import PUBLISHED
from pipelines.build import build_definitions
from pipelines.checks.stages import Stage
from pipelines.checks.suites import load_suites
from pipelines.jobs import DAILY_RECALL
from pipelines.resources.dbt import Dbt
from pipelines.resources.instance import open_instance
from pipelines.resources.warehouse import Warehouse

pytestmark = pytest.mark.xdist_group("eve")

EVE = END - timedelta(days=1)
SPOIL_TAG = "spoil"

STOPPED = {
    Stage.KPI: {"published__winback_analytics", "reports__daily_report"},
    Stage.ACTIVATION: {"audiences__recall"},
    Stage.MARTS: {"activation", "gate_activation", "kpi", "gate_kpi"},
    Stage.CORE: {"control__dormancy_fit", "marts", "gate_marts"},
    Stage.RAW: {"normal_forms", "staging", "identity", "core", "gate_core"},
}
"""Steps that a stage's gate stops, besides those that a later gate stops."""

GROUPS = {
    Stage.RAW: ("raw", "policy", "identity", "staging"),
    Stage.CORE: ("core", "dormancy"),
    Stage.MARTS: ("marts",),
    Stage.ACTIVATION: ("activation", AUDIENCES),
    Stage.KPI: ("kpi", "published", "reports"),
}
"""Groups of assets from a stage to the next; of the audiences those of a date alone."""


@dataclass(frozen=True)
class Bad:
    """Bad data made for a stage: a table of it, what its gate finds, and what spoils it once dbt is done.

    The raw stage has none: its table is spoilt by the shop's own file.
    """

    table: str
    finding: str
    sql: str | None = None


BAD = {
    Stage.RAW: Bad("raw.pos_sales", "quarantine_share_within_limit (1 unexpected rows)"),
    Stage.CORE: Bad(
        "core.purchase_day",
        "day_once (1 unexpected rows)",
        "insert into core.purchase_day from core.purchase_day limit 1",
    ),
    Stage.MARTS: Bad(
        "marts.customer_rfm",
        "customer_once (2 unexpected rows)",
        f"insert into marts.customer_rfm from marts.customer_rfm where as_of_date = date '{END}' "
        "order by customer_id limit 2",
    ),
    Stage.ACTIVATION: Bad(
        "activation.recall_decision",
        "nobody_left_out (1 unexpected rows)",
        f"delete from activation.recall_decision where as_of_date = date '{END}' and decision = 'no_action'",
    ),
    Stage.KPI: Bad(
        "kpi.dormancy_overview",
        "customers_add_up (1 unexpected rows)",
        f"update kpi.dormancy_overview set customers = customers + 1 where as_of_date = date '{END}'",
    ),
}


class SpoilingDbt(Dbt):
    """dbt, and after it what the run's tag `spoil/<operation>` says."""

    def build(self, context: Any, **options: Any) -> Iterator[Any]:
        yield from super().build(context, **options)
        if sql := context.run.tags.get(f"{SPOIL_TAG}/{context.op_execution_context.op.name}"):
            with self.warehouse.connect() as con:
                con.execute(sql)


class Desk:
    """Somebody launches runs of a home, of the whole job or with *Materialize*."""

    def __init__(self, home: Home) -> None:
        self.home = home
        warehouse = Warehouse.from_settings(home.settings)
        dbt = Dbt.from_settings(home.settings, warehouse)
        spoiling = SpoilingDbt(dbt_dir=dbt.dbt_dir, scratch_dir=dbt.scratch_dir, warehouse=warehouse)
        self._definitions = build_definitions(home.settings, resources={"dbt": spoiling})

    def launch(
        self, *wanted: AssetKey | str, day: date = END, checks: bool = True, spoil: Stage | None = None
    ) -> ExecuteInProcessResult:
        """A run for a date.

        Args:
            wanted: keys of assets and names of groups; none for the whole job.
            day: the as-of date.
            checks: with the gates of what is wanted.
            spoil: the stage whose table is spoilt when dbt has built it.
        """
        job = self._definitions.resolve_job_def(DAILY_RECALL)
        if wanted:
            nodes = self._definitions.resolve_asset_graph().asset_nodes
            job = self._definitions.resolve_implicit_global_asset_job_def().get_subset(
                asset_selection={node.key for node in nodes if {node.key, node.group_name} & {*wanted}},
                asset_check_selection=None if checks else set(),
            )
        tags = {"dagster/partition": str(day)}
        if spoil is not None and BAD[spoil].sql is not None:
            tags[f"{SPOIL_TAG}/{spoil}"] = BAD[spoil].sql
        with open_instance(self.home.settings.dagster_home) as instance:
            return job.execute_in_process(
                instance=instance, tags=tags, run_config={"loggers": {"console": {}}}, raise_on_error=False
            )

    def refusal(self, asset: AssetKey) -> str:
        """What is said when the asset is launched alone and refuses."""
        result = self.launch(asset)
        (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
        assert failure.user_failure_data is not None, failure.error
        return str(failure.user_failure_data.description)


@dataclass(frozen=True)
class Outside:
    """What people outside see of a home, byte by byte, and what was sent."""

    published: bytes
    exports: dict[str, bytes]
    emitted: frozenset[str]

    @classmethod
    def of(cls, home: Home) -> "Outside":
        settings = home.settings
        return cls(
            settings.published_file.read_bytes(),
            home.exports(),
            frozenset(path.name for path in (settings.lake_dir / "emissions").iterdir()),
        )


@dataclass(frozen=True)
class Stop:
    """A run that a gate has stopped, and what came of launching the next steps alone."""

    run_id: str
    success: bool
    not_run: set[str]
    verdicts: dict[str, str]
    before: Outside
    after: Outside
    refusals: dict[AssetKey, str]
    after_refusals: Outside


def stop(desk: Desk, stage: Stage, *wanted: AssetKey | str) -> Stop:
    home = desk.home
    before = Outside.of(home)
    result = desk.launch(*wanted, spoil=stage)
    after = Outside.of(home)
    # The audiences go out before the KPIs are made.
    alone = [PUBLISHED] if stage is Stage.KPI else [AUDIENCES, PUBLISHED]
    return Stop(
        result.run_id,
        result.success,
        {node.name for node in result.job_def.nodes} - steps_of(result),
        verdicts_of(home, result.run_id),
        before,
        after,
        {asset: desk.refusal(asset) for asset in alone},
        Outside.of(home),
    )


@dataclass(frozen=True)
class BadDay:
    """A day on which one stage after the other fails, and the home at its end."""

    stops: dict[Stage, Stop]
    home: Home


@pytest.fixture(scope="module")
def bad_day(_eve, tmp_path_factory) -> BadDay:
    """Each run begins where the last one was stopped, when its cause is mended; the last one passes."""
    home = _eve.copy(tmp_path_factory.mktemp("bad_day") / "home")
    desk = Desk(home)
    with mostly_broken(home.shop.folder / "sales.csv"):
        stops = {Stage.RAW: stop(desk, Stage.RAW)}
    groups = [group for stage in Stage for group in GROUPS[stage]]
    for begin, stage in zip(Stage, list(Stage)[1:], strict=False):
        groups_from = groups[groups.index(GROUPS[begin][0]) :]
        stops[stage] = stop(desk, stage, *groups_from)
    assert desk.launch(*GROUPS[Stage.KPI]).success
    return BadDay(stops, home)


@contextmanager
def mostly_broken(file: Path) -> Iterator[None]:
    """A till wrote words for a third of its amounts; afterwards the right file is back."""
    right = file.read_bytes()
    header, *lines = right.decode().splitlines()
    for number in range(0, len(lines), 3):
        lines[number] = ",".join([*lines[number].split(",")[:-2], "much", "0.00"])
    try:
        file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        yield
    finally:
        file.write_bytes(right)


def steps_of(result: ExecuteInProcessResult) -> set[str]:
    """Steps that were begun."""
    return {event.step_key for event in result.all_events if event.event_type_value == "STEP_START"}


def verdicts_of(home: Home, run_id: str) -> dict[str, str]:
    """What the suites found that failed in a run, by table."""
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        rows = con.execute(
            "select stage || '.' || suite, details from quality.gate_log "
            "where run_id = ? and not passed and expectations > 0",
            [run_id],
        ).fetchall()
    return dict(rows)


def rows_of(home: Home, table: str) -> list[tuple]:
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(f"select * from {table} order by all").fetchall()


@pytest.mark.parametrize("stage", Stage)
def test_a_failed_gate_stops_what_follows_and_keeps_its_verdict(bad_day, stage):
    stopped, onwards = bad_day.stops[stage], list(Stage)[list(Stage).index(stage) :]

    assert not stopped.success
    assert stopped.not_run == set().union(*(STOPPED[later] for later in onwards))
    assert BAD[stage].finding.split()[0] in stopped.verdicts[BAD[stage].table]


@pytest.mark.parametrize("stage", Stage)
def test_behind_a_failed_gate_nothing_goes_out(bad_day, stage):
    stopped = bad_day.stops[stage]

    assert stopped.after.published == stopped.before.published
    if stage is Stage.KPI:
        # Messages go out before they are counted.
        assert stopped.after.emitted == stopped.before.emitted | {f"as_of={END}"}
    else:
        assert stopped.after == stopped.before


@pytest.mark.parametrize("stage", Stage)
def test_the_next_steps_alone_are_refused_with_suite_and_reason(bad_day, stage):
    stopped, bad = bad_day.stops[stage], BAD[stage]
    table = f"{bad.table} for {END}" if stage.dated else bad.table

    for refusal in stopped.refusals.values():
        assert f"{table}: failed in run {stopped.run_id}" in refusal
        assert bad.finding in refusal
    assert stopped.refusals[PUBLISHED].startswith(f"publishing for {END} is refused")
    if stage is not Stage.KPI:
        assert stopped.refusals[AUDIENCES].startswith(f"emitting audiences for {END} is refused")
    assert stopped.after_refusals == stopped.after


def test_when_all_is_mended_the_day_is_as_if_nothing_had_been(bad_day, day_after_eve):
    mended, undisturbed = bad_day.home.work(), day_after_eve.work()
    # The broken file, and the right one once more.
    assert len(mended.pop("quality.ingestions")) == len(undisturbed.pop("quality.ingestions")) + 2
    assert mended == undisturbed


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_built_without_its_gate_has_not_passed(day_after_eve, tmp_path, stage):
    """The pass it had was given to other rows."""
    home = day_after_eve.copy(tmp_path / "home")
    desk, before = Desk(home), Outside.of(home)

    result = desk.launch(stage.value, checks=False)

    assert result.success
    refusal = desk.refusal(PUBLISHED)
    tables = [suite.table for later in stage.with_later() for suite in load_suites(later)]
    assert f"{len(tables)} of the suites it relies on have not passed" in refusal
    for table in tables:
        when = f" for {END}" if stage.dated else ""
        assert f"{table}{when}: rebuilt by run {result.run_id}" in refusal
    assert Outside.of(home) == before


@pytest.mark.parametrize(
    ("table", "steps"),
    [
        ("marts.customer_rfm", {"marts", "gate_marts"}),
        ("marts.customer_dormancy", {"marts", "gate_marts"}),
        ("activation.recall_decision", {"activation", "gate_activation"}),
        ("kpi.dormancy_overview", {"kpi", "gate_kpi"}),
    ],
)
def test_one_table_of_an_earlier_date_can_be_made_alone(day_after_eve, tmp_path, table, steps):
    """Not from what the last run has left in between, which was for another date."""
    home = day_after_eve.copy(tmp_path / "home")
    right = rows_of(home, table)
    with duckdb.connect(str(home.settings.warehouse_file)) as con:
        con.execute(f"delete from {table} where as_of_date = ?", [EVE])
    before = Outside.of(home)

    result = Desk(home).launch(AssetKey(table.split(".")), day=EVE)

    assert result.success
    assert steps_of(result) == steps
    assert rows_of(home, table) == right
    assert Outside.of(home) == before


def test_audiences_of_a_day_that_died_before_they_were_written_are_made_up_for(day_after_eve, tmp_path):
    home = day_after_eve.copy(tmp_path / "home")
    right = home.exports()
    shutil.rmtree(home.settings.audiences_dir / f"as_of={EVE}")
    (home.settings.lake_dir / "emissions" / f"as_of={EVE}" / "exported").unlink()

    assert Desk(home).launch(AUDIENCES).success

    assert home.exports() == right
