"""No clear personal data outside the private folders: not in the published copy, reports, logs or Dagster."""

import stat

import duckdb
import pytest
from demo_home import DemoHome

from pipelines.feeds.contract import load_contracts
from pipelines.privacy.search import find_texts

pytestmark = pytest.mark.xdist_group("demo")

# Keys of accounts are in the copy by design: analysts join their own data by them.
KEYS = {"account_id", "member_id", "visitor_id"}
PRIVATE = ("lake", "warehouse", "audiences", "scratch", "dagster_home", "demo_truth")


@pytest.fixture(scope="module")
def personal(demo: DemoHome) -> set[str]:
    """All values of the columns that name or reach a person, or in which somebody wrote."""
    texts: set[str] = set()
    with duckdb.connect(str(demo.settings.warehouse_file), read_only=True) as con:
        for feed, contract in load_contracts().items():
            for column in contract.columns:
                if column.name in KEYS or column.personal not in ("contact", "identifier", "free_text"):
                    continue
                rows = con.execute(f'select distinct "{column.name}" from raw.{feed}').fetchall()
                texts |= {str(value) for (value,) in rows if value is not None}
        coupons = con.execute("select distinct coupon_code from activation.recall_decision").fetchall()
        words = con.execute(
            "select unnest([name, category]) from core.product union select category from raw.web_events"
        ).fetchall()
    texts |= {str(value) for (value,) in coupons if value}
    # What people search for are the shop's own words.
    return {text for text in texts if len(text) > 5} - {str(word) for (word,) in words}


def test_the_search_below_would_find_them(demo, personal):
    assert len(personal) > 1000
    assert find_texts(demo.settings.lake_dir, personal) != []
    assert find_texts(demo.settings.audiences_dir, personal) != []


@pytest.mark.parametrize("folder", ["published", "reports", "dagster_home"])
def test_no_personal_data_in(demo, personal, folder):
    assert find_texts(demo.path / folder, personal) == []


def test_a_run_says_nothing_of_people(demo, personal, tmp_path):
    log = demo.path.with_name("run.log")
    assert log.stat().st_size > 1000, "the fixture keeps what the run has said"
    (tmp_path / "run.log").write_bytes(log.read_bytes())
    assert find_texts(tmp_path, personal) == []


@pytest.mark.parametrize("folder", PRIVATE)
def test_private_folders_are_closed_to_others(demo, folder):
    assert stat.S_IMODE((demo.path / folder).stat().st_mode) == 0o700


def test_landed_files_are_open_to_the_group_alone(demo):
    assert stat.S_IMODE(demo.landing.stat().st_mode) == 0o770
