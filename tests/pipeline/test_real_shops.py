"""Both real shops, on their last day and on one in the middle, against figures won by another route.

`independent_rfm.py` computes RFM straight from the files, without SQL and without the project; `figures.yaml`
has its totals committed, so that the two can't agree by both being wrong in a new way.
"""

import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import independent_rfm
import polars as pl
import pytest
import yaml
from data_home import Home
from published_contract import faults
from small_shop import SmallShop

from pipelines.activation.emission import EmissionStore
from pipelines.settings import PROFILES_DIR, PROJECT_DIR

FIGURES = yaml.safe_load((Path(__file__).parent / "figures.yaml").read_text(encoding="utf-8"))

SALES_FEED = {"complete_journey": "pos_sales", "online_retail_ii": "ecommerce_order_lines"}

CHINESE = {
    "guide_class_zh": {
        "important_value": "重要价值",
        "important_development": "重要发展",
        "important_retention": "重要保持",
        "general": "一般",
    },
    "segment_8_zh": {
        "important_value": "重要价值",
        "important_keep": "重要保持",
        "important_development": "重要发展",
        "important_win_back": "重要挽留",
        "general_value": "一般价值",
        "general_keep": "一般保持",
        "general_development": "一般发展",
        "general_win_back": "一般挽留",
    },
}


@dataclass
class RealHome(Home):
    """A data home of a profile that the project brings."""

    source: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        source = {"WINBACK_ONLINE_RETAIL_II": str(self.source)} if self.source else {}
        return {**super().environment, **source, "WINBACK_MEMORY_LIMIT": "4GB"}


@dataclass(frozen=True)
class RealShop:
    """A real shop after the run of its last date; of one in the middle only the marts were built."""

    name: str
    home: RealHome
    last: dict[str, Any]
    middle: dict[str, Any]

    def rfm(self, day: date) -> pl.DataFrame:
        """`marts.customer_rfm` of a date, as the independent computation gives it, and the Chinese names."""
        settings = self.home.settings
        file = settings.published_file if day == self.last["as_of_date"] else settings.warehouse_file
        with duckdb.connect(str(file), read_only=True) as con:
            return con.execute(
                """
                select accounts.account_key as account_id, rfm.* exclude (as_of_date, customer_id)
                from marts.customer_rfm as rfm
                inner join core.customer_account as accounts on rfm.customer_id = accounts.customer_id
                where rfm.as_of_date = ? order by account_id
                """,
                [day],
            ).pl()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(name))
        for name in ("complete_journey", "online_retail_ii")
    ],
)
def shop(request, tmp_path_factory) -> RealShop:
    name: str = request.param
    home = RealHome(
        SmallShop(PROJECT_DIR, PROFILES_DIR / f"{name}.yaml", sales_rows=0),
        tmp_path_factory.mktemp(name) / "home",
        _source(name),
    )
    last, middle = FIGURES[name]["dates"]
    assert home.run() == 0, "the run of the last day"
    home.build("dormancy", "marts", day=middle["as_of_date"])
    return RealShop(name, home, last, middle)


def _source(name: str) -> Path | None:
    """The data set's file, where it is one that the user brings."""
    if name != "online_retail_ii":
        return None
    folder = Path(os.environ.get("WINBACK_REFERENCE_DATA", PROJECT_DIR.parent / "shared" / "data"))
    file = folder / "online_retail_ii" / "online_retail_ii_rebuilt.parquet"
    if not file.exists():
        reason = f"{file} is not there; WINBACK_REFERENCE_DATA names the folder of the reference data"
        if os.environ.get("WINBACK_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return file


@pytest.mark.parametrize("which", ["last", "middle"])
def test_rfm_equals_the_independent_computation(shop: RealShop, which: str) -> None:
    day = getattr(shop, which)["as_of_date"]
    expected = independent_rfm.rfm(shop.name, shop.home.source, day)
    found = shop.rfm(day)
    names = {name: found.drop_in_place(name) for name in CHINESE}
    assert set(found.columns) == set(expected.columns)
    assert found.select(pl.col(name).cast(kind) for name, kind in expected.schema.items()).equals(expected)
    for name, words in CHINESE.items():
        assert names[name].to_list() == [words[word] for word in expected[name.removesuffix("_zh")]]


@pytest.mark.parametrize("which", ["last", "middle"])
def test_totals_are_the_committed_figures(shop: RealShop, which: str) -> None:
    figures = getattr(shop, which)
    found = shop.rfm(figures["as_of_date"])
    assert found.height == figures["buyers"]
    assert str(found["monetary"].sum()) == figures["net_revenue"]
    assert found["frequency"].sum() == figures["purchase_days"]
    for scheme in ("guide_class", "segment_8", "segment_11"):
        assert dict(found.group_by(scheme).len().rows()) == figures[scheme], scheme


def test_the_last_day_is_sent(shop: RealShop) -> None:
    last = shop.last["as_of_date"]
    with shop.home.published() as con:
        decided = con.execute(
            "select distinct as_of_date, simulated, run_id is null "
            "from activation.recall_decision order by all"
        ).fetchall()
        missing = con.execute(
            """
            select count(*) from core.customer anti join activation.recall_decision as decisions
                on customer.customer_id = decisions.customer_id and decisions.as_of_date = ?
            """,
            [last],
        ).fetchone()
    assert decided == [(last, False, False)]
    assert missing == (0,), "one decision for every customer"
    settings = shop.home.settings
    assert EmissionStore(settings.lake_dir, settings.audiences_dir).dates() == [last]
    assert [folder.name for folder in settings.audiences_dir.iterdir()] == [f"as_of={last}"]


@pytest.fixture
def ingestions(shop: RealShop) -> dict[str, dict[str, Any]]:
    """The only ingestion of each feed."""
    with shop.home.published() as con:
        rows = con.execute("select * from quality.ingestions").pl().to_dicts()
    feeds = {row["feed"]: row for row in rows}
    assert len(feeds) == len(rows), "a second run takes nothing in"
    return feeds


def test_sales_rows_are_the_committed_figures(shop: RealShop, ingestions: dict[str, dict[str, Any]]) -> None:
    figures, sales = FIGURES[shop.name]["rows"], ingestions[SALES_FEED[shop.name]]
    assert sales["rows_read"] == figures["rows_read"]
    assert sales["rows_duplicate"] == figures["exact_duplicates"]
    assert sales["rows_loaded"] == figures["rows_loaded"]
    assert json.loads(sales["quarantined_by_reason"]) == {
        reason: rows for reason, rows in figures["quarantined"].items() if rows
    }


def test_every_feed_reconciles_and_by_reason(shop: RealShop, ingestions: dict[str, dict[str, Any]]) -> None:
    assert ingestions.keys() == shop.home.settings.profile.feeds.keys()
    with duckdb.connect(str(shop.home.settings.warehouse_file), read_only=True) as con:
        for feed, row in ingestions.items():
            accounted = row["rows_loaded"] + row["rows_quarantined"] + row["rows_duplicate"]
            assert row["rows_read"] == accounted > 0, feed
            reasons = con.execute(f"select reason, count(*) from quarantine.{feed} group by all").fetchall()
            assert json.loads(row["quarantined_by_reason"]) == dict(reasons), feed
            assert sum(rows for _, rows in reasons) == row["rows_quarantined"], feed
            assert con.execute(f"select count(*) from raw.{feed}").fetchone() == (row["rows_loaded"],), feed


def test_the_published_copy_keeps_the_contract(shop: RealShop) -> None:
    with shop.home.published() as con:
        assert faults(con) == []


def test_lines_of_products_that_nobody_describes_are_kept(shop: RealShop) -> None:
    with shop.home.published() as con:
        lines = con.execute(
            """
            select count(*) from core.order_line as lines
            anti join core.product as products on lines.product_id = products.product_id
            where lines.product_id is not null
            """
        ).fetchone()
    # Of 4,836 such lines of the Complete Journey 4,804 have quantity 0. The other shop's products come from
    # its lines.
    assert lines == ({"complete_journey": 32, "online_retail_ii": 0}[shop.name],)
