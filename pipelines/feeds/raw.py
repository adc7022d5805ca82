"""The lake as the warehouse sees it: `raw.<feed>`, `quarantine.<feed>` and `quality.ingestions`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import FeedError
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.sql import identifier, path_literal
from pipelines.feeds.superseded import refresh_superseded

ORIGIN_COLUMNS = {"_ingestion_id": "VARCHAR", "_source": "VARCHAR", "_line": "BIGINT"}
"""Where a row of `raw` or `quarantine` came from, with DuckDB types."""

_QUARANTINE_COLUMNS = {
    **ORIGIN_COLUMNS,
    "reason": "VARCHAR",
    "column_name": "VARCHAR",
    "original": "VARCHAR",
}

INGESTION_COLUMNS = {
    "ingestion_id": ("varchar", "Ingestion, counted per feed"),
    "feed": ("varchar", "Feed"),
    "source": ("varchar", "Where the rows came from"),
    "content_sha256": ("varchar", "SHA-256 of the content"),
    "source_bytes": ("bigint", "Size of the source in bytes"),
    "rows_read": ("bigint", "Rows after the profile's query: loaded + quarantined + duplicate"),
    "rows_loaded": ("bigint", "Rows accepted"),
    "rows_quarantined": ("bigint", "Rows set aside with a reason"),
    "rows_duplicate": ("bigint", "Exact duplicates, dropped"),
    "quarantined_by_reason": ("varchar", "JSON object: rows per reason"),
    "ingested_at": ("timestamptz", "When it was taken in"),
    "current": ("boolean", "False when a newer version of the source took its place"),
}
"""DuckDB type and comment of each column of `quality.ingestions`; analysts get them too."""


def raw_columns(contract: FeedContract) -> dict[str, str]:
    """DuckDB type of each column of `raw.<feed>`: the contract's, and where the row stood."""
    return {column.name: column.sql_type for column in contract.columns} | ORIGIN_COLUMNS


def refresh_raw(con: duckdb.DuckDBPyConnection, lake: Lake, contracts: Mapping[str, FeedContract]) -> None:
    """Makes the warehouse's view of the lake: schemas raw, superseded, quarantine and quality, in one
    transaction.

    `raw.<feed>` and `quarantine.<feed>` are views over the current ingestions' Parquet files, one for each
    contract, typed and without rows when nothing was taken in. A column that an older ingestion lacks is
    null for its rows. `superseded.<feed>` names the rows of `raw.<feed>` that newer ones have taken the place
    of. `quality.ingestions` is a table of all ingestions, superseded ones too.

    Args:
        con: a connection to the warehouse, not in a transaction.
        lake: where the ingestions are.
        contracts: all feed contracts by name.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pipelines.feeds.contract import load_contracts
        >>> con = duckdb.connect()
        >>> with TemporaryDirectory() as folder:
        ...     refresh_raw(con, Lake(Path(folder)), load_contracts())
        >>> con.sql("select count(*) from raw.pos_sales").fetchone()
        (0,)
    """
    ingestions = lake.ingestions()
    current = lake.current()
    con.execute("begin transaction")
    try:
        for schema in ("raw", "quarantine", "quality"):
            con.execute(f"create schema if not exists {schema}")
        for feed, contract in contracts.items():
            of_feed = [ingestion for ingestion in current if ingestion.feed == feed]
            _create_view(con, "raw", feed, raw_columns(contract), [lake.rows_file(each) for each in of_feed])
            files = [lake.quarantine_file(each) for each in of_feed]
            _create_view(con, "quarantine", feed, _QUARANTINE_COLUMNS, files)
        refresh_superseded(con, lake, current, contracts)
        _create_ingestions(con, ingestions, {(each.feed, each.ingestion_id) for each in current})
        con.execute("commit")
    except BaseException as error:
        con.execute("rollback")
        if isinstance(error, duckdb.Error):
            _name_damaged_file(con, lake, current)
        raise


def _name_damaged_file(con: duckdb.DuckDBPyConnection, lake: Lake, current: Sequence[Ingestion]) -> None:
    """Raises a FeedError that names the file for which the views cannot be made, if it is a file's fault."""
    for ingestion in current:
        for file in (lake.rows_file(ingestion), lake.quarantine_file(ingestion)):
            try:
                con.execute(f"describe select * from read_parquet({path_literal(file)})")
            except duckdb.Error as cause:
                raise FeedError(
                    f"the lake's file {file} is damaged: {cause}\nRestore {file.parent} from a backup; "
                    "without one "
                    f"remove that folder: the next run takes {ingestion.source} in again, if it is still "
                    "there. "
                    "`winback verify` looks at all other files too"
                ) from None  # its text is in the message


def _create_view(
    con: duckdb.DuckDBPyConnection, schema: str, feed: str, columns: Mapping[str, str], files: Sequence[Path]
) -> None:
    nulls = ", ".join(f"cast(null as {sql_type}) as {identifier(name)}" for name, sql_type in columns.items())
    body = f"select {nulls} where false"
    if files:
        paths = ", ".join(path_literal(file) for file in files)
        # The empty part gives the contract's columns to files written before a column was added.
        scan = f"select * from read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"
        casts = ", ".join(
            f"cast({identifier(name)} as {sql_type}) as {identifier(name)}"
            for name, sql_type in columns.items()
        )
        body = f"select {casts} from ({body} union all by name {scan})"
    con.execute(f"create or replace view {schema}.{identifier(feed)} as {body}")


def _create_ingestions(
    con: duckdb.DuckDBPyConnection, ingestions: Sequence[Ingestion], current: set[tuple[str, str]]
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in INGESTION_COLUMNS.items())
    con.execute(f"create or replace table quality.ingestions ({columns})")
    rows = [
        (
            each.ingestion_id,
            each.feed,
            each.source,
            each.content_sha256,
            each.source_bytes,
            each.rows_read,
            each.rows_loaded,
            each.rows_quarantined,
            each.rows_duplicate,
            json.dumps(each.quarantined_by_reason, sort_keys=True),
            each.ingested_at,
            (each.feed, each.ingestion_id) in current,
        )
        for each in ingestions
    ]
    if rows:
        con.executemany(f"insert into quality.ingestions values ({', '.join('?' * len(rows[0]))})", rows)
