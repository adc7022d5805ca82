"""The floor under the daily job makes the tables that a run makes; a shop's day is divided without loss."""

import gzip
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from demo_home import DemoHome

from pipelines.demo import has_demo_shop
from pipelines.settings import PROJECT_DIR

BENCHMARKS = PROJECT_DIR / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from arriving import arrive, divide  # noqa: E402 - found beside the benchmarks

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def floor(demo: DemoHome, tmp_path_factory) -> Path:
    """The folder of the tables that the floor has made of the demo home's files."""
    folder = tmp_path_factory.mktemp("floor")
    options = {
        "plan": folder / "plan.json",
        "landing": demo.landing,
        # Its own home: what is taken of it depends on the profile and the date alone.
        "template": demo.settings.warehouse_file,
        "out": folder / "out",
        "memory-limit": "1GB",
    }
    command = [sys.executable, str(BENCHMARKS / "floor.py")]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_DIR)
    assert done.returncode == 0, done.stderr
    return folder / "out" / "published"


def test_the_floor_makes_the_tables_of_a_run(demo: DemoHome, floor: Path) -> None:
    """All rows of all tables but those about runs. Of rows with one key, version and time both take the one
    that stands last, by file and line; what follows is the same SQL, of which no result hangs on an order."""
    expected = {name: rows for name, rows in demo.work().items() if not name.startswith("quality.")}
    with duckdb.connect() as con:
        found = {
            file.stem: con.execute(
                f"select columns(name -> name != 'run_id') from '{file}' order by all"
            ).fetchall()
            for file in floor.glob("*.parquet")
        }
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert len(found[table]) == len(rows), table
        assert found[table] == rows, table
    assert min(len(expected[name]) for name in ("core.order_line", "marts.customer_dormancy")) > 100


def test_a_day_of_the_shop_is_divided_without_loss(demo: DemoHome, tmp_path: Path) -> None:
    landing, aside = tmp_path / "landing", tmp_path / "aside"
    shutil.copytree(demo.landing, landing)
    whole = _rows(landing)
    divided = divide(landing, aside, 0.05)
    assert has_demo_shop(landing, customers=250)
    late = _rows(aside)
    assert sum(map(sum, (Counter(rows).values() for rows in late.values()))) == divided.rows
    assert 0.02 < divided.share <= 0.06
    assert set(late) >= {"ecommerce_orders", "ecommerce_order_lines", "pos_sales", "web_events"}
    lines = {row[0] for row in late["ecommerce_order_lines"]}
    assert lines <= {row.split(b",")[0].decode() for row in late["ecommerce_orders"]}

    arrive(divided, landing)
    again = _rows(landing)
    assert again.keys() == whole.keys()
    for feed, rows in whole.items():
        assert Counter(again[feed]) == Counter(rows), feed


def _rows(folder: Path) -> dict[str, list]:
    """Rows of the feeds' files, of text the lines; headings of CSVs left out."""
    rows: dict[str, list] = {}
    for file in sorted(folder.glob("*/*")):
        found = rows.setdefault(file.parent.name, [])
        if file.suffix == ".parquet":
            with duckdb.connect() as con:
                found += con.execute(f"from '{file}'").fetchall()
        elif file.suffix != ".xlsx":
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            found += content.splitlines()[1 if ".csv" in file.suffixes else 0 :]
    return rows
