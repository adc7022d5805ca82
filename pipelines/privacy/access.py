"""What is known of one customer, for whoever asks what we have of them: files of JSON that a person can
read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.sql import identifier, literal, path_literal
from pipelines.feeds.tombstones import TABLE, Tombstones, words_of

if TYPE_CHECKING:
    import duckdb

    from pipelines.privacy.subject import Subject

_README = """\
What {shop} knows of one customer, as of {now}.

given/      what the shop's own systems recorded; `set_aside` are records that were not used
derived/    what was computed: one customer across channels, purchases, classes, likelihoods, decisions
contacts/   what was decided and sent, and the texts
identity/   why these accounts are taken for one person
"""


def write_access(
    con: duckdb.DuckDBPyConnection,
    subject: Subject,
    lake_dir: Path,
    contracts: Mapping[str, FeedContract],
    target: Path,
    *,
    shop: str,
) -> dict[str, int]:
    """Write all that is known of a customer.

    Args:
        con: open on the warehouse, up to date with the lake.
        subject: whom; rows that only a shared address leads to are another's as well and are left out.
        lake_dir: the lake.
        contracts: all feed contracts.
        target: a folder that does not exist yet; it and its files are closed to other users.
        shop: its name, for the note.

    Returns:
        Rows by file, below the folder.

    Raises:
        FileExistsError: the folder is there.
    """
    target.mkdir(parents=True, mode=0o700)
    written: dict[str, int] = {}

    def write(name: str, query: str) -> None:
        row = con.execute(f"select count(*) from ({query})").fetchone()
        if not row or not row[0]:
            return
        file = target / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made before it is filled, so that nobody else can read it meanwhile.
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        con.execute(f"copy ({query}) to {literal(str(file))} (format json, array true)")
        file.chmod(0o600)
        written[f"{name}.json"] = int(row[0])

    tombstones = Tombstones(lake_dir)
    _load(con, tombstones, subject)
    for feed, contract in contracts.items():
        rows = f"(select row_number() over () as row_id, * from raw.{identifier(feed)})"
        theirs = tombstones.rows_of_erased(contract, rows, "row_id")
        write(f"given/{feed}", f"select * exclude (row_id) from {rows} where row_id in ({theirs})")
        aside = f"(select row_number() over () as row_id, * from quarantine.{identifier(feed)})"
        theirs = tombstones.texts_of_erased(aside, "row_id", words_of("original"))
        write(f"given/set_aside_{feed}", f"select * exclude (row_id) from {aside} where row_id in ({theirs})")
    con.execute(f"drop table temp.{TABLE}")
    ids = ", ".join(map(literal, subject.customer_ids))
    for schema, table in _derived(con):
        write(
            f"derived/{schema}.{table}",
            f"select * from {identifier(schema)}.{identifier(table)} where customer_id in ({ids})",
        )
    _write_contacts(con, lake_dir, ids, write)
    ledger = sorted((lake_dir / "identity" / "ledger").glob("*.parquet"))
    if ledger:
        accounts = ", ".join(literal(value) for kind, value in subject.names if kind == "account")
        theirs = f"customer_id in ({ids}) or account_id in ({accounts or 'null'})"
        write("identity/history", f"select * from {_parquet(ledger)} where {theirs}")
    note = target / "README.txt"
    note.write_text(
        _README.format(shop=shop, now=datetime.now(UTC).isoformat(timespec="seconds")), encoding="utf-8"
    )
    note.chmod(0o600)
    return written


def _load(con: duckdb.DuckDBPyConnection, tombstones: Tombstones, subject: Subject) -> None:
    """The subject's names in the place of tombstones: the same rows are theirs."""
    con.execute("create or replace temp table winback_named (kind varchar, value varchar)")
    con.executemany("insert into winback_named values (?, ?)", list(subject.names))
    con.execute(
        f"create or replace temp table {TABLE} as select hash, timestamptz '9999-12-31' as erased_at "
        f"from ({tombstones.hashes('winback_named')})"
    )
    con.execute("drop table temp.winback_named")


def _derived(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Tables by customer that are kept; intermediates say the same in other words."""
    rows = con.execute(
        """
        select schema_name, table_name from duckdb_columns()
        where
            column_name = 'customer_id' and database_name = current_database()
            and schema_name in ('core', 'marts', 'activation') and not starts_with(table_name, 'int_')
            and (schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables())
        order by all
        """
    ).fetchall()
    return [(schema, table) for schema, table in rows]


def _write_contacts(
    con: duckdb.DuckDBPyConnection, lake_dir: Path, ids: str, write: Callable[[str, str], None]
) -> None:
    emissions = lake_dir / "emissions"
    touches = sorted(emissions.glob("*/touches.parquet"))
    if not touches:
        return
    sent = f"select touch_id from {_parquet(touches)} where customer_id in ({ids})"
    write("contacts/messages", f"select * from {_parquet(touches)} where customer_id in ({ids})")
    stems = sorted({file.stem for file in emissions.glob("*/export_*.parquet")})
    for stem in stems:
        files = sorted(emissions.glob(f"*/{stem}.parquet"))
        columns = {row[0] for row in con.execute(f"describe select * from {_parquet(files)}").fetchall()}
        by_customer = f"customer_id in ({ids})" if "customer_id" in columns else f"touch_id in ({sent})"
        write(
            f"contacts/{stem.removeprefix('export_')}", f"select * from {_parquet(files)} where {by_customer}"
        )


def _parquet(files: Sequence[Path]) -> str:
    listed = ", ".join(path_literal(file) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
