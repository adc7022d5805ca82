"""The tables of one date on Spark: the stages of the daily run that compute, from the lake it has written.

Spark reads the lake and writes nothing to it. What is history there (ids, fits, what was sent on earlier
dates) is taken as it is; the date itself is decided anew, as its own run decided it. Gates, exports and
publication stay with the daily run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from pipelines import control
from pipelines.activation.emission import (
    ASSIGNMENT_COLUMNS,
    DECISION_COLUMNS,
    TOUCH_COLUMNS,
    EmissionStore,
)
from pipelines.activation.suppressions import SUPPRESSION_COLUMNS, SuppressionStore
from pipelines.activation.units import MOST_AT_ONE_ADDRESS
from pipelines.dormancy.store import KINDS, FitStore
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.lake import Lake
from pipelines.feeds.raw import refresh_raw
from pipelines.history import MOVEMENT_COLUMNS, History, is_kept
from pipelines.identity.forms import FormRules
from pipelines.identity.instructions import current_instructions
from pipelines.identity.ledger import Ledger
from pipelines.identity.rules import IdentityRules
from pipelines.privacy.erasure import ERASED_UNIT_COLUMNS, kept_outcomes
from pipelines.spark import adapter, lake
from pipelines.spark.identity import write_contact_units, write_forms, write_identity
from pipelines.spark.session import start_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.settings import Settings

TARGET = "spark"

_INPUTS = "fqn:winback.staging fqn:winback.identity fqn:winback.policy fqn:winback.rfm"


class SparkRunError(RuntimeError):
    """The tables could not be computed; the message names the models and says why."""


@dataclass(frozen=True)
class _Home:
    """The data home as Spark sees it, on one date."""

    settings: Settings
    day: date
    emissions: EmissionStore

    @property
    def folder(self) -> Path:
        return self.settings.spark_dir

    def sent(self, *, until: date) -> list[date]:
        """Dates that were sent up to and including this one."""
        return [each for each in self.emissions.dates() if each <= until]

    def files(self, name: str, dates: Sequence[date]) -> list[Path]:
        """The files of this name of the dates that were sent, of those that have one."""
        files = [self.emissions.folder / f"as_of={each.isoformat()}" / f"{name}.parquet" for each in dates]
        return [file for file in files if file.exists()]

    @property
    def eve(self) -> date:
        return self.day - timedelta(days=1)


def compute(settings: Settings, day: date, log: Callable[[str], object] = print) -> Path:
    """Computes all tables of a date into `<home>/spark/`, as Parquet.

    Args:
        settings: of the data home.
        day: a date that the daily run has computed.
        log: gets a line when a stage is done.

    Returns:
        The folder; a table is in `<schema>.db/<name>/`.

    Raises:
        SparkRunError: a model fails.
    """
    if settings.profile.identity.fuzzy.enabled:
        raise SparkRunError(
            f"{settings.profile.file}: identity.fuzzy is on, and Spark makes no fuzzy links: "
            "other accounts would be one customer"
        )
    home = _Home(settings, day, EmissionStore(settings.lake_dir, settings.audiences_dir))
    home.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    spark = start_session(settings, home.folder)
    try:
        adapter.register(spark)
        dbt = _Dbt(settings.dbt_dir, settings.scratch_dir / "spark" / "dbt")
        _keep_partitioned(spark, home.folder, dbt.dated_tables())
        _write_inputs(spark, home)
        log("spark: the lake is registered")
        for name, prepare, select in (
            ("staging", _write_forms, _INPUTS),
            ("core", _prepare_core, "fqn:winback.core"),
            ("marts", _prepare_marts, "fqn:winback.marts"),
            ("activation", _prepare_activation, "fqn:winback.activation"),
            ("kpi", _prepare_kpi, "fqn:winback.kpi"),
        ):
            prepare(spark, home)
            dbt.build(select)
            log(f"spark: {name} is done")
    finally:
        spark.stop()
    return home.folder


class _Dbt:
    """dbt on the target `spark`, with the project parsed once."""

    def __init__(self, dbt_dir: Path, folder: Path) -> None:
        from pipelines.resources.dbt import invoke_target  # noqa: PLC0415 - dbt is slow to import

        self._dbt_dir = dbt_dir
        self._folder = folder
        self._invoke = invoke_target
        folder.mkdir(parents=True, exist_ok=True)
        parsed = invoke_target(TARGET, ["parse"], dbt_dir, folder)
        if not parsed.success:
            raise SparkRunError(f"dbt cannot parse {dbt_dir} for Spark: {parsed.exception}")
        self._manifest: Any = parsed.result

    def dated_tables(self) -> set[str]:
        """Tables that keep dates of earlier runs, as `<schema>.<name>`."""
        return {
            f"{node.schema}.{node.name}"
            for node in self._manifest.nodes.values()
            if node.resource_type == "model" and node.config.materialized == "incremental"
        }

    def build(self, select: str) -> None:
        """Builds models and seeds, without tests."""
        command = ["build", "--select", *select.split(), "--exclude-resource-type", "test", "unit_test"]
        done = self._invoke(TARGET, command, self._dbt_dir, self._folder, self._manifest)
        if done.success:
            return
        results = getattr(done.result, "results", None) or ()
        failed = [each for each in results if str(each.status) in {"error", "fail"}]
        lines = [f"{each.node.name}: {str(each.message).strip()}" for each in failed]
        raise SparkRunError("\n".join(lines) or f"dbt on Spark: {done.exception}")


def _keep_partitioned(spark: SparkSession, folder: Path, dated: set[str]) -> None:
    """Takes the tables of earlier dates into the catalog; all others are made anew by each run."""
    for place in sorted(folder.glob("*.db/*")):
        schema = place.parent.name.removesuffix(".db")
        name = f"{schema}.{place.name}"
        spark.sql(f"create schema if not exists {schema}")
        if name in dated and any(place.glob("*=*")):
            spark.sql(f"create table {name} using parquet location '{place}'")
            spark.sql(f"msck repair table {name}")
        else:
            shutil.rmtree(place)


def _write_inputs(spark: SparkSession, home: _Home) -> None:
    """`raw`, `quality.ingestions` and what the models know of the profile."""
    settings = home.settings
    contracts, ingestions = load_contracts(), Lake(settings.lake_dir)
    lake.register_raw(spark, ingestions, contracts)
    with duckdb.connect() as con:
        refresh_raw(con, ingestions, contracts)
        version = control.policy_version(settings.dbt_dir / "seeds" / "policy")
        control.write_profile(con, settings.profile, version)
        control.write_private_key(con, settings.tombstones.key)
        control.write_as_of_window(con, [home.day])
        control.write_measured_until(con, home.day, datetime.combine(home.day + timedelta(days=1), time()))
        control.write_decision_dates(con, _plan(home))
        lake.copy_tables(spark, con, "control", home.folder)
        lake.copy_tables(spark, con, "quality", home.folder)


def _plan(home: _Home) -> list[control.DecisionDate]:
    """How the date is decided: as its own run did, if it was sent; else as a simulation."""
    from pipelines.assets.dbt import plan_decisions  # noqa: PLC0415 - Dagster is slow to import

    profile = home.settings.profile
    run_id = _run_that_sent(home)
    today = datetime.now(UTC).astimezone(ZoneInfo(profile.time_zone)).date()
    return plan_decisions(
        [home.day],
        home.sent(until=home.eve),
        run_id or "",
        simulated=run_id is None,
        replayed_at=time(profile.calendar.run_hour) if profile.is_replayed(today) else None,
    )


def _run_that_sent(home: _Home) -> str | None:
    for file in home.files("decisions", [home.day]):
        with duckdb.connect() as con:
            row = con.execute("select max(run_id) from read_parquet(?)", [str(file)]).fetchone()
        return None if row is None else row[0]
    return None


def _write_forms(spark: SparkSession, home: _Home) -> None:
    identity = home.settings.profile.identity
    rules = FormRules(
        home.settings.profile.region,
        tuple(identity.placeholder_phones),
        tuple(identity.placeholder_emails),
    )
    write_forms(spark, rules)


def _prepare_core(spark: SparkSession, home: _Home) -> None:
    settings = home.settings
    kept = settings.lake_dir / "identity"
    write_identity(
        spark,
        Ledger(kept / "ledger"),
        instructions=current_instructions(settings.instructions_file, kept / "instructions"),
        rules=IdentityRules(max_accounts=settings.profile.identity.caps),
        time_zone=settings.profile.time_zone,
    )
    _view_touches(spark, home, until=home.eve)
    suppressed = SuppressionStore(settings.lake_dir).files()
    lake.view_files(spark, "control", "suppression", suppressed, SUPPRESSION_COLUMNS)


def _prepare_marts(spark: SparkSession, home: _Home) -> None:
    history, fits = History(home.settings.lake_dir), FitStore(home.settings.lake_dir)
    present = _dates_in(spark, "marts.segment_movement", "moved_on")
    lost = [each for each in history.dates() if each < home.day and each not in present]
    lake.view_files(spark, "control", "lost_movement", history.files(lost), MOVEMENT_COLUMNS)
    for kind in KINDS:
        lake.view_files(spark, "control", kind.view, fits.files(kind), kind.columns)


def _prepare_activation(spark: SparkSession, home: _Home) -> None:
    write_contact_units(spark, MOST_AT_ONE_ADDRESS)
    sent = home.sent(until=home.eve)
    _view_arms(spark, home, sent)
    present = _dates_in(spark, "activation.recall_decision", "as_of_date")
    days = home.settings.profile.history_days
    lost = [each for each in sent if each not in present and is_kept(each, max(sent), days)]
    lake.view_files(spark, "control", "frozen_decision", home.files("decisions", lost), DECISION_COLUMNS)


def _prepare_kpi(spark: SparkSession, home: _Home) -> None:
    _view_touches(spark, home, until=home.day)
    _view_arms(spark, home, home.sent(until=home.day))
    erased = kept_outcomes(home.settings.lake_dir)
    lake.view_files(spark, "control", "erased_unit", erased, ERASED_UNIT_COLUMNS)


def _view_touches(spark: SparkSession, home: _Home, *, until: date) -> None:
    files = home.files("touches", home.sent(until=until))
    lake.view_files(spark, "control", "recall_touch", files, TOUCH_COLUMNS)


def _view_arms(spark: SparkSession, home: _Home, dates: Sequence[date]) -> None:
    files = home.files("assignments", dates)
    lake.view_files(spark, "control", "arm_assignment", files, ASSIGNMENT_COLUMNS)


def _dates_in(spark: SparkSession, table: str, column: str) -> set[date]:
    if not spark.catalog.tableExists(table):
        return set()
    return {row[0] for row in spark.sql(f"select distinct {column} from {table}").collect()}
