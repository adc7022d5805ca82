"""Which rows of `raw` a newer row of another file has taken the place of: the tables `superseded.<feed>`.

Files overlap: a shop sends a month again, or a customer's record a second time. Whoever reads the newest row
of each key leaves these rows out (macro `newest_by_key`) and need not sort a feed for it, and a new file is
compared with the others by the keys it brings and no more.
"""

from collections.abc import Mapping, Sequence

import duckdb

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.sql import identifier, identifiers, path_literal

SCHEMA = "superseded"

# What each feed's table was made of. Not in the feeds' schema, where it could have a feed's name.
_KNOWN = "control.superseded_of"

# What models were made of that look at new files only (macro `note_files`).
_MADE_OF = "control.made_of"


def refresh_superseded(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    current: Sequence[Ingestion],
    contracts: Mapping[str, FeedContract],
) -> None:
    """Brings `superseded.<feed>` (the key's columns and `_source`) in line with `raw.<feed>`.

    Of rows with one key the newest is the one with the highest version, else event time, else source and
    line: what the rows say decides, never the order in which files arrived. Within a file keys are unique, so
    that key and source name a row. Files that were added are compared by their keys; when a file has changed
    or is gone, the feed is done anew.

    Args:
        con: a connection to the warehouse, in which the views `raw.<feed>` are made.
        lake: where the ingestions are.
        current: the ingestions that the views read.
        contracts: the contracts of all feeds by name.
    """
    con.execute(f"create schema if not exists {SCHEMA}")
    con.execute("create schema if not exists control")
    con.execute(f"create table if not exists {_KNOWN} (feed varchar, files varchar[])")
    con.execute(f"create table if not exists {_MADE_OF} (model varchar, files varchar[])")
    known = dict(con.execute(f"select feed, files from {_KNOWN}").fetchall())
    for feed, contract in contracts.items():
        of_feed = [each for each in current if each.feed == feed]
        files = {f"{each.ingestion_id} {each.rows_sha256}": each for each in of_feed}
        before = set(known.get(feed, []))
        if not (feed in known and before <= set(files)):
            _begin(con, contract)
            before = set()
        added = [files[name] for name in files if name not in before]
        if before and added:
            _compare(con, contract, [path_literal(lake.rows_file(each)) for each in added])
        elif len(added) > 1:
            _compare(con, contract, None)
        if added or feed not in known:
            con.execute(f"delete from {_KNOWN} where feed = ?", [feed])
            con.execute(f"insert into {_KNOWN} values (?, ?)", [feed, sorted(files)])


def _begin(con: duckdb.DuckDBPyConnection, contract: FeedContract) -> None:
    columns = {column.name: column.sql_type for column in contract.columns}
    key = ", ".join(f"{identifier(name)} {columns[name]}" for name in contract.key)
    con.execute(f"create or replace table {_table(contract)} ({key}, _source varchar)")
    con.execute(f"delete from {_KNOWN} where feed = ?", [contract.feed])


def _compare(con: duckdb.DuckDBPyConnection, contract: FeedContract, added: Sequence[str] | None) -> None:
    """Puts the older rows of each key that the added files have into the table; None stands for all files.

    Keys are compared by their hashes first: two keys of one hash are only looked at in vain.
    """
    key = identifiers(contract.key)
    newer = [name for name in (contract.version, contract.event_time) if name is not None]
    order = ", ".join(
        [*(f"{identifier(name)} desc nulls last" for name in newer), "_source desc", "_line desc"]
    )
    raw = f"raw.{identifier(contract.feed)}"
    if added is None:
        looked_at = f"select hash({key}) as h from {raw} group by h having count(*) > 1"
    else:
        looked_at = f"select distinct hash({_typed(contract)}) as h from read_parquet([{', '.join(added)}])"
        con.execute(f"create or replace temp table added_key as {looked_at}")
        looked_at = "select h from added_key"
        con.execute(f"delete from {_table(contract)} where hash({key}) in ({looked_at})")
    con.execute(
        f"""
        insert into {_table(contract)}
        select {key}, _source
        from {raw}
        where hash({key}) in ({looked_at})
        qualify row_number() over (partition by {key} order by {order}) > 1
        """
    )
    con.execute("drop table if exists added_key")


def _typed(contract: FeedContract) -> str:
    """The key's columns in the contract's types: a hash depends on the type."""
    types = {column.name: column.sql_type for column in contract.columns}
    return ", ".join(f"cast({identifier(name)} as {types[name]})" for name in contract.key)


def _table(contract: FeedContract) -> str:
    return f"{SCHEMA}.{identifier(contract.feed)}"
