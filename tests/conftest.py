"""What all tests share: a shop of which a day was run, and how a test says that what it needs is missing."""

import os
import shutil
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

# Where the shops and their homes are described.
sys.path.insert(0, str(Path(__file__).parent / "pipeline"))

from data_home import Home
from small_shop import END, SmallShop, write_small_shop


def absent(what: str) -> None:
    """Skips the test with a printed reason; where everything must be there, it fails.

    Args:
        what: what is missing and how to get it.
    """
    if os.environ.get("WINBACK_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} (WINBACK_REQUIRE_ALL=1 makes this a failure)")
    pytest.skip(what)


@pytest.fixture(scope="session")
def require_absent():
    """The function `absent`, for tests and fixtures in any folder."""
    return absent


@pytest.fixture(scope="session")
def require_spark() -> None:
    """Skips the test where Spark cannot work."""
    if find_spec("pyspark") is None:
        absent("no PySpark: pip install 'winback[spark]'")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        absent("no Java for Spark: make java, or Java 17 or newer on the PATH")


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory) -> SmallShop:
    return write_small_shop(tmp_path_factory.mktemp("small_shop"))


@pytest.fixture(scope="session")
def _eve(small_shop, tmp_path_factory) -> Home:
    home = Home(small_shop, tmp_path_factory.mktemp("eve") / "home")
    assert home.run("--date", str(END - timedelta(days=1))) == 0
    return home


@pytest.fixture
def eve(_eve, tmp_path) -> Home:
    """A copy of a home in which the last date but one was run: the last one is still to be sent."""
    return _eve.copy(tmp_path / "home")
