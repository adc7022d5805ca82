"""The fit of the dormancy rule, weekly, kept in the lake."""

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
from pipelines.dormancy import store
from pipelines.dormancy.tuned_x import TunedX, fit_date, fit_tuned_x
from pipelines.partitions import required_dates_of
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings

DORMANCY_FIT = AssetKey(["control", "dormancy_fit"])


def build_dormancy_fit(
    settings: Settings, dates: PartitionsDefinition, core: Sequence[AssetKey]
) -> AssetsDefinition:
    """The asset that makes the fits which the run's dates (and their eves) need and the lake lacks.

    Args:
        settings: where the lake is, and the bounds of the rule.
        dates: the as-of dates.
        core: the gated tables of core; a failed gate there stops the fit.
    """
    rule = settings.profile.dormancy

    @asset(
        key=DORMANCY_FIT,
        deps=core,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="dormancy",
        kinds={"duckdb", "parquet"},
        owners=["team:data-science"],
        description=(
            "The best X-days rule per category, tuned on the past. One fit a week, which knows events until "
            "the Sunday before; fits are history and stay in the lake as they were made."
        ),
    )
    def dormancy_fit(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        run_dates = required_dates_of(context.run.tags, "the dormancy fit")
        needed = sorted({fit_date(day - timedelta(days=eve)) for day in run_dates for eve in (0, 1)})
        fits = store.FitStore(settings.lake_dir)
        made: list[TunedX] = []
        with warehouse.connect() as con:
            for fitted_on in needed:
                if fits.has(fitted_on):
                    continue
                fitted = fit_tuned_x(
                    con,
                    fitted_on,
                    min_category_customers=rule.min_category_customers,
                    min_horizon_days=rule.min_horizon_days,
                    max_horizon_days=rule.max_horizon_days,
                    fallback_x_days=rule.activity_x_days,
                )
                fits.save(fitted)
                made += fitted
            control.write_parquet_view(con, "dormancy_fit", fits.files(), store.COLUMNS)
        context.log.info(f"dormancy: {len(needed)} fits needed, {len({fit.fitted_on for fit in made})} made")
        return MaterializeResult(
            metadata={
                "fits_in_lake": len(fits.files()),
                "fits_made": len({fit.fitted_on for fit in made}),
                "rules": MetadataValue.md(_table(made)),
            }
        )

    return dormancy_fit


def _table(fits: Sequence[TunedX]) -> str:
    lines = [
        "| fitted on | category | customers | X days | horizon days | decided by data |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {fit.fitted_on} | {fit.model_category} | {fit.customers:,} | {fit.tuned_x_days} "
        f"| {fit.horizon_days} | {'yes' if fit.converged else 'no'} |"
        for fit in fits
    ]
    return "\n".join(lines) if fits else "All needed fits were in the lake."
