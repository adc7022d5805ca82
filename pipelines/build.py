"""Assembles the code location of a profile and data home: assets, gates, jobs and what launches them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dagster import (
    AssetKey,
    AssetsDefinition,
    BetaWarning,
    Definitions,
    in_process_executor,
    mem_io_manager,
)

from pipelines import schedules, sensors
from pipelines.assets.audiences import (
    AUDIENCES,
    BEFORE_AUDIENCES,
    BEFORE_SCRUB,
    SCRUB,
    build_audiences,
    build_scrub,
)
from pipelines.assets.dbt import build_dbt_assets
from pipelines.assets.documented import documented, table_columns
from pipelines.assets.dormancy import build_dormancy_fit
from pipelines.assets.extract import build_extract, raw_key
from pipelines.assets.identity import build_forms, build_identity
from pipelines.assets.privacy import ERASURE, ERASURE_SEARCH, build_erasure, build_erasure_search
from pipelines.assets.publish import PUBLISHED, build_publish
from pipelines.assets.report import REPORT, build_report
from pipelines.assets.run_summary import build_run_summary
from pipelines.checks.gates import build_gate
from pipelines.checks.stages import Stage
from pipelines.checks.suites import load_suites
from pipelines.feeds.contract import load_contracts
from pipelines.freshness import freshness_policy, with_freshness
from pipelines.jobs import daily_recall, erase, kpi_refresh, scrub
from pipelines.partitions import as_of_dates
from pipelines.progress import stage_lines
from pipelines.resources.dbt import Dbt, ensure_manifest
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings, load_settings


def build_definitions(
    settings: Settings | None = None, *, resources: Mapping[str, Any] | None = None
) -> Definitions:
    """The definitions of one profile in one data home.

    Args:
        settings: from the environment when not given.
        resources: what takes the place of a resource of the same name, for tests.

    Raises:
        ConfigError: the profile or a setting is wrong.
        DbtParseError: the dbt project cannot be parsed.
        SuiteError: a suite of expectations is not valid.
    """
    # Backfills of a range as one run are marked beta; the tests watch what they do.
    warnings.filterwarnings("ignore", category=BetaWarning, message=".*backfill_policy.*")
    settings = load_settings() if settings is None else settings
    manifest = ensure_manifest(settings.dbt_dir)
    dates = as_of_dates(settings.profile)
    dbt_assets = build_dbt_assets(settings, manifest, dates)
    tables = _assets_by_table(dbt_assets.values(), manifest)
    gated = {stage: [tables[suite.table] for suite in load_suites(stage)] for stage in Stage}
    before_audiences = [key for stage in BEFORE_AUDIENCES for key in gated[stage]]
    warehouse = Warehouse.from_settings(settings)
    daily_job, scrub_job = daily_recall(dates, [SCRUB, ERASURE, ERASURE_SEARCH]), scrub(SCRUB)
    refresh_job = kpi_refresh(dates, [PUBLISHED, REPORT])
    erase_job = erase(dates, [ERASURE, ERASURE_SEARCH], [PUBLISHED, REPORT])
    freshness = freshness_policy(settings.profile)
    watched = {AUDIENCES, PUBLISHED, REPORT, *(raw_key(feed) for feed in settings.profile.feeds)}
    columns = table_columns(settings, manifest)
    return Definitions(
        assets=with_freshness(
            documented(
                settings,
                columns,
                build_erasure(settings),
                build_extract(settings, [ERASURE]),
                build_forms(settings, gated[Stage.RAW]),
                *dbt_assets.values(),
                build_identity(settings, [tables["identity.account_fact"], tables["identity.identifier"]]),
                build_dormancy_fit(settings, dates, gated[Stage.CORE]),
                build_audiences(settings, dates, before_audiences),
                build_scrub(settings, [key for stage in BEFORE_SCRUB for key in gated[stage]]),
                build_publish(settings, manifest, dates, [*before_audiences, *gated[Stage.KPI], AUDIENCES]),
                build_report(settings, dates, [PUBLISHED]),
                build_run_summary(dates),
                build_erasure_search(settings, [PUBLISHED, REPORT]),
            ),
            freshness,
            watched,
        ),
        asset_checks=[build_gate(stage, tables) for stage in Stage],
        jobs=[daily_job, scrub_job, refresh_job, erase_job],
        schedules=[
            schedules.daily(daily_job, settings.profile),
            schedules.hourly_scrub(scrub_job, settings),
            schedules.hourly_kpi_refresh(refresh_job, settings),
        ],
        sensors=[
            sensors.landing(daily_job, refresh_job, settings),
            sensors.failure_notices(settings),
            *([sensors.freshness_notices(settings, watched)] if freshness else []),
        ],
        resources={
            "warehouse": warehouse,
            "dbt": Dbt.from_settings(settings, warehouse),
            # Tables are the memory between steps; nothing is handed over as a Python object.
            "io_manager": mem_io_manager,
            **(resources or {}),
        },
        # One process per step costs seconds each, and DuckDB has one writer anyway.
        executor=in_process_executor,
        loggers={"console": stage_lines},
    )


def _assets_by_table(assets: Iterable[AssetsDefinition], manifest: Path) -> dict[str, AssetKey]:
    """The asset of each table that a gate may guard, by `<schema>.<table>`; what is no asset has none."""
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    by_name = {key.path[-1]: key for definition in assets for key in definition.keys}
    tables = {
        f"{node['schema']}.{node['name']}": by_name[node["name"]]
        for node in nodes
        if node["resource_type"] in ("model", "seed") and node["name"] in by_name
    }
    return tables | {f"raw.{feed}": raw_key(feed) for feed in load_contracts()}
