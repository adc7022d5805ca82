"""A person is erased from a home of the demo shop: nothing is left, old files bring nothing back, counts
stay."""

import gzip
import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from demo_home import DemoHome

from pipelines.feeds.contract import load_contracts

pytestmark = pytest.mark.xdist_group("demo")

# Who is known best: in most channels, part of experiments, and in a workbook (those who are called).
WELL_KNOWN = """
    select customers.customer_id
    from core.customer as customers
    inner join core.touch as touches on customers.customer_id = touches.customer_id
    semi join (from activation.recall_decision where decision = 'send' and channel = 'phone') as sent
        on customers.customer_id = sent.customer_id
    where customers.reachable_email and customers.orders > 1
    group by customers.customer_id, customers.account_count
    order by customers.account_count desc, count(*) desc, customers.customer_id limit 1
"""


def texts_of_person(con: duckdb.DuckDBPyConnection, customer: str) -> set[str]:
    """What names a customer in the sources, as their accounts lead to it: told apart from the code under
    test."""
    accounts = con.execute(
        "select source, account_key from core.customer_account where customer_id = ?", [customer]
    ).fetchall()
    texts = {customer}
    for feed, columns in {
        "ecommerce_customers": ("account_id", "email", "phone"),
        "pos_members": ("member_id", "email", "phone", "card_no"),
        "devices": ("device_id", "push_token"),
        "social_accounts": ("social_id",),
        "ecommerce_orders": ("order_id",),
        "pos_sales": ("receipt_id",),
    }.items():
        for source, key in accounts:
            column = {"ecommerce": "account_id", "pos": "member_id"}.get(source)
            names = [each.name for each in load_contracts()[feed].columns]
            if column in names:
                rows = con.execute(f"select {', '.join(columns)} from raw.{feed} where {column} = ?", [key])
                texts |= {str(value) for row in rows.fetchall() for value in row if value}
    return {text for text in texts if len(text) > 5}


def content(path: Path) -> bytes:
    """A file's bytes, and those of what it packs."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            return b"".join(book.read(name) for name in book.namelist())
    if path.suffix == ".parquet":
        with duckdb.connect() as con:
            rows = con.execute("from read_parquet(?, hive_partitioning = false)", [str(path)]).fetchall()
        return data + repr(rows).encode()
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            tables = con.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            rows = [con.execute(f'from "{schema}"."{table}"').fetchall() for schema, table in tables]
        return data + repr(rows).encode()
    return data


def files_with(folder: Path, texts: set[str]) -> dict[str, list[str]]:
    """Files below a folder in which a text stands, in the encodings of the shop's files."""
    wanted = {text: {text.encode(), text.encode("gb18030")} for text in texts}
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            held = content(path)
            if named := [text for text, forms in wanted.items() if any(form in held for form in forms)]:
                found[str(path.relative_to(folder))] = named
    return found


@dataclass(frozen=True)
class Erased:
    """A home before and after."""

    home: DemoHome
    customer: str
    texts: set[str]
    files_before: dict[str, list[str]]
    before: dict[str, list[tuple]]
    units_before: list[tuple]
    old_files: Path
    told: Path


UNITS = (
    "select scope, campaign_id, arm, count(*), sum(is_converted::int), sum(revenue), sum(contact_cost) "
    "from kpi.int_experiment_unit group by all order by all"
)


def warehouse(home: DemoHome, sql: str) -> list[tuple]:
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def erased(demo: DemoHome, tmp_path_factory) -> Erased:
    folder = tmp_path_factory.mktemp("erasure")
    shutil.copytree(demo.path, folder / "home")
    home = DemoHome(demo.shop, folder / "home")
    shutil.copytree(home.landing, folder / "old_files")
    # What `winback spark` would have made of it.
    shutil.copytree(home.settings.lake_dir / "feeds", home.settings.spark_dir / "core.db")
    [(customer,)] = warehouse(home, WELL_KNOWN)
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        texts = texts_of_person(con, customer)
    files_before = files_with(home.path, texts)
    before, units_before = home.tables(), warehouse(home, UNITS)
    assert home.winback("access", "--customer", customer, "--to", str(folder / "told")) == 0
    assert home.winback("erase", "--customer", customer, "--yes") == 0
    return Erased(
        home, customer, texts, files_before, before, units_before, folder / "old_files", folder / "told"
    )


def test_before_they_stood_in_files_of_every_kind(erased):
    """Else the search below would prove nothing."""
    suffixes = {"".join(Path(name).suffixes[-1:]) for name in erased.files_before}
    assert {".csv", ".gz", ".parquet", ".jsonl", ".xlsx", ".duckdb"} <= suffixes
    tops = {name.split("/")[0] for name in erased.files_before}
    assert {"landing", "lake", "warehouse", "published", "audiences", "spark"} <= tops


def test_no_byte_below_the_home_names_them(erased):
    assert files_with(erased.home.path, erased.texts) == {}


def test_others_keep_what_they_had(erased):
    after = erased.home.tables()
    for name in (
        "core.purchase_day",
        "marts.customer_dormancy",
        "marts.customer_rfm",
        "core.customer_account",
    ):
        mine = [row for row in erased.before[name] if erased.customer not in row]
        assert len(mine) < len(erased.before[name]), name
        assert mine == after[name], name


def test_past_experiments_keep_their_counts(erased):
    assert warehouse(erased.home, UNITS) == erased.units_before
    [(named,)] = warehouse(
        erased.home, "select count(*) from kpi.int_experiment_unit where starts_with(customer_id, 'erased_')"
    )
    assert named > 0


def test_every_row_is_still_accounted_for(erased):
    with erased.home.published() as con:
        wrong = con.execute(
            "select * from quality.ingestions "
            "where rows_read <> rows_loaded + rows_quarantined + rows_duplicate"
        ).fetchall()
        gone = con.execute(
            "select sum(cast(json_extract(quarantined_by_reason, '$.erased') as int)) from quality.ingestions"
        ).fetchone()
    assert wrong == []
    assert gone[0] > 0


def test_whom_it_was_is_forgotten_and_that_it_was_is_not(erased):
    assert list((erased.home.path / "erasure").iterdir()) == []
    record = (erased.home.settings.lake_dir / "erasures" / "record.jsonl").read_text()
    assert json.loads(record)["people"] == 1


def test_old_files_bring_nothing_back(erased, tmp_path):
    """All the shop's old files arrive again, under other names where the profile takes any name."""
    home = DemoHome(erased.home.shop, tmp_path / "home")
    shutil.copytree(erased.home.path, home.path)
    for old in sorted(path for path in erased.old_files.rglob("*") if path.is_file()):
        below = old.relative_to(erased.old_files)
        name, dot, suffix = below.name.partition(".")
        again = home.landing / below.with_name(f"{name}_again{dot}{suffix}")
        shutil.copyfile(old, again if below.parent != Path() else home.landing / below)
    home.build("raw")
    assert files_with(home.settings.lake_dir, erased.texts) == {}
    assert files_with(home.settings.warehouse_file.parent, erased.texts) == {}


def test_what_is_known_of_somebody_is_told(erased):
    files = {str(path.relative_to(erased.told)): path for path in erased.told.rglob("*.json")}
    assert {"given/ecommerce_customers.json", "derived/marts.customer_dormancy.json"} <= set(files)
    told = b"".join(path.read_bytes() for path in files.values())
    assert {text for text in erased.texts if text.encode() not in told} == set()
    others = [
        row["customer_id"]
        for name in ("derived/core.customer.json", "contacts/messages.json")
        for row in json.loads(files[name].read_text())
    ]
    assert set(others) == {erased.customer}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert erased.told.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--email", "nobody@example.org", "--to", "x"], "no customer has email 'nobody@example.org'"),
        (["--to", "x"], "say whom: --customer, --account, --email, --phone, --card or --device"),
    ],
)
def test_who_is_not_found_is_said(demo, capsys, arguments, message):
    assert demo.winback("access", *arguments) == 2
    assert message in capsys.readouterr().err


def test_an_erasure_is_not_begun_by_a_slip(demo, capsys, monkeypatch):
    [(customer,)] = warehouse(demo, WELL_KNOWN)
    for arguments, message in (
        (["--customer", "c_nobody", "--yes"], "no customer has customer 'c_nobody'"),
        ([], "say whom"),
    ):
        assert demo.winback("erase", *arguments) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert demo.winback("erase", "--customer", customer) == 2
    assert "cannot be undone: confirm it with --yes" in capsys.readouterr().err
    assert not (demo.path / "erasure").exists()
