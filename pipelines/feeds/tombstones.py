"""Tombstones: keyed hashes of what named people who were erased, so that no file brings them back.

A row of a feed is an erased person's if one of its keys (account, member, card, device, order, receipt,
message) has a tombstone, or if its e-mail address or number has one and the row is not younger than the
erasure: who comes back later with the same address is a new customer.

The hash is SHA-256 over a secret of the data home, the kind and the value: without the secret nobody can try
out all telephone numbers. The secret lies in the lake, for without it a lake's tombstones say nothing.
"""

import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import ConfigError
from pipelines.feeds.sql import identifier, literal
from pipelines.parquet import parquet_source, write_parquet

COLUMNS = {"hash": "varchar", "erased_at": "timestamptz"}
"""Columns of a tombstone and their DuckDB types."""

TABLE = "winback_feed_tombstone"
"""Temporary table into which a connection loads them."""

KINDS = ("account", "card", "device", "token", "order", "receipt", "touch", "customer", "contact")

_KEY_FILE = "private.key"
_KEY_BYTES = 32

_BETWEEN_WORDS = r"[^\w@.+-]+"

# What a column holds, as kind and SQL over the column; of an order's columns only those of its own feeds name
# it.
_KEYS = {
    "account_id": ("account", "'ecommerce:' || {}"),
    "member_id": ("account", "'pos:' || {}"),
    "card_no": ("card", "{}"),
    "device_id": ("device", "'app:' || {}"),
    "visitor_id": ("device", "'browser:' || {}"),
    "push_token": ("token", "{}"),
    "touch_id": ("touch", "{}"),
    "receipt_id": ("receipt", "{}"),
}
_ORDER_FEEDS = ("ecommerce_orders", "ecommerce_order_lines")
_CONTACTS = ("email", "phone", "address", "social_id")


def contact_text(value: str) -> str:
    """SQL for an address as it is hashed: e-mail in lower case, of a number the digits alone.

    >>> import duckdb
    >>> texts = ["Anna@Example.org ", "+44 7700 900-001", "wx_7"]
    >>> [duckdb.sql(f"select {contact_text(literal(text))}").fetchone()[0] for text in texts]
    ['anna@example.org', '447700900001', 'wx_7']
    """
    text = f"trim({value})"
    return (
        f"case when contains({text}, '@') then lower({text}) "
        f"when regexp_full_match({text}, '[-+0-9 ()./]{{6,}}') "
        f"then regexp_replace({text}, '[^0-9]', '', 'g') else {text} end"
    )


class Tombstones:
    """Those of one lake, under `<lake>/erasures/`, and their secret.

    Args:
        lake_dir: the lake.
        key: the secret as hex; by default the lake's own, which is made where it has none.

    Raises:
        ConfigError: the lake's secret is damaged.
    """

    def __init__(self, lake_dir: Path, key: str | None = None) -> None:
        self.folder = lake_dir / "erasures"
        self.key = key or private_key(lake_dir)

    def files(self) -> list[Path]:
        """Parquet files, oldest first."""
        return sorted(self.folder.glob("*.parquet"))

    def hashed(self, kind: str, value: str) -> str:
        """SQL for the hash of a value of a kind; null for null."""
        assert kind in KINDS, kind
        return f"sha256({literal(f'{self.key}:{kind}:')} || {value})"

    def hashes(self, relation: str) -> str:
        """SQL for the hashes of a relation of kinds and values, one column `hash`."""
        # A kind at a time, since each has a prefix of its own.
        return " union ".join(
            f"select {self.hashed(kind, contact_text('value') if kind == 'contact' else 'value')} as hash "
            f"from {relation} where kind = {literal(kind)}"
            for kind in KINDS
        )

    def load(self, con: duckdb.DuckDBPyConnection) -> bool:
        """Fill the temporary table `TABLE`; false where nobody was ever erased, and nothing is made."""
        files = self.files()
        if files:
            source = parquet_source(con, files, COLUMNS)
            con.execute(
                f"create or replace temp table {TABLE} as "
                f"select hash, max(erased_at) as erased_at from {source} group by hash"
            )
        return bool(files)

    def append(
        self, con: duckdb.DuckDBPyConnection, named: Iterable[tuple[str, str]], erased_at: datetime
    ) -> Path:
        """Keep what names a person.

        Args:
            con: any connection.
            named: kind and value, as `_KEYS` and `contact_text` write them.
            erased_at: when, aware.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        con.execute("create or replace temp table winback_named (kind varchar, value varchar)")
        rows = sorted(set(named))
        if rows:
            con.executemany("insert into winback_named values (?, ?)", rows)
        newest = max((int(file.stem) for file in self.files()), default=0)
        target = self.folder / f"{newest + 1:06d}.parquet"
        write_parquet(
            con,
            f"select hash, cast({literal(erased_at.isoformat())} as timestamptz) as erased_at "
            f"from ({self.hashes('winback_named')}) where hash is not null order by hash",
            target,
        )
        con.execute("drop table winback_named")
        return target

    def rows_of_erased(self, contract: FeedContract, relation: str, row: str) -> str:
        """SQL for the rows of a feed that are of erased people, one column `row_id`. Needs `load`.

        Args:
            contract: the feed's contract.
            relation: a relation with the contract's columns.
            row: the column of the relation that tells rows apart.
        """
        names = set(contract.column_names)
        keys = [(kind, sql.format(identifier(name))) for name, (kind, sql) in _KEYS.items() if name in names]
        if contract.feed in _ORDER_FEEDS:
            keys.append(("order", "order_id"))
        parts = [
            f"select {row} as row_id from {relation} as rows "
            f"semi join {TABLE} as stones on {self.hashed(kind, value)} = stones.hash"
            for kind, value in keys
        ]
        happened = None
        if contract.event_time is not None:
            # The start of a day, or an instant, in the connection's zone: on the day itself a row is older.
            happened = f"cast({identifier(contract.event_time)} as timestamptz)"
        for name in _CONTACTS:
            if name not in names:
                continue
            younger = f" and coalesce({happened} <= stones.erased_at, true)" if happened else ""
            parts.append(
                f"select {row} as row_id from {relation} as rows semi join {TABLE} as stones "
                f"on {self.hashed('contact', contact_text(identifier(name)))} = stones.hash{younger}"
            )
        return " union ".join(parts) or f"select {row} as row_id from {relation} where false"

    def texts_of_erased(self, relation: str, row: str, texts: str) -> str:
        """SQL for the rows whose texts hold a key or address of an erased person. Needs `load`.

        For what has no columns: a line that could not be read, the original of a quarantined row.

        Args:
            relation: a relation.
            row: the column that tells rows apart.
            texts: SQL for a list of texts of a row; each is looked up as whatever it may be.
        """
        tried = [
            *((kind, "text") for kind in KINDS if kind != "contact"),
            ("contact", contact_text("text")),
            *(("account", f"'{source}:' || text") for source in ("ecommerce", "pos")),
            *(("device", f"'{kind}:' || text") for kind in ("app", "browser")),
        ]
        hashes = ", ".join(self.hashed(kind, value) for kind, value in tried)
        return (
            f"select distinct row_id from (select row_id, unnest([{hashes}]) as hash from "
            f"(select {row} as row_id, unnest({texts}) as text from {relation})) as tried "
            f"semi join {TABLE} as stones on tried.hash = stones.hash"
        )


def words_of(text: str) -> str:
    """SQL for the words of a text and for the values of a JSON object, as one list."""
    return (
        f"list_concat(regexp_split_to_array(coalesce({text}, ''), {literal(_BETWEEN_WORDS)}), "
        f"case when json_valid({text}) then coalesce(json_extract_string({text}, '$.*'), []) else [] end)"
    )


def private_key(lake_dir: Path) -> str:
    """The secret of a lake, as hex; made where there is none.

    Raises:
        ConfigError: the file is not 64 hex digits.
    """
    file = lake_dir / _KEY_FILE
    if not file.exists():
        lake_dir.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{_KEY_FILE}.tmp-{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_hex(_KEY_BYTES) + "\n", encoding="ascii")
        try:
            os.link(temporary, file)
        except FileExistsError:  # another process was first
            pass
        finally:
            temporary.unlink()
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if len(text) != 2 * _KEY_BYTES or set(text) - set("0123456789abcdef"):
        raise ConfigError(
            f"{file}: is not the secret of this lake (64 hex digits). Restore it from a backup of the lake: "
            "with another one, people who were erased would come back"
        )
    return text
