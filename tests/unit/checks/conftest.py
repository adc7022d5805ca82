"""A tiny good shop in DuckDB, with the columns that feed contracts and dbt contracts promise."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

from pipelines.checks.stages import Stage
from pipelines.checks.verdicts import ensure_tables
from pipelines.feeds.contract import load_contracts

PROJECT = Path(__file__).resolve().parents[3]
AS_OF_DATE = date(2024, 6, 30)
FEEDS = load_contracts()


def _tables() -> list[str]:
    """Statements that create every schema and table."""
    statements = [f"create schema {schema}" for schema in [*Stage, "policy", "control", "quality"]]
    for feed, contract in FEEDS.items():
        columns = [f"{column.name} {column.sql_type}" for column in contract.columns]
        origin = "_ingestion_id varchar, _source varchar, _line bigint"
        statements.append(f"create table raw.{feed} ({', '.join(columns)}, {origin})")
    for file in sorted((PROJECT / "dbt_project" / "models").glob("*/_*__models.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]:
            columns = [
                f'"{column["name"]}" {column["data_type"]}'
                for column in model.get("columns", [])
                if "data_type" in column
            ]
            if columns:
                statements.append(f"create table {file.parent.name}.{model['name']} ({', '.join(columns)})")
    return statements


def _load_control(con: duckdb.DuckDBPyConnection) -> None:
    for seed in (
        "budget",
        "channel",
        "holdout",
        "journey",
        "offer",
        "reason",
        "reason_code",
        "survey_answer",
    ):
        file = PROJECT / "dbt_project" / "seeds" / "policy" / f"{seed}.csv"
        con.execute(f"create table policy.{seed} as from read_csv('{file}')")
    con.execute(
        f"create table control.decision_date as select date '{AS_OF_DATE}' as as_of_date, false as is_frozen"
    )
    con.execute("create table control.feed_limit (feed varchar, max_quarantine_share double)")
    con.execute(
        """
        create table quality.ingestions (
            ingestion_id varchar, feed varchar, source varchar, rows_read bigint, rows_loaded bigint,
            rows_quarantined bigint, rows_duplicate bigint, quarantined_by_reason varchar, current boolean
        )
        """
    )
    for feed in FEEDS:
        con.execute("insert into control.feed_limit values (?, 0.05)", [feed])
        con.execute(
            f"""
            insert into quality.ingestions
            select '000001-abc', '{feed}', _source, count(*), count(*), 0, 0, '{{}}', true
            from raw.{feed} group by _source
            """
        )


@pytest.fixture(scope="session")
def good_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good shop of `shop.sql` as a database file, to be copied."""
    file = tmp_path_factory.mktemp("shop") / "good.duckdb"
    with duckdb.connect(file, config={"threads": 1}) as con:
        con.execute(";".join(_tables()))
        con.execute((Path(__file__).parent / "shop.sql").read_text(encoding="utf-8"))
        _load_control(con)
        ensure_tables(con)
    return file


@pytest.fixture
def shop_file(good_shop: Path) -> Iterator[Path]:
    """A copy that a test may spoil."""
    file = good_shop.with_name("spoilt.duckdb")
    shutil.copy(good_shop, file)
    yield file
    file.unlink()


@pytest.fixture
def shop(shop_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(shop_file, config={"threads": 1}) as con:
        yield con
