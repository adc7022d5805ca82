"""Fixtures of the feed tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from feed_shop import Shop

from pipelines.feeds.contract import FeedContract, load_contracts


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


@pytest.fixture
def shop(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> Shop:
    return Shop(tmp_path, con)


@pytest.fixture(scope="session")
def contracts() -> dict[str, FeedContract]:
    return load_contracts()


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of reference data sets, outside the project."""
    project = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("WINBACK_REFERENCE_DATA", project.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; WINBACK_REFERENCE_DATA names the folder")
    return folder
