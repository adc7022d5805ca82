"""The weekly fit of the dormancy model, kept in the lake."""

from collections.abc import Sequence
from datetime import timedelta

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    asset,
)

from pipelines import control
from pipelines.account import COMPUTING, spending
from pipelines.dormancy.fits import FitRules, WeeklyFit, fit_dormancy
from pipelines.dormancy.histories import Bounds
from pipelines.dormancy.store import KINDS, FitStore
from pipelines.dormancy.tuned_x import fit_date
from pipelines.partitions import required_dates_of
from pipelines.resources.table_metadata import column_metadata
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import DormancySettings, Settings

DORMANCY_FIT = AssetKey(["control", "dormancy_fit"])


def build_dormancy_fit(
    settings: Settings, dates: PartitionsDefinition, core: Sequence[AssetKey]
) -> AssetsDefinition:
    """The asset that makes the fits which the run's dates (and their eves) need and the lake lacks.

    Args:
        settings: where the lake is, and the bounds of the fit.
        dates: the as-of dates.
        core: the gated tables of core; a failed gate there stops the fit.
    """
    rules = _rules(settings.profile.dormancy)

    @asset(
        key=DORMANCY_FIT,
        deps=core,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="dormancy",
        kinds={"duckdb", "parquet", "scipy"},
        owners=["team:data-science"],
        description=(
            "Per category the model of purchases (MBG/CNBD-k), or the best X-days rule where that did better "
            "on past dates. One fit a week, by the first run of the week: it knows events until the Sunday "
            "before. Fits are history and stay in the lake as they were made."
        ),
    )
    def dormancy_fit(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        run_dates = required_dates_of(context.run.tags, "the dormancy fit")
        needed = sorted({fit_date(day - timedelta(days=eve)) for day in run_dates for eve in (0, 1)})
        store = FitStore(settings.lake_dir)
        made: list[WeeklyFit] = []
        with warehouse.connect() as con:
            for fitted_on in needed:
                if store.has(fitted_on):
                    continue
                with spending(COMPUTING):
                    made.append(fit_dormancy(con, fitted_on, rules))
                store.save(made[-1])
            for kind in KINDS:
                control.write_parquet_view(con, kind.view, store.files(kind), kind.columns)
            defined = context.assets_def.metadata_by_key[DORMANCY_FIT]
            columns = column_metadata(con, *DORMANCY_FIT.path, defined)
            rows = con.execute(f"select count(*) from {'.'.join(DORMANCY_FIT.path)}").fetchone()
        for weekly in made:
            for fit in weekly.fits:
                if fit.refused:
                    context.log.warning(
                        f"dormancy fit {weekly.fitted_on}, {fit.model_category}: the model chosen on the "
                        "earlier past date did worse than the rule on the later one; the rule is in use"
                    )
        context.log.info(f"dormancy: {len(needed)} fits needed, {len(made)} made")
        return MaterializeResult(
            metadata={
                **columns,
                "dagster/row_count": rows[0] if rows else 0,
                "fits_in_lake": len(store.files(KINDS[0])),
                "fits_made": len(made),
                "fits": MetadataValue.md(_table(made)),
            }
        )

    return dormancy_fit


def _rules(dormancy: DormancySettings) -> FitRules:
    return FitRules(
        min_category_customers=dormancy.min_category_customers,
        bounds=Bounds(
            min_horizon_days=dormancy.min_horizon_days,
            max_horizon_days=dormancy.max_horizon_days,
            default_gap_days=dormancy.activity_x_days,
        ),
        theta=dormancy.theta,
    )


def _table(made: Sequence[WeeklyFit]) -> str:
    lines = [
        "| fitted on | category | customers | in use | best X days | AUC in use | AUC of the rule | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for weekly in made:
        for fit in weekly.fits:
            in_use, of_rule = weekly.mean_auc(fit.model_category)
            note = "model refused" if fit.refused else "" if fit.is_decided else "not decided by data"
            lines.append(
                f"| {weekly.fitted_on} | {fit.model_category} | {fit.customers:,} | {fit.method_name} "
                f"| {fit.rule.tuned_x_days} | {_share(in_use)} | {_share(of_rule)} | {note} |"
            )
    return "\n".join(lines) if made else "All needed fits were in the lake."


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
