"""The rows decide, not their way in: any order of arrival, any kind of source, any interruption."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pymysql
import pytest
import yaml
from adbc_driver_postgresql import dbapi
from demo_home import DEMO, TO_CORE, DemoHome
from small_shop import SmallShop

from pipelines.feeds.contract import FeedContract, load_contracts
from pipelines.settings import PROJECT_DIR

pytestmark = pytest.mark.xdist_group("demo")

KILLS = int(os.environ.get("WINBACK_KILLS", "10"))

ORDERS = int(os.environ.get("WINBACK_ORDERS", "1"))
"""At the level of `raw`, tests/integration/test_arrival.py plays dozens of orders."""

EXTRACT_ALONE = """\
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Lake
from pipelines.feeds.workspace import open_workspace, remove_leftovers
from pipelines.settings import load_settings

settings = load_settings()
lake = Lake(settings.lake_dir)
lake.remove_leftovers()
remove_leftovers(settings.scratch_dir)
print("begins", flush=True)
with open_workspace(settings.scratch_dir, memory_limit="1GB", threads=2) as con:
    for feed, contract in load_contracts().items():
        extract_feed(
            con, contract, settings.profile.feeds[feed], lake, profile_file=settings.profile.file,
            base_dir=settings.home, time_zone=settings.profile.time_zone,
            latest_event=settings.profile.latest_event, scratch_dir=settings.scratch_dir, settle_seconds=0,
        )
"""
"""The extraction of a run, without the seconds that Dagster and dbt take to start."""


@pytest.fixture(scope="module")
def orderly(demo: DemoHome) -> dict[str, list[tuple]]:
    """Core tables of one run over all files."""
    core = demo.core()
    assert all(core[table] for table in ("customer", "order_line", "session", "ticket", "touch", "product"))
    return core


def assert_equal(found: dict[str, list[tuple]], expected: dict[str, list[tuple]]) -> None:
    """Table by table: of all at once pytest would print megabytes of difference."""
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert len(found[table]) == len(rows), table
        assert [row for row, other in zip(found[table], rows, strict=True) if row != other][:3] == [], table


@pytest.mark.parametrize("seed", range(1, ORDERS + 1))
def test_files_in_any_order_of_arrival(demo: DemoHome, orderly, tmp_path: Path, seed: int):
    """They come one batch after the other, some of them twice, with an extraction after each batch."""
    chance = random.Random(seed)
    home = DemoHome(DEMO, tmp_path / "home")
    home.landing.mkdir(parents=True)
    shutil.copyfile(demo.landing / ".demo_shop.json", home.landing / ".demo_shop.json")
    files = sorted(path for path in demo.landing.glob("*/*") if path.is_file())
    chance.shuffle(files)
    # A feed without any file is an error of its own: the first file of each comes first.
    first = {path.parent.name: path for path in reversed(files)}
    rest = [path for path in files if first[path.parent.name] != path]
    cuts = sorted(chance.sample(range(1, len(rest)), 2))
    batches = [
        list(first.values()),
        *(rest[a:b] for a, b in zip([0, *cuts], [*cuts, len(rest)], strict=True)),
    ]
    for batch in batches:
        for path in batch:
            target = home.landing / path.relative_to(demo.landing)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
        take_in(home)
    home.build(*TO_CORE)
    assert_equal(home.core(), orderly)


def take_in(home: DemoHome) -> None:
    """One extraction of all feeds."""
    subprocess.run(
        [sys.executable, "-c", EXTRACT_ALONE],
        cwd=PROJECT_DIR,
        env={**os.environ, **home.environment},
        check=True,
        capture_output=True,
    )


def test_extraction_killed_at_random_moments(demo: DemoHome, orderly, tmp_path: Path):
    """After a random number of files and a random while; each next one goes on from where the last one died.

    `WINBACK_KILLS` gives another number of kills.
    """
    home = DemoHome.with_files_of(demo, tmp_path / "home")
    chance = random.Random(7)
    files = sum(path.is_file() for path in demo.landing.glob("*/*"))
    for taken in sorted(chance.randrange(files - 2) for _ in range(KILLS)):
        with subprocess.Popen(
            [sys.executable, "-c", EXTRACT_ALONE],
            cwd=PROJECT_DIR,
            env={**os.environ, **home.environment},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begins\n"
            while process.poll() is None and files_taken_in(home) < taken:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    home.build(*TO_CORE)
    assert_equal(home.core(), orderly)
    settings = home.settings
    left = [path for path in settings.lake_dir.rglob("*") if ".tmp" in path.name]
    assert left == []
    assert counted(home) == counted(demo)


def files_taken_in(home: DemoHome) -> int:
    """Ingestions that the lake has, half-written ones not counted."""
    return sum(1 for path in home.settings.lake_dir.glob("feeds/*/[0-9]*") if path.is_dir())


def counted(home: DemoHome) -> list[tuple]:
    """The current ingestions and their counts."""
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(
            "select feed, source, rows_read, rows_loaded, rows_quarantined, rows_duplicate "
            "from quality.ingestions where current order by all"
        ).fetchall()


def newest_rows(contract: FeedContract) -> str:
    """SQL of the feed's rows as staging takes them, so that every kind of source has each key once."""
    versions = [name for name in (contract.version, contract.event_time) if name]
    order = ", ".join([*(f"{name} desc nulls last" for name in versions), "_source desc", "_line desc"])
    return (
        f"select {', '.join(contract.column_names)} from raw.{contract.feed} "
        f"qualify row_number() over (partition by {', '.join(contract.key)} order by {order}) = 1"
    )


@pytest.fixture(scope="module")
def rows(demo: DemoHome, tmp_path_factory) -> Path:
    """A Parquet file per feed with the demo shop's rows."""
    folder = tmp_path_factory.mktemp("rows")
    with duckdb.connect(str(demo.settings.warehouse_file), read_only=True) as con:
        for feed, contract in load_contracts().items():
            con.execute(f"copy ({newest_rows(contract)}) to '{folder / feed}.parquet' (format parquet)")
    return folder


def home_of(folder: Path, source_of) -> DemoHome:
    """A home of a shop that has the rows in another kind of source."""
    demo = yaml.safe_load(DEMO.profile.read_text(encoding="utf-8"))
    del demo["generated"]
    demo["name"] = "moved_shop"
    demo["feeds"] = {
        feed: {"source": source_of(feed), "columns": {name: name for name in contract.column_names}}
        for feed, contract in load_contracts().items()
    }
    folder.mkdir(exist_ok=True)
    profile = folder / "moved_shop.yaml"
    profile.write_text(json.dumps(demo, default=str), encoding="utf-8")
    return DemoHome(SmallShop(folder, profile, sales_rows=0), folder / "home")


@pytest.fixture
def from_files(rows: Path, tmp_path: Path) -> dict[str, list[tuple]]:
    home = home_of(tmp_path / "files", lambda feed: {"type": "file", "path": str(rows / f"{feed}.parquet")})
    home.build(*TO_CORE)
    return home.core()


@pytest.fixture
def postgres(rows: Path, require_absent) -> Iterator[str]:
    """The URL of a database that holds the rows, and the schema in it."""
    url, schema = "postgresql://postgres@127.0.0.1:5432/test", f"winback_{uuid.uuid4().hex[:8]}"
    try:
        connection = dbapi.connect(url)
    except dbapi.Error as error:
        require_absent(f"PostgreSQL on 127.0.0.1:5432 with a database test for the user postgres: {error}")
    kinds = {"decimal": "numeric", "timestamp": "timestamptz", "integer": "bigint"}
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create schema {schema}")
        for feed, contract in load_contracts().items():
            columns = ", ".join(f'"{c.name}" {kinds.get(c.type, c.type)}' for c in contract.columns)
            cursor.execute(f"create table {schema}.{feed} ({columns})")
            # As text and cast by the server: the way in must not depend on the driver's own types.
            as_text = ", ".join(f'cast("{c.name}" as varchar) as "{c.name}"' for c in contract.columns)
            table = duckdb.sql(
                f"set TimeZone = 'UTC'; select {as_text} from '{rows / feed}.parquet'"
            ).to_arrow_table()
            cursor.adbc_ingest("loaded", table, mode="create", temporary=True)
            casts = ", ".join(f'cast("{c.name}" as {kinds.get(c.type, c.type)})' for c in contract.columns)
            cursor.execute(f"insert into {schema}.{feed} select {casts} from loaded")
            cursor.execute("drop table loaded")
        connection.commit()
        yield f"{url} {schema}"
        cursor.execute(f"drop schema {schema} cascade")
        connection.commit()


@pytest.fixture
def mariadb(rows: Path, require_absent) -> Iterator[str]:
    """The URL of a database that holds the rows, and its name."""
    name = f"winback_{uuid.uuid4().hex[:8]}"
    try:
        connection = pymysql.connect(host="127.0.0.1", user="root", charset="utf8mb4", autocommit=True)
    except pymysql.Error as error:
        require_absent(f"MariaDB on 127.0.0.1:3306 for root without a password: {error}")
    kinds = {
        "text": "longtext", "integer": "bigint", "decimal": "decimal(18, 4)", "boolean": "tinyint(1)",
        "date": "date", "timestamp": "datetime(6)",
    }  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create database {name} character set utf8mb4")
        for feed, contract in load_contracts().items():
            columns = ", ".join(f"`{c.name}` {kinds[c.type]}" for c in contract.columns)
            cursor.execute(f"create table {name}.{feed} ({columns})")
            values = ", ".join(
                f"strftime(timezone('UTC', {c.name}), '%Y-%m-%d %H:%M:%S.%f')"
                if c.type == "timestamp"
                else c.name
                for c in contract.columns
            )
            loaded = duckdb.sql(f"select {values} from '{rows / feed}.parquet'").fetchall()
            places = ", ".join(["%s"] * len(contract.columns))
            cursor.executemany(f"insert into {name}.{feed} values ({places})", loaded)
        yield f"mysql://root@127.0.0.1:3306/{name} {name}"
        cursor.execute(f"drop database {name}")


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_rows_of_a_database_give_the_core_tables_of_files(
    kind: str, from_files, tmp_path: Path, request, monkeypatch
):
    url, schema = request.getfixturevalue(kind).split(" ")
    monkeypatch.setenv("MOVED_SHOP_URL", url)
    source = {"type": {"mariadb": "mysql"}.get(kind, kind), "url": "${MOVED_SHOP_URL}", "time_zone": "UTC"}
    home = home_of(tmp_path / kind, lambda feed: source | {"table": f"{schema}.{feed}"})
    home.build(*TO_CORE)
    assert_equal(home.core(), from_files)
