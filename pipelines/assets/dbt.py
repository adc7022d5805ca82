"""The dbt models as assets: one operation per stage, each run in this process.

Before a stage is built its old verdicts are revoked and the schema `control` is told what the run is for.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dagster import (
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    PartitionsDefinition,
)
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from pipelines import control
from pipelines.activation.emission import (
    ASSIGNMENT_COLUMNS,
    DECISION_COLUMNS,
    TOUCH_COLUMNS,
    EmissionStore,
)
from pipelines.activation.policy import check_policy_seeds
from pipelines.activation.suppressions import SUPPRESSION_COLUMNS, SuppressionStore
from pipelines.activation.units import write_contact_units
from pipelines.checks import dbt_tests, verdicts
from pipelines.checks.stages import Stage
from pipelines.dormancy.reason_rules import check_reason_seeds
from pipelines.dormancy.store import KINDS, FitStore
from pipelines.history import MOVEMENT_COLUMNS, History, is_kept, table_exists
from pipelines.jobs import KPI_REFRESH_TAG
from pipelines.partitions import required_dates_of
from pipelines.privacy.erasure import ERASED_UNIT_COLUMNS, kept_outcomes
from pipelines.resources.dbt import INTERMEDIATE, Dbt, asset_manifest
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Profile, Settings

REBUILD_TAG = "winback/rebuild"
"""Run tag of a rebuild: nothing is sent, whatever the date."""

SIMULATED_TAG = "winback/simulated"
"""Run tag of a backfill: nothing is sent either, and what has arrived is taken in."""

INTERMEDIATES = {folder: f"fqn:winback.{folder}.{INTERMEDIATE}*" for folder in ("marts", "activation", "kpi")}
"""dbt selectors of the intermediates of dates: each run makes them for its own, and they are no assets."""


class Translator(DagsterDbtTranslator):
    """dbt nodes as assets: the stage is the group, and every table has an owner."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder of the model; seeds of every folder are the policy."""
        if dbt_resource_props["resource_type"] == "seed":
            return "policy"
        return str(dbt_resource_props["fqn"][1])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """Marketers own the policy, data engineers the rest."""
        if dbt_resource_props["resource_type"] == "seed":
            return ["team:marketing"]
        return ["team:data-engineering"]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What the project says of it; the code is a click away, and would be loaded each time."""
        return " ".join(dbt_resource_props["description"].split())

    def get_asset_check_spec(
        self, asset_spec: AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetCheckSpec | None:
        """The check of a dbt test, with what it guards."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or spec.description:
            return spec
        return spec._replace(description=dbt_tests.guards(manifest["nodes"][unique_id]))


def build_dbt_assets(
    settings: Settings, manifest: Path, dates: PartitionsDefinition
) -> dict[str, AssetsDefinition]:
    """The operations, by stage: staging (with the seeds), core, marts, activation, kpi.

    Args:
        settings: where lake and dbt project are.
        manifest: the parsed dbt project.
        dates: the as-of dates; staging and core are unpartitioned and hold what is known now.
    """
    translator = Translator(DagsterDbtTranslatorSettings(enable_asset_checks=True))
    common = {
        "manifest": asset_manifest(manifest, INTERMEDIATES),
        "dagster_dbt_translator": translator,
    }
    single_run = BackfillPolicy.single_run()
    history = History(settings.lake_dir)
    fits = FitStore(settings.lake_dir)
    emissions = EmissionStore(settings.lake_dir, settings.audiences_dir)
    suppressions = SuppressionStore(settings.lake_dir)

    @dbt_assets(
        name="staging",
        select="fqn:winback.staging fqn:winback.identity fqn:winback.policy fqn:winback.rfm",
        backfill_policy=single_run,
        **common,
    )
    def staging(context: AssetExecutionContext, dbt: Dbt) -> Iterator[Any]:
        check_reason_seeds(settings.dbt_dir / "seeds" / "policy")
        check_policy_seeds(settings.dbt_dir / "seeds" / "policy")
        yield from dbt.build(context)

    @dbt_assets(name="core", select="fqn:winback.core", backfill_policy=single_run, **common)
    def core(context: AssetExecutionContext, dbt: Dbt, warehouse: Warehouse) -> Iterator[Any]:
        with warehouse.connect() as con:
            _revoke(con, context, Stage.CORE, [])
            control.write_parquet_view(con, "recall_touch", emissions.touch_files(), TOUCH_COLUMNS)
            control.write_parquet_view(con, "suppression", suppressions.files(), SUPPRESSION_COLUMNS)
        yield from dbt.build(context)

    @dbt_assets(
        name="marts", select="fqn:winback.marts", partitions_def=dates, backfill_policy=single_run, **common
    )
    def marts(context: AssetExecutionContext, dbt: Dbt, warehouse: Warehouse) -> Iterator[Any]:
        days = required_dates_of(context.run.tags, "building the marts")
        with warehouse.connect() as con:
            _revoke(con, context, Stage.MARTS, days)
            control.write_as_of_window(con, days)
            control.write_parquet_view(
                con, "lost_movement", history.files(history.lost(con, days)), MOVEMENT_COLUMNS
            )
            for kind in KINDS:
                control.write_parquet_view(con, kind.view, fits.files(kind), kind.columns)
        yield from dbt.build(context, intermediates=INTERMEDIATES["marts"])

    @dbt_assets(
        name="activation",
        select="fqn:winback.activation",
        partitions_def=dates,
        backfill_policy=single_run,
        **common,
    )
    def activation(context: AssetExecutionContext, dbt: Dbt, warehouse: Warehouse) -> Iterator[Any]:
        days = required_dates_of(context.run.tags, "deciding on recalls")
        emitted = emissions.dates()
        profile = settings.profile
        today = datetime.now(ZoneInfo(profile.time_zone)).date()
        plan = plan_decisions(
            days,
            emitted,
            context.run_id,
            simulated="true" in (context.run.tags.get(REBUILD_TAG), context.run.tags.get(SIMULATED_TAG)),
            replayed_at=time(profile.calendar.run_hour) if profile.is_replayed(today) else None,
        )
        with warehouse.connect() as con:
            _revoke(con, context, Stage.ACTIVATION, days)
            control.write_decision_dates(con, plan)
            write_contact_units(con)
            _write_emitted(con, emissions)
            control.write_parquet_view(
                con,
                "frozen_decision",
                emissions.decision_files(_lost_decisions(con, emitted, settings.profile.history_days)),
                DECISION_COLUMNS,
            )
        yield from dbt.build(context, intermediates=INTERMEDIATES["activation"])

    @dbt_assets(
        name="kpi", select="fqn:winback.kpi", partitions_def=dates, backfill_policy=single_run, **common
    )
    def kpi(context: AssetExecutionContext, dbt: Dbt, warehouse: Warehouse) -> Iterator[Any]:
        days = required_dates_of(context.run.tags, "building the KPI tables")
        with warehouse.connect() as con:
            _revoke(con, context, Stage.KPI, days)
            control.write_as_of_window(con, days)
            newest = newest_date(con, days)
            control.write_measured_until(con, newest, _known_until(context, settings.profile, newest))
            _write_emitted(con, emissions)
            control.write_parquet_view(
                con, "erased_unit", kept_outcomes(settings.lake_dir), ERASED_UNIT_COLUMNS
            )
        yield from dbt.build(context, intermediates=INTERMEDIATES["kpi"])

    return {"staging": staging, "core": core, "marts": marts, "activation": activation, "kpi": kpi}


def _write_emitted(con: Any, emissions: EmissionStore) -> None:
    control.write_parquet_view(con, "recall_touch", emissions.touch_files(), TOUCH_COLUMNS)
    control.write_parquet_view(con, "arm_assignment", emissions.assignment_files(), ASSIGNMENT_COLUMNS)


def plan_decisions(
    days: Sequence[date],
    emitted: Sequence[date],
    run_id: str,
    *,
    simulated: bool,
    replayed_at: time | None = None,
) -> list[control.DecisionDate]:
    """Which of a run's dates are frozen, which are simulated and which one is for real.

    Only the newest date of a run can be for real, and only when it is newer than everything sent before:
    nobody sends yesterday's messages today. All others are decided as a simulation.

    Args:
        days: the run's dates.
        emitted: the dates that were sent.
        run_id: the run.
        simulated: nothing is for real.
        replayed_at: hour of the daily run, for a shop whose past is played again; the one date that is for
            real then sees what such a run would have seen on the next day. None: it sees all there is.

    >>> from datetime import date
    >>> eve, day = date(2017, 12, 30), date(2017, 12, 31)
    >>> plan = plan_decisions([eve, day], [eve], "r1", simulated=False)
    >>> [(date.is_frozen, date.simulated) for date in plan]
    [(True, True), (False, False)]
    """
    newest_sent = max(emitted, default=date.min)
    plan = []
    for day in sorted(days):
        for_real = not simulated and day == max(days) and day > newest_sent
        plan.append(
            control.DecisionDate(
                as_of_date=day,
                is_frozen=day in emitted,
                simulated=not for_real,
                run_id=run_id if for_real else None,
                known_until=(
                    control.UNLIMITED
                    if for_real and replayed_at is None
                    else datetime.combine(
                        day + timedelta(days=1), replayed_at if for_real and replayed_at else time()
                    )
                ),
            )
        )
    return plan


def _known_until(context: AssetExecutionContext, profile: Profile, newest: date) -> datetime:
    """Local time up to which outcomes count: the end of the newest date, or in a refresh the run's start."""
    end = datetime.combine(newest + timedelta(days=1), time())
    if context.run.tags.get(KPI_REFRESH_TAG) != "true":
        return end
    record = context.instance.get_run_record_by_id(context.run_id)
    if record is None:
        raise ValueError(f"run {context.run_id} is not in Dagster's own records")
    started = record.create_timestamp.astimezone(ZoneInfo(profile.time_zone))
    # A shop whose past is played again must not see what came later.
    return end if profile.is_replayed(started.date()) else max(end, started.replace(tzinfo=None))


def newest_date(con: Any, days: Sequence[date]) -> date:
    """The newest as-of date that was computed: what is measured does not depend on which one was run last.

    Args:
        con: open on the warehouse.
        days: the run's dates.
    """
    if not table_exists(con, "marts", "customer_dormancy"):
        return max(days)
    row = con.execute("select max(as_of_date) from marts.customer_dormancy").fetchone()
    return max([*days, *(each for each in row or () if each is not None)])


def _lost_decisions(con: Any, emitted: Sequence[date], history_days: int) -> list[date]:
    """Emitted dates that should be kept and whose decisions the warehouse does not have."""
    present: set[date] = set()
    if table_exists(con, "activation", "recall_decision"):
        present = {
            row[0]
            for row in con.execute(
                "select distinct as_of_date from activation.recall_decision where not simulated"
            ).fetchall()
        }
    newest = max(emitted, default=date.min)
    return [day for day in emitted if day not in present and is_kept(day, newest, history_days)]


def _revoke(con: Any, context: AssetExecutionContext, stage: Stage, days: Sequence[date]) -> None:
    verdicts.ensure_tables(con)
    verdicts.revoke(con, context.run_id, stage, days, datetime.now(UTC))
