"""Writing the demo shop: batch by batch of customers, beside its place, then moved there whole."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.demo import (
    accounts,
    campaigns,
    causes,
    contact_files,
    customer_files,
    people,
    products,
    purchases,
    rates,
    service,
    trade_files,
    truth,
    web,
)
from pipelines.demo.dirt import DIRTY_FEEDS, create_planted, plant, unreadable_lines
from pipelines.demo.draws import create_macros
from pipelines.demo.exports import Export, create_export_macros, create_rows
from pipelines.demo.files import WrittenFile, finish, write_files
from pipelines.demo.marker import (
    MARKER_NAME,
    PARTIAL_NAME,
    DemoShopError,
    FeedCounts,
    Marker,
    check_replaceable,
    files_below,
    read_marker,
)
from pipelines.feeds.sql import literal

EXPORTS = (
    customer_files.ACCOUNTS,
    customer_files.MEMBERS,
    customer_files.SOCIAL_ACCOUNTS,
    customer_files.DEVICES,
    customer_files.CONSENTS,
    trade_files.PRODUCTS,
    trade_files.ORDERS,
    trade_files.ORDER_LINES,
    trade_files.RECEIPTS,
    contact_files.TICKETS,
    contact_files.CAMPAIGN_MEMBERS,
    contact_files.CAMPAIGN_EVENTS,
    contact_files.SURVEY_ANSWERS,
    contact_files.WEB_EVENTS,
)
# A file that came twice: the same content under a second name.
_REPEATED = {
    ("pos_sales", trade_files.LATE_FILE): trade_files.REPEATED_LATE_FILE,
    ("ecommerce_order_lines", trade_files.REPEATED_LINES_FILE): f"{trade_files.REPEATED_LINES_FILE}_resent",
}
_TEMPORARY = ".demo-tmp"
_REPLACED = ".demo-old"


@dataclass(frozen=True)
class DemoShop:
    """A demo shop that was written, and the counts that extraction must find in it."""

    landing: Path
    truth: Path
    marker: Marker

    @property
    def feeds(self) -> dict[str, FeedCounts]:
        """What each feed holds."""
        return self.marker.feeds


def has_demo_shop(landing: Path, *, customers: int, seed: int = rates.DEFAULT_SEED) -> bool:
    """Whether the folder holds this very demo shop, complete and by this version of the generator."""
    try:
        marker = read_marker(landing)
    except DemoShopError:
        return False
    return (
        marker is not None
        and (marker.customers, marker.seed, marker.generator_version)
        == (customers, seed, rates.GENERATOR_VERSION)
        and all(
            (landing / name).is_file() and (landing / name).stat().st_size == size
            for name, size in marker.files.items()
        )
    )


def write_demo_shop(
    landing: Path,
    truth: Path,
    *,
    customers: int = 20_000,
    seed: int = rates.DEFAULT_SEED,
    threads: int | None = None,
    memory_limit: str = "4GB",
) -> DemoShop:
    """Writes the demo shop's files to `landing` and what is true of it to `truth`, or neither.

    A demo shop that is there is replaced; any other file in the two folders is an error. The same customers
    and seed give the same bytes, whatever the threads.

    Args:
        landing: gets a folder per feed, and the marker last.
        truth: gets the truth tables as Parquet (`pipelines.demo.truth` describes them).
        customers: number of true people.
        seed: any whole number from 0.
        threads: of DuckDB; by default as many as there are processors.
        memory_limit: of DuckDB, such as `4GB`; what does not fit goes to disk beside `truth`.

    Raises:
        DemoShopError: a number is out of range, a folder is somebody else's or cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     shop = write_demo_shop(Path(folder, "landing"), Path(folder, "truth"), customers=100)
        ...     has_demo_shop(shop.landing, customers=100)
        True
    """
    _check_arguments(landing, truth, customers, seed, threads)
    check_replaceable(landing)
    check_replaceable(truth)
    try:
        with _beside(landing) as new_landing, _beside(truth) as new_truth:
            feeds = _write_world(
                new_landing,
                new_truth,
                customers=customers,
                seed=seed,
                threads=threads,
                memory_limit=memory_limit,
            )
            _write_markers((new_landing, new_truth), customers=customers, seed=seed, feeds=feeds)
            return _put_in_place(landing, new_landing, truth, new_truth)
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise DemoShopError(f"the demo shop cannot be written: {error}") from error


def _check_arguments(landing: Path, truth: Path, customers: int, seed: int, threads: int | None) -> None:
    if not rates.MIN_CUSTOMERS <= customers <= rates.MAX_CUSTOMERS:
        raise DemoShopError(
            f"customers: {customers} is out of range; "
            f"accepted: {rates.MIN_CUSTOMERS} to {rates.MAX_CUSTOMERS}"
        )
    if not 0 <= seed < 2**40:
        raise DemoShopError(f"seed: {seed} is out of range; accepted: 0 to {2**40 - 1}")
    if threads is not None and threads < 1:
        raise DemoShopError(f"threads: {threads} is out of range; accepted: 1 and more")
    one, other = landing.resolve(), truth.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise DemoShopError(
            f"landing {landing} and truth {truth} lie in one another; give two separate folders"
        )


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder beside, gone afterwards; what an interrupted call left there is removed first."""
    temporary = folder.with_name(f".{folder.name}{_TEMPORARY}")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(folder.with_name(f".{folder.name}{_REPLACED}"), ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_markers(
    folders: Sequence[Path], *, customers: int, seed: int, feeds: dict[str, FeedCounts]
) -> None:
    for folder in folders:
        marker = Marker(
            customers=customers,
            seed=seed,
            generator_version=rates.GENERATOR_VERSION,
            duckdb=str(duckdb.__version__),
            feeds=feeds,
            files=files_below(folder),
        )
        (folder / PARTIAL_NAME).write_text(marker.to_json(), encoding="utf-8")


def _put_in_place(landing: Path, new_landing: Path, truth: Path, new_truth: Path) -> DemoShop:
    # From here until the last line the old shop is no longer a complete one, and the new one not yet.
    if (landing / MARKER_NAME).is_file():
        (landing / MARKER_NAME).rename(landing / PARTIAL_NAME)
    for folder, new in ((truth, new_truth), (landing, new_landing)):
        replaced = folder.with_name(f".{folder.name}{_REPLACED}")
        if folder.exists():
            folder.rename(replaced)
        new.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    for folder in (truth, landing):
        (folder / PARTIAL_NAME).replace(folder / MARKER_NAME)
    written = read_marker(landing)
    if written is None:
        raise DemoShopError(f"{landing / MARKER_NAME}: was written and is not there")
    return DemoShop(landing, truth, written)


def _write_world(
    landing: Path, truth_folder: Path, *, customers: int, seed: int, threads: int | None, memory_limit: str
) -> dict[str, FeedCounts]:
    batches = range(0, customers, rates.BATCH_CUSTOMERS)
    written: list[WrittenFile] = []
    repeated: list[WrittenFile] = []
    with (
        tempfile.TemporaryDirectory(dir=truth_folder, prefix=".spill-") as spill,
        duckdb.connect(":memory:") as con,
        # One is enough: packing and encoding take about as long as DuckDB's own work.
        ThreadPoolExecutor(max_workers=1) as background,
    ):
        con.execute(f"set temp_directory = {literal(spill)}")
        try:
            con.execute(f"set memory_limit = {literal(memory_limit)}")
        except duckdb.Error as error:
            raise DemoShopError(
                f"memory_limit: {memory_limit!r} is no amount of memory; accepted: such as 4GB"
            ) from error
        if threads is not None:
            con.execute(f"set threads = {threads}")
        con.execute("set enable_progress_bar = false")
        _create_shared(con, seed)
        for batch, first in enumerate(batches):
            _create_batch(con, first, min(rates.BATCH_CUSTOMERS, customers - first))
            part = f"_part{batch + 1:03d}" if len(batches) > 1 else ""
            pending: list[Future[None]] = []
            for export in EXPORTS:
                if export.once and batch:
                    continue
                written += _write_feed(
                    con,
                    export,
                    landing,
                    customers=customers,
                    part=part,
                    is_first=batch == 0,
                    background=background,
                    pending=pending,
                )
            truth.write_truth(con, truth_folder, batch)
            for future in pending:
                future.result()
            if batch == 0:
                repeated = _repeat_files(landing, written, part)
        return _counts(con, written, repeated)


def _create_shared(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    create_macros(con, seed)
    create_export_macros(con)
    products.create_products(con)
    campaigns.create_effects(con)
    create_planted(con)


def _create_batch(con: duckdb.DuckDBPyConnection, first: int, count: int) -> None:
    people.create_people(con, first, count)
    accounts.create_accounts(con)
    accounts.create_account_pairs(con)
    causes.create_sleep(con)
    purchases.create_needs(con)
    purchases.create_visits(con)
    campaigns.create_assignments(con)
    purchases.create_purchases(con)
    purchases.create_lines(con)
    campaigns.create_messages(con)
    service.create_tickets(con)
    service.create_consents(con)
    service.create_devices(con)
    service.create_survey_answers(con)
    web.create_web_events(con)


def _write_feed(
    con: duckdb.DuckDBPyConnection,
    export: Export,
    landing: Path,
    *,
    customers: int,
    part: str,
    is_first: bool,
    background: ThreadPoolExecutor,
    pending: list[Future[None]],
) -> list[WrittenFile]:
    create_rows(con, export)
    (dirty,) = (each for each in DIRTY_FEEDS if each.feed == export.feed)
    if is_first:
        plant(con, dirty, customers)
    later: list[tuple[Path, Path, Export, list[str]]] = []
    written = write_files(
        con,
        export,
        landing,
        customers=customers,
        part=part,
        default_file=dirty.file,
        broken_lines={dirty.file: unreadable_lines(dirty, customers)} if is_first else {},
        later=later,
    )
    con.execute(f"drop table out_{export.feed}")
    pending += [background.submit(finish, *arguments) for arguments in later]
    return written


def _repeat_files(landing: Path, written: list[WrittenFile], part: str) -> list[WrittenFile]:
    repeated = []
    for (feed, name), second in _REPEATED.items():
        for file in written:
            stem, _, suffix = Path(file.name).name.partition(".")
            if file.feed == feed and stem == f"{name}{part}":
                again = f"{feed}/{second}{part}.{suffix}"
                shutil.copyfile(landing / file.name, landing / again)
                repeated.append(WrittenFile(feed, again, file.rows))
    return repeated


def _counts(
    con: duckdb.DuckDBPyConnection, written: list[WrittenFile], repeated: list[WrittenFile]
) -> dict[str, FeedCounts]:
    planted = con.execute(
        "select feed, reason, is_loaded, count(*) from planted group by all order by all"
    ).fetchall()
    counts = {}
    for export in EXPORTS:
        files = [file for file in (*written, *repeated) if file.feed == export.feed]
        of_feed = [
            (reason, bool(loaded), int(rows)) for feed, reason, loaded, rows in planted if feed == export.feed
        ]
        duplicates = sum(rows for reason, _, rows in of_feed if reason == "duplicate")
        quarantined = {
            reason: rows for reason, loaded, rows in of_feed if not loaded and reason != "duplicate"
        }
        rows_read = sum(file.rows for file in files)
        counts[export.feed] = FeedCounts(
            files=len(files),
            rows_read=rows_read,
            rows_loaded=rows_read - duplicates - sum(quarantined.values()),
            rows_duplicate=duplicates,
            rows_repeated=sum(file.rows for file in repeated if file.feed == export.feed),
            quarantined=quarantined,
            kept={reason: rows for reason, loaded, rows in of_feed if loaded},
        )
    return counts
