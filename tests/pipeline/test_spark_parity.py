"""The demo shop on Spark: every published table is the one that DuckDB has made, from the same lake.

Spark works in a process of its own, as it does for people: its JVM would stay in the worker of the tests.
"""

import os
import shutil
import subprocess

import pytest
from demo_home import DEMO, DemoHome
from published_contract import COLUMNS

from pipelines.settings import PROJECT_DIR
from pipelines.spark.comparison import NOT_COMPUTED

# The demo shop's home is one worker's.
pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def compared(require_spark, demo: DemoHome, tmp_path_factory) -> tuple[int, str]:
    """Status and output of the command, in a home that has the lake and the published copy alone."""
    home = DemoHome(DEMO, tmp_path_factory.mktemp("spark") / "home")
    for part in (demo.settings.lake_dir, demo.settings.published_file.parent):
        shutil.copytree(part, home.path / part.name)
    before = {file: file.read_bytes() for file in sorted(home.settings.lake_dir.rglob("*")) if file.is_file()}
    done = subprocess.run(
        home.command("spark", "--compare"),
        cwd=PROJECT_DIR,
        env={**os.environ, **home.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    after = {file: file.read_bytes() for file in sorted(home.settings.lake_dir.rglob("*")) if file.is_file()}
    assert before == after
    return done.returncode, done.stdout + done.stderr


def lines(said: str) -> dict[str, list[str]]:
    """The words of each table's line."""
    found = (line.split() for line in said.splitlines())
    return {words[0]: words for words in found if words and words[0] in COLUMNS}


def test_every_published_table_is_equal(compared):
    status, said = compared

    assert status == 0, said
    found = lines(said)
    assert found.keys() == COLUMNS.keys() - NOT_COMPUTED
    assert {table: words[2:] for table, words in found.items() if words[2] != "0" or len(words) > 4} == {}
    assert all(float(words[3]) <= 1e-9 for words in found.values())


def test_the_tables_that_are_compared_have_rows(compared):
    _, said = compared
    empty = {table for table, words in lines(said).items() if words[1] == "0"}

    # One run of a small shop retires no id, and who was woken has not had time to fall asleep again.
    assert empty <= {"core.customer_alias", "kpi.redormancy"}
