"""Any bytes under any name: a clear error or accounted rows, never a crash, a hang or a leak.

`WINBACK_FUZZ=8000` is the long form, of other files with each `WINBACK_SEED`.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pytest
from fuzz_settings import at_most, fuzz, secrets
from fuzzed_files import BINDING, FuzzedFile, files
from hypothesis import given

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.errors import FeedError, ReconciliationError
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Lake
from pipelines.feeds.workspace import open_workspace

PROFILE = Path("data/profiles/fuzzed.yaml")


@dataclass
class Intake:
    """A workspace of its own for all files, and what became of them."""

    con: duckdb.DuckDBPyConnection
    folder: Path
    outcomes: Counter[str] = field(default_factory=Counter)

    def take_in(self, file: FuzzedFile) -> str:
        """Take the file in, and check what must hold of any file; returns the message of a refusal."""
        home = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            (home / file.name).write_bytes(file.content)
            binding = FeedBinding.model_validate(
                {"source": {"type": "file", "path": file.name, **file.source}, **BINDING}
            )
            lake = Lake(home / "lake")
            try:
                extract_feed(
                    self.con,
                    load_contracts()["pos_sales"],
                    binding,
                    lake,
                    profile_file=PROFILE,
                    base_dir=home,
                    time_zone="Europe/Berlin",
                    latest_event=date(2024, 12, 31),
                    scratch_dir=home / "scratch",
                    settle_seconds=0,
                )
            except ReconciliationError:
                raise
            except FeedError as error:
                self.outcomes["refused"] += 1
                assert lake.ingestions() == []
                assert list(home.glob("lake/**/*.parquet")) == []
                return self._checked(str(error))
            self._account_for(file, lake)
            return ""
        finally:
            shutil.rmtree(home)
            left = self.con.execute("select table_name from duckdb_tables()").fetchall()
            assert left == []

    def _checked(self, message: str) -> str:
        assert message.startswith(f"{PROFILE}: feeds.pos_sales."), message
        assert "INTERNAL" not in message, message
        for secret in secrets():
            assert secret not in message
        return message

    def _account_for(self, file: FuzzedFile, lake: Lake) -> None:
        (ingestion,) = lake.ingestions()
        counted = {}
        for name, path in (
            ("loaded", lake.rows_file(ingestion)),
            ("set aside", lake.quarantine_file(ingestion)),
        ):
            [counted[name]] = self.con.execute("select count(*) from read_parquet(?)", [str(path)]).fetchone()
        assert ingestion.rows_loaded == counted["loaded"]
        assert ingestion.rows_quarantined == counted["set aside"]
        assert (
            ingestion.rows_read
            == ingestion.rows_loaded + ingestion.rows_quarantined + ingestion.rows_duplicate
        )
        if file.rows is not None:
            self.outcomes["counted against the file"] += 1
            assert ingestion.rows_read == file.rows, ingestion
        self.outcomes["taken in, rows set aside" if ingestion.rows_quarantined else "taken in whole"] += 1


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    folder = tmp_path_factory.mktemp("fuzz")
    with open_workspace(folder / "scratch", memory_limit="512MB", threads=1) as con:
        intake = Intake(con, folder)
        yield intake
    print(f"\nfiles: {sum(intake.outcomes.values())}, {dict(intake.outcomes)}")


@fuzz(examples=120, share=0.7)
@given(file=files())
def test_any_file_is_refused_clearly_or_accounted_for(intake: Intake, file: FuzzedFile) -> None:
    with at_most(20):
        intake.take_in(file)
