"""A small world of accounts for the identity tests: plain tables, a ledger, and runs over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from pathlib import Path

import duckdb

from pipelines.identity.instructions import Instruction
from pipelines.identity.ledger import Ledger
from pipelines.identity.resolve import Resolution, resolve
from pipelines.identity.rules import IdentityRules

# Spelling -> form, han, family, given: as `pipelines.identity.names` reads them.
NAMES = {
    "王小明": ("wang xiaoming", "王小明", "wang", "xiaoming"),
    "Wang Xiaoming": ("wang xiaoming", None, None, None),
    "王小朋": ("wang xiaopeng", "王小朋", "wang", "xiaopeng"),
    "王小敏": ("wang xiaomin", "王小敏", "wang", "xiaomin"),
    "王芳": ("wang fang", "王芳", "wang", "fang"),
    "王强": ("wang qiang", "王强", "wang", "qiang"),
    "李伟": ("li wei", "李伟", "li", "wei"),
    "Oliver Smith": ("oliver smith", None, None, None),
    "Olivre Smith": ("olivre smith", None, None, None),
    "Grace Hopper": ("grace hopper", None, None, None),
}

TABLES = """
create or replace table account_fact (
    account_id varchar, source varchar, account_key varchar, opened_at timestamptz, is_contact boolean,
    name struct(form varchar, han varchar, family varchar, given varchar),
    birth_date date, sex varchar, email_form varchar
);
create or replace table identifier (account_id varchar, kind varchar, value varchar, is_verified boolean);
"""

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Account:
    """An account and what it carries.

    Attributes:
        id: `<source>:<account key>`; those of the source `service` are contacts of the help desk.
        name: a key of `NAMES`.
        born: date of birth.
        email: its address, which is also the one that may be named after somebody.
        verified: whether the address is.
        card, device: of a membership, of an app.
        named_with: the account with which the shop's records name it.
        opened: its day, counted from 2025-01-01.
    """

    id: str
    name: str | None = None
    born: date | None = None
    sex: str | None = None
    email: str | None = None
    verified: bool = False
    phones: tuple[str, ...] = ()
    card: str | None = None
    device: str | None = None
    named_with: str | None = None
    opened: int | None = 0

    @property
    def source(self) -> str:
        return self.id.partition(":")[0]

    @property
    def key(self) -> str:
        return self.id.partition(":")[2]

    @property
    def own_id(self) -> str:
        """The id of a customer whose first account this is."""
        return "c_" + md5(f"{self.source}\x1f{self.key}".encode()).hexdigest()[:16]

    def facts(self) -> tuple[object, ...]:
        name = None
        if self.name is not None:
            name = dict(zip(("form", "han", "family", "given"), NAMES[self.name], strict=True))
        opened = None if self.opened is None else FIRST_DAY + timedelta(days=self.opened)
        return (
            *(self.id, self.source, self.key, opened, self.source == "service"),
            *(name, self.born, self.sex, self.email),
        )

    def identifiers(self) -> list[tuple[str, str, str, bool]]:
        carried = [("email", self.email, self.verified), ("card", self.card, True)]
        carried += [("phone", phone, False) for phone in self.phones] + [("device", self.device, True)]
        if self.named_with is not None:
            carried.append(("account", self.named_with, True))
        return [(self.id, kind, value, verified) for kind, value, verified in carried if value is not None]


def merge(one: str, other: str) -> Instruction:
    return Instruction("merge", *sorted((one, other)))


def split(one: str, other: str) -> Instruction:
    return Instruction("split", *sorted((one, other)))


@dataclass
class World:
    """A warehouse in memory beside a ledger in a folder; each run has the next number and day."""

    folder: Path
    rules: IdentityRules = field(default_factory=IdentityRules)
    runs: int = 0
    accounts: Sequence[Account] = ()
    con: duckdb.DuckDBPyConnection = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder)
        self.lose_warehouse()

    def lose_warehouse(self) -> None:
        """Starts over with an empty warehouse; the ledger stays."""
        if hasattr(self, "con"):
            self.con.close()
        self.con = duckdb.connect(config={"threads": 1})
        self.con.execute("set TimeZone = 'UTC'")
        self.con.execute(TABLES)

    def fill(self, accounts: Sequence[Account]) -> None:
        """Makes these the accounts that the sources have."""
        self.accounts = accounts
        self.con.execute("delete from account_fact; delete from identifier")
        _insert(self.con, "account_fact", (each.facts() for each in accounts))
        _insert(self.con, "identifier", (row for each in accounts for row in each.identifiers()))

    def resolve(self, instructions: Sequence[Instruction] = (), fuzzy_links: str | None = None) -> Resolution:
        """A run over what the tables hold."""
        self.runs += 1
        return resolve(
            self.con,
            self.ledger,
            accounts="account_fact",
            identifiers="identifier",
            instructions=instructions,
            rules=self.rules,
            run_id=f"run-{self.runs}",
            recorded_at=(FIRST_DAY + timedelta(days=self.runs)).isoformat(),
            fuzzy_links=fuzzy_links,
        )

    def run(self, *accounts: Account, instructions: Sequence[Instruction] = ()) -> Resolution:
        """A run over these accounts."""
        self.fill(accounts)
        return self.resolve(instructions)

    def rebuild(self, instructions: Sequence[Instruction] = ()) -> Resolution:
        """A run over the same accounts in an empty warehouse."""
        self.lose_warehouse()
        return self.run(*self.accounts, instructions=instructions)

    def customers(self) -> set[frozenset[str]]:
        """The groups of account ids."""
        rows = self.con.execute(
            "select list(account_id) from identity.account group by customer_id"
        ).fetchall()
        return {frozenset(accounts) for (accounts,) in rows}

    def ids(self) -> dict[str, str]:
        """Each account's customer id."""
        return dict(self.con.execute("select account_id, customer_id from identity.account").fetchall())

    def aliases(self) -> dict[str, str]:
        return dict(self.con.execute("select alias_id, customer_id from identity.alias").fetchall())

    def links(self) -> set[tuple[str, str, str, bool]]:
        """Account, account, rule, is_applied."""
        return set(
            self.con.execute("select account_a, account_b, rule, is_applied from identity.link").fetchall()
        )

    def events(self, run: int | None = None) -> list[tuple[str, str, str | None, str | None]]:
        """Event, account, customer id and former one; of the last run, or of the one with this number."""
        return self.con.execute(
            f"select event, account_id, customer_id, former_customer_id from {self.ledger.relation()} "
            "where run_id = ? order by event, account_id",
            [f"run-{self.runs if run is None else run}"],
        ).fetchall()

    def evidence(self, account: str) -> str | None:
        """The evidence of the account's newest event."""
        row = self.con.execute(
            f"select evidence from {self.ledger.relation()} where account_id = ? order by seq desc limit 1",
            [account],
        ).fetchone()
        return row[0] if row else None

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """What the run has made, to be compared with that of another one."""
        return {
            table: self.con.execute(f"select * from identity.{table} order by all").fetchall()
            for table in ("account", "alias", "link", "carrier", "shared_identifier", "instruction")
        }


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    values = list(rows)
    if values:
        marks = ", ".join(f"({', '.join('?' for _ in row)})" for row in values)
        con.execute(f"insert into {table} values {marks}", [value for row in values for value in row])
