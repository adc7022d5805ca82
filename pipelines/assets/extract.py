"""Extraction: from the shop's sources into the lake, and the views of `raw` over it."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableSchema,
    multi_asset,
)

from pipelines import control
from pipelines.account import FILES, spending
from pipelines.assets.dbt import REBUILD_TAG
from pipelines.checks import verdicts
from pipelines.checks.stages import Stage
from pipelines.feeds.contract import FeedContract, load_contracts
from pipelines.feeds.erasing import expire_rows
from pipelines.feeds.errors import FeedError, SourceUnreachableError
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.orphans import Orphans, count_orphans, store_orphans
from pipelines.feeds.raw import refresh_raw
from pipelines.feeds.workspace import open_workspace, remove_leftovers
from pipelines.resources.instance import prepare_home
from pipelines.resources.warehouse import Warehouse
from pipelines.retries import try_again
from pipelines.settings import DEFAULT_CUSTOMERS, Settings


def raw_key(feed: str) -> AssetKey:
    """Asset of a feed's rows."""
    return AssetKey(["raw", feed])


def build_extract(settings: Settings, upstream: Sequence[AssetKey]) -> AssetsDefinition:
    """One operation that takes in what has arrived, for all feeds or for those selected.

    Args:
        settings: the shop's feeds and its home.
        upstream: what comes before in a run that has it.
    """
    contracts = load_contracts()
    profile = settings.profile

    @multi_asset(
        name="extract",
        specs=[
            _spec(contract, upstream, bound=contract.feed in profile.feeds) for contract in contracts.values()
        ],
        can_subset=True,
        backfill_policy=BackfillPolicy.single_run(),
    )
    def extract(context: AssetExecutionContext, warehouse: Warehouse) -> Iterator[MaterializeResult]:
        prepare_home(settings)
        lake = Lake(settings.lake_dir)
        lake.remove_leftovers()
        remove_leftovers(settings.scratch_dir)
        selected = [feed for feed in contracts if raw_key(feed) in context.selected_asset_keys]
        # A rebuild is of the lake alone: sources may be gone, and what they hold by now is not its business.
        is_rebuild = context.run.tags.get(REBUILD_TAG) == "true"
        if not is_rebuild:
            shutil.rmtree(settings.rebuild_dir, ignore_errors=True)
        with warehouse.connect() as con:
            verdicts.ensure_tables(con)
            verdicts.revoke(con, context.run_id, Stage.RAW, [], datetime.now(UTC))
        arriving = [] if is_rebuild else [feed for feed in selected if feed in profile.feeds]
        if arriving and profile.generated:
            with spending(FILES):
                _make_demo_shop(context, settings)
        if arriving:
            _extract(context, settings, [contracts[feed] for feed in arriving], lake)
        with warehouse.connect() as con:
            refresh_raw(con, lake, contracts)
            orphans = count_orphans(con, contracts)
            store_orphans(con, orphans)
            for each in orphans:
                if each.rows:
                    context.log.warning(str(each))
            control.write_profile(con, profile, control.policy_version(settings.dbt_dir / "seeds" / "policy"))
            control.write_private_key(con, settings.tombstones.key)
            for feed in selected:
                yield _result(con, contracts[feed], lake.current(feed), orphans)

    return extract


def _make_demo_shop(context: AssetExecutionContext, settings: Settings) -> None:
    """Write the demo shop's files, unless they are there."""
    # Only here is it needed.
    from pipelines.demo import DemoShopError, has_demo_shop, read_marker, write_demo_shop  # noqa: PLC0415

    try:
        present = read_marker(settings.landing_dir)
        customers = settings.customers or (present.customers if present else DEFAULT_CUSTOMERS)
        if present and present.customers != customers:
            # Files that vanish keep what they brought: two sizes in one home would mix.
            raise Failure(
                f"WINBACK_CUSTOMERS={customers}, and {settings.landing_dir} holds the demo shop of "
                f"{present.customers} customers. Set WINBACK_DATA_DIR to another folder for another size."
            )
        if has_demo_shop(settings.landing_dir, customers=customers) or settings.tombstones.files():
            # Who was erased was taken out of its files too, and must not come back with new ones.
            return
        context.log.info(f"making the demo shop of {customers:,} customers ...")
        shop = write_demo_shop(
            settings.landing_dir,
            settings.demo_truth_dir,
            customers=customers,
            threads=settings.threads,
            memory_limit=settings.memory_limit,
        )
    except DemoShopError as error:
        raise Failure(str(error)) from error
    # As a shop's own: its people are nobody's business but the pipeline's.
    settings.landing_dir.chmod(0o770)
    settings.demo_truth_dir.chmod(0o700)
    rows = sum(feed.rows_read for feed in shop.feeds.values())
    context.log.info(f"demo shop: {rows:,} rows in {len(shop.marker.files)} files below {shop.landing}")


def _extract(
    context: AssetExecutionContext, settings: Settings, contracts: list[FeedContract], lake: Lake
) -> None:
    with (
        spending(FILES),
        open_workspace(
            settings.scratch_dir, memory_limit=settings.extract_memory_limit, threads=settings.threads
        ) as con,
    ):
        for contract in contracts:
            _extract_one(context, con, settings, contract, lake)


def _extract_one(
    context: AssetExecutionContext, con, settings: Settings, contract: FeedContract, lake: Lake
) -> None:
    profile = settings.profile
    try:
        extraction = extract_feed(
            con,
            contract,
            profile.feeds[contract.feed],
            lake,
            profile_file=profile.file,
            base_dir=settings.home,
            time_zone=profile.time_zone,
            latest_event=profile.latest_event,
            scratch_dir=settings.scratch_dir,
            settle_seconds=settings.settle_seconds,
            tombstones=settings.tombstones,
            oldest_event=profile.feeds[contract.feed].oldest_kept(profile.latest_event),
        )
    except FeedError as error:
        if isinstance(error, SourceUnreachableError):
            try_again(context, error)
        raise Failure(str(error)) from error
    for ingestion in extraction.ingestions:
        context.log.info(_line(ingestion))
    if (oldest := profile.feeds[contract.feed].oldest_kept(profile.latest_event)) and contract.event_time:
        expired = expire_rows(con, lake, contract, before=oldest, time_zone=profile.time_zone)
        if expired:
            context.log.info(f"{contract.feed}: {expired:,} rows from before {oldest} are let go")
    for message in (*(f"{contract.feed} {waiting}" for waiting in extraction.waiting), *extraction.notes):
        context.log.warning(message)
    if not extraction.ingestions:
        context.log.info(f"{contract.feed}: nothing new")


def _line(ingestion: Ingestion) -> str:
    return (
        f"{ingestion.feed}: {ingestion.rows_read:,} read = {ingestion.rows_loaded:,} loaded "
        f"+ {ingestion.rows_quarantined:,} quarantined + {ingestion.rows_duplicate:,} duplicate "
        f"({ingestion.source})"
    )


def _spec(contract: FeedContract, upstream: Sequence[AssetKey], *, bound: bool) -> AssetSpec:
    return AssetSpec(
        raw_key(contract.feed),
        deps=upstream,
        description=contract.description
        + ("" if bound else "\n\nThis profile does not bind the feed: empty."),
        group_name="raw",
        kinds={"duckdb", "parquet"},
        owners=["team:data-engineering"],
        metadata={
            "dagster/table_name": f"raw.{contract.feed}",
            "dagster/column_schema": TableSchema(
                columns=[
                    TableColumn(column.name, column.sql_type, description=column.description)
                    for column in contract.columns
                ]
            ),
        },
    )


def _result(
    con, contract: FeedContract, current: list[Ingestion], orphans: list[Orphans]
) -> MaterializeResult:
    counted = con.execute(f'select count(*) from raw."{contract.feed}"').fetchone()
    reasons: dict[str, int] = {}
    for ingestion in current:
        for reason, rows in ingestion.quarantined_by_reason.items():
            reasons[reason] = reasons.get(reason, 0) + rows
    return MaterializeResult(
        asset_key=raw_key(contract.feed),
        metadata={
            "dagster/row_count": counted[0],
            "rows_read": sum(ingestion.rows_read for ingestion in current),
            "rows_loaded": sum(ingestion.rows_loaded for ingestion in current),
            "rows_quarantined": sum(ingestion.rows_quarantined for ingestion in current),
            "rows_duplicate": sum(ingestion.rows_duplicate for ingestion in current),
            "quarantined_by_reason": MetadataValue.json(reasons),
            "orphans": MetadataValue.json(
                {each.column: each.rows for each in orphans if each.feed == contract.feed}
            ),
            "sources": MetadataValue.json([ingestion.source for ingestion in current]),
        },
    )
