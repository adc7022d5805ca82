"""Erasing people: whoever asked is taken out of everything, and a search proves it."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from pipelines.activation.emission import EmissionStore
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.erasing import Cleaned, erase_from_files
from pipelines.feeds.errors import FeedError
from pipelines.feeds.lake import Lake
from pipelines.feeds.mapping import Job
from pipelines.feeds.tombstones import Tombstones
from pipelines.feeds.workspace import open_workspace
from pipelines.privacy import erasure
from pipelines.privacy.erasure import Pending, RequestError, Requests
from pipelines.privacy.search import find_texts
from pipelines.privacy.subject import UnknownPerson
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings

ERASURE = AssetKey(["privacy", "erasure"])
ERASURE_SEARCH = AssetKey(["privacy", "erasure_search"])


def build_erasure(settings: Settings) -> AssetsDefinition:
    """The asset that takes people out of the lake, the files and the warehouse.

    Args:
        settings: of the home.
    """
    requests = Requests(settings.home)
    emissions = EmissionStore(settings.lake_dir, settings.audiences_dir)

    @asset(
        key=ERASURE,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="privacy",
        kinds={"duckdb", "parquet"},
        owners=["team:data-engineering"],
        description=(
            "Takes the people who asked for it (winback erase) out of the lake, the landed files, the "
            "audiences and the warehouse, and sets tombstones, keyed hashes by which no file brings them "
            "back. Outcomes of past experiments stay as counts. Only the job `erase` does this; it also makes"
            " anew what comes after."
        ),
    )
    def erase(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        tombstones = settings.tombstones
        resumed = bool(requests.pending())
        with warehouse.connect() as con:
            _begin(con, settings, requests, tombstones, emissions)
            pending = requests.pending()
            if not pending:
                context.log.info("erasure: nobody has asked for it")
                return MaterializeResult(metadata={"people": 0, "dagster/row_count": 0})
            kept = sum(erasure.keep_outcomes(con, settings.lake_dir, each) for each in pending)
            erased = erasure.erase_from_lake(con, settings.lake_dir, load_contracts(), tombstones)
            instructions = [settings.instructions_file, *(settings.lake_dir / "identity").glob("*/*.csv")]
            erasure.erase_from_instructions(con, tombstones, instructions)
            ids = sorted({customer for each in pending for customer in each.subject.customer_ids})
            deleted = erasure.erase_from_warehouse(con, ids)
        names = {
            name for file in erased.files for name in (file.parent.name.removeprefix("as_of="), file.stem)
        }
        written = emissions.write_anew(None if resumed else names)
        cleaned = _erase_from_files(settings, tombstones)
        for each in cleaned:
            if each.left is not None:
                context.log.warning(
                    f"{each.path} still holds {each.rows:,} rows of erased people: {each.left}"
                )
        context.log.info(
            f"erasure: {len(pending)} people, {sum(erased.rows.values()):,} rows of the lake, {deleted:,} of "
            f"the warehouse, {len(cleaned):,} files, {len(written):,} folders of audiences; {kept:,} outcomes"
            " kept"
        )
        return MaterializeResult(
            metadata={
                "people": len(pending),
                "dagster/row_count": sum(erased.rows.values()),
                "rows": MetadataValue.json(erased.rows),
                "rows_of_warehouse": deleted,
                "outcomes_kept": kept,
                "files": MetadataValue.json({each.label: each.rows for each in cleaned}),
                "files_of_others": MetadataValue.json(
                    {str(each.path): each.left for each in cleaned if each.left is not None}
                ),
            }
        )

    return erase


def build_erasure_search(settings: Settings, upstream: list[AssetKey]) -> AssetsDefinition:
    """The asset that proves an erasure.

    Args:
        settings: of the home.
        upstream: what is published last.
    """
    requests = Requests(settings.home)

    @asset(
        key=ERASURE_SEARCH,
        deps=[ERASURE, *upstream],
        backfill_policy=BackfillPolicy.single_run(),
        group_name="privacy",
        kinds={"python"},
        owners=["team:data-engineering"],
        description=(
            "Searches every byte below the data home (unpacking Parquet, gzip, workbooks and databases) for "
            "the keys and addresses of the people just erased, and fails with the files that hold one. Then "
            "whom the requests meant is forgotten too."
        ),
    )
    def erasure_search(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        pending = requests.pending()
        if not pending:
            return MaterializeResult(metadata={"people": 0})
        size = erasure.compact(warehouse.connect, settings.warehouse_file)
        # What can be made anew is made without them.
        for derived in (settings.rebuild_dir, settings.spark_dir):
            shutil.rmtree(derived, ignore_errors=True)
        _forget_runs(context, settings, pending)
        _require_nothing_left(settings, requests, pending)
        requests.finish(pending)
        told = {
            "run_id": context.run_id,
            "people": len(pending),
            "erased_at": max(each.erased_at for each in pending).isoformat(),
            "proved_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        erasure.record(settings.lake_dir / "erasures", told)
        shared = sum(len(each.subject.shared) for each in pending)
        context.log.info(
            f"erasure: nothing of {len(pending)} people is left below {settings.home}"
            + (f"; {shared} addresses or devices stay, which others have too" if shared else "")
        )
        return MaterializeResult(
            metadata={"people": len(pending), "shared_identifiers": shared, "warehouse_bytes": size}
        )

    return erasure_search


def _begin(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    requests: Requests,
    tombstones: Tombstones,
    emissions: EmissionStore,
) -> None:
    try:
        asked = requests.asked()
        if asked and not settings.warehouse_file.exists():
            raise Failure("there is no warehouse to look people up in; run winback rebuild first")
        for request in asked:
            try:
                erasure.begin(
                    con,
                    request,
                    requests,
                    tombstones,
                    touch_files=emissions.touch_files(),
                    erased_at=datetime.now(UTC),
                )
            except UnknownPerson:
                # Its message names the person, and a log keeps it.
                raise Failure(
                    f"{requests.folder / request.name}.json means nobody, or more than one customer. "
                    "Remove it, and ask with winback erase, which says what it found"
                ) from None
    except RequestError as error:
        raise Failure(str(error)) from error


def _erase_from_files(settings: Settings, tombstones: Tombstones) -> list[Cleaned]:
    lake, profile = Lake(settings.lake_dir), settings.profile
    contracts = load_contracts()
    cleaned: list[Cleaned] = []
    with open_workspace(
        settings.scratch_dir, memory_limit=settings.extract_memory_limit, threads=settings.threads
    ) as con:
        for feed, binding in profile.feeds.items():
            job = Job(
                con,
                contracts[feed],
                binding,
                profile.file,
                settings.home,
                profile.time_zone,
                profile.latest_event,
                settings.scratch_dir,
                settings.settle_seconds,
                tombstones,
            )
            try:
                cleaned += erase_from_files(job, lake, settings.home)
            except FeedError as error:
                raise Failure(f"{feed}: its files cannot be searched for erased people: {error}") from error
        erasure.erase_from_tables(con, tombstones, sorted(settings.demo_truth_dir.rglob("*.parquet")))
    return cleaned


def _forget_runs(context: AssetExecutionContext, settings: Settings, pending: list[Pending]) -> None:
    """Delete the records of runs that name the people: a failed check tells the keys of some of its rows."""
    texts = [text for each in pending for text in each.subject.texts]
    files = [each.path for each in find_texts(settings.dagster_home, texts)]
    runs = sorted({file.stem for file in files} - {context.run_id})
    deleted = [run_id for run_id in runs if context.instance.has_run(run_id)]
    for run_id in deleted:
        context.instance.delete_run(run_id)
    for file in files:
        if file.exists() and file.suffix == ".db":
            with closing(sqlite3.connect(file, timeout=60)) as con:
                con.execute("vacuum")
    if deleted:
        context.log.info(f"erasure: the records of {len(deleted)} runs named somebody and are deleted")


def _require_nothing_left(settings: Settings, requests: Requests, pending: list[Pending]) -> None:
    texts = [text for each in pending for text in each.subject.texts]
    found = [
        each
        for each in find_texts(settings.home, texts, memory_limit=settings.memory_limit)
        if not each.path.is_relative_to(requests.folder)
    ]
    if found:
        listed = "\n".join(f"  {_below(settings.home, each.path)}: {each.times}" for each in found)
        raise Failure(
            f"after the erasure these files still hold a key or address of an erased person:\n{listed}\n"
            "A text that somebody wrote may name another customer; a file that no profile reads is nobody's. "
            "Mend or remove them, and run winback erase again: it goes on where it stopped."
        )


def _below(home: Path, path: Path) -> Path:
    return path.relative_to(home) if path.is_relative_to(home) else path
