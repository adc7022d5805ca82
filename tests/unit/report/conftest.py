"""Published databases of a made-up shop and of a shop without any rows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from pipelines.checks.verdicts import COLUMNS
from pipelines.feeds.raw import INGESTION_COLUMNS

PROJECT = Path(__file__).resolve().parents[3]
SCHEMAS = ("core", "marts", "activation", "kpi", "quality")


def _create(file: Path, rows: str) -> None:
    """An empty published database with the columns that the dbt contracts promise, and then rows."""
    with duckdb.connect(file) as con:
        for schema in SCHEMAS:
            con.execute(f"create schema {schema}")
        for yml in sorted((PROJECT / "dbt_project" / "models").glob("*/_*__models.yml")):
            for model in yaml.safe_load(yml.read_text(encoding="utf-8"))["models"]:
                columns = [f'"{column["name"]}" {column["data_type"]}' for column in model.get("columns", [])]
                if columns and yml.parent.name in SCHEMAS:
                    con.execute(f"create table {yml.parent.name}.{model['name']} ({', '.join(columns)})")
        for table, columns_of in (("gate_results", COLUMNS), ("ingestions", INGESTION_COLUMNS)):
            columns = [f"{name} {kind}" for name, (kind, _) in columns_of.items()]
            con.execute(f"create table quality.{table} ({', '.join(columns)})")
        con.execute(rows)


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop of `published.sql` as a database file, to be copied or read."""
    file = tmp_path_factory.mktemp("shop") / "published.duckdb"
    _create(file, (Path(__file__).parent / "published.sql").read_text(encoding="utf-8"))
    return file


@pytest.fixture(scope="session")
def shop(shop_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The shop, read only."""
    with duckdb.connect(shop_file, read_only=True) as con:
        yield con


@pytest.fixture
def changed_shop(shop_file: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the shop that a test may change."""
    file = tmp_path / "changed.duckdb"
    shutil.copy(shop_file, file)
    with duckdb.connect(file) as con:
        yield con


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All tables and no rows, read only."""
    file = tmp_path_factory.mktemp("empty") / "published.duckdb"
    _create(file, "select 1")
    with duckdb.connect(file, read_only=True) as con:
        yield con
