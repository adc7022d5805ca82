"""Published databases of a made-up shop and of a shop without any rows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from made_up_shop import create


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop of `published.sql` as a database file, to be copied or read."""
    file = tmp_path_factory.mktemp("shop") / "published.duckdb"
    create(file)
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
    create(file, is_empty=True)
    with duckdb.connect(file, read_only=True) as con:
        yield con
