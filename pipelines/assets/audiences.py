"""Emitting the audiences: the one step after which something is out of the house."""

from collections.abc import Sequence
from datetime import date

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
from pipelines.activation.emission import EmissionStore
from pipelines.checks.gates import require_passed
from pipelines.checks.stages import Stage
from pipelines.partitions import required_dates_of
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings

BEFORE_AUDIENCES = (Stage.RAW, Stage.CORE, Stage.MARTS, Stage.ACTIVATION)
AUDIENCES = AssetKey(["audiences", "crm"])


def build_audiences(
    settings: Settings, dates: PartitionsDefinition, upstream: Sequence[AssetKey]
) -> AssetsDefinition:
    """The asset that freezes a date's decisions and writes its audiences.

    Args:
        settings: where the lake, the audiences and the policy are.
        dates: the as-of dates.
        upstream: the gated tables of raw, core, marts and activation; a failed gate stops the emission.
    """
    store = EmissionStore(settings.lake_dir, settings.audiences_dir)

    @asset(
        key=AUDIENCES,
        deps=upstream,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="audiences",
        kinds={"csv"},
        owners=["team:marketing"],
        description=(
            "Lists for the shop's CRM, by account or member id, with a manifest. Writing a date freezes its "
            "decisions: they are history. Simulated dates write nothing. Refuses when any gate before it has "
            "not passed, also when it is launched alone."
        ),
    )
    def audiences(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        metadata: dict[str, MetadataValue | int | str] = {}
        rows = 0
        emitted: list[date] = []
        with warehouse.connect() as con:
            for day in required_dates_of(context.run.tags, "emitting audiences"):
                require_passed(con, BEFORE_AUDIENCES, day, "emitting audiences")
                if day not in store.dates() and _is_simulated(con, day):
                    context.log.info(f"audiences {day}: simulated, nothing is sent")
                    continue
                store.freeze(
                    con,
                    day,
                    run_id=context.run_id,
                    policy_version=control.policy_version(settings.dbt_dir / "seeds" / "policy"),
                )
                emitted.append(day)
            # A date whose run died in between counts as sent, so its people would never be written to.
            for day in sorted({*emitted, *store.unexported()}):
                for export in store.export(day):
                    context.log.info(f"audiences {day}: {export.rows:,} rows for {export.channel}")
                    rows += export.rows
                    metadata[f"{day} {export.channel}"] = MetadataValue.path(export.file)
            metadata["reasons"] = MetadataValue.md(_reasons(con, context))
        return MaterializeResult(metadata={"dagster/row_count": rows, **metadata})

    return audiences


def _is_simulated(con, day) -> bool:
    row = con.execute(
        "select count(*) filter (where not simulated) = 0 and count(*) > 0 "
        "from activation.recall_decision where as_of_date = ?",
        [day],
    ).fetchone()
    return bool(row and row[0])


def _reasons(con, context: AssetExecutionContext) -> str:
    rows = con.execute(
        """
        select as_of_date, decision, reason_code, count(*) from activation.recall_decision
        where as_of_date in (select unnest(?)) group by all order by all
        """,
        [required_dates_of(context.run.tags, "emitting audiences")],
    ).fetchall()
    lines = ["| date | decision | reason | customers |", "|---|---|---|---|"]
    lines += [f"| {day} | {decision} | {reason} | {count:,} |" for day, decision, reason, count in rows]
    return "\n".join(lines)
