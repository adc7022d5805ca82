"""Any profile, any environment and any binding: a clear error that names file and key, or one that works.

`WINBACK_FUZZ=8000` is the long form, of other inputs with each `WINBACK_SEED`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fuzz_settings import SECRET_URL, SECRET_VARIABLE, at_most, fuzz, secrets
from fuzzed_files import NASTY
from fuzzed_profiles import bindings, profiles
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.errors import ConfigError, FeedError, ReconciliationError
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Lake
from pipelines.feeds.workspace import open_workspace
from pipelines.settings import load_profile, load_settings

SALES = """\
receipt,line,sold,quantity,amount
R1,1,2024-05-01 10:00:00,1,9.90
R1,2,2024-05-01 10:00:00,two,9.90
R2,1,2024-03-31 02:30:00,0,0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET_URL)
        yield tmp_path_factory.mktemp("profiles")


@pytest.fixture(scope="module")
def con(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_workspace(folder / "workspace", memory_limit="512MB", threads=1) as connection:
        yield connection


def checked(message: str, begins: str) -> None:
    """A message that names the place on each of its findings and holds no secret."""
    assert message.startswith(begins), message
    assert len(message) < 20_000
    for secret in secrets():
        assert secret not in message


@fuzz(examples=80, share=0.15)
@given(content=profiles())
def test_any_profile_is_refused_clearly_or_read(folder: Path, content: bytes) -> None:
    file = folder / "fuzzed.yaml"
    file.write_bytes(content)
    with at_most(20):
        try:
            profile = load_profile(str(file))
        except ConfigError as error:
            checked(str(error), f"{file}: ")
        else:
            assert profile.file == file
            assert profile.feeds


VARIABLES = (
    "MEMORY_LIMIT",
    "EXTRACT_MEMORY_LIMIT",
    "THREADS",
    "SETTLE_SECONDS",
    "LOCK_TIMEOUT_SECONDS",
    "CUSTOMERS",
    "PROFILE",
    "DATA_DIR",
)


@fuzz(examples=30, share=0.05)
@given(
    environment=st.dictionaries(
        st.sampled_from([f"WINBACK_{name}" for name in VARIABLES]),
        st.one_of(
            st.sampled_from([*NASTY, "4GB", "2", "-1", "0", "nan", "1e400"]), st.text(max_size=10)
        ).filter(
            lambda value: "\x00" not in value  # no environment can hold one
        ),
    )
)
def test_any_environment_is_refused_clearly_or_taken(environment: dict[str, str]) -> None:
    with at_most(20):
        try:
            load_settings(environment)
        except ConfigError as error:
            assert str(error).startswith(("environment: WINBACK_", "profile ")), error


@fuzz(examples=60, share=0.1)
@given(binding=bindings())
def test_any_binding_is_refused_clearly_or_takes_rows_in(
    folder: Path, con: duckdb.DuckDBPyConnection, binding: dict[str, Any]
) -> None:
    home = Path(tempfile.mkdtemp(dir=folder))
    (home / "sales.csv").write_text(SALES, encoding="utf-8")
    try:
        with at_most(20):
            try:
                model = FeedBinding.model_validate(binding)
            except ValidationError:
                return  # how it is told is the profile's test
            _take_in(con, model, home)
    finally:
        shutil.rmtree(home)
        assert con.execute("select table_name from duckdb_tables()").fetchall() == []


def _take_in(con: duckdb.DuckDBPyConnection, binding: FeedBinding, home: Path) -> None:
    lake = Lake(home / "lake")
    try:
        extract_feed(
            con,
            load_contracts()["pos_sales"],
            binding,
            lake,
            profile_file=Path("data/profiles/fuzzed.yaml"),
            base_dir=home,
            time_zone="Europe/Berlin",
            latest_event=date(2024, 12, 31),
            scratch_dir=home / "scratch",
            settle_seconds=0,
        )
    except ReconciliationError:
        raise
    except FeedError as error:
        checked(str(error), "data/profiles/fuzzed.yaml: feeds.pos_sales.")
        assert lake.ingestions() == []
