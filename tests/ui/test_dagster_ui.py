"""The Dagster UI as a person uses it: a real webserver and daemon, and a real browser."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster_ui import RUN_S, DagsterUi, served
from data_home import Home
from small_shop import END

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Its own processes, which do not like to be beside others of their kind.
pytestmark = pytest.mark.xdist_group("processes")

ASSET, SUITE = (
    "kpi/dormancy_overview",
    "Counts of customers by state, tier and reason that add up to the dormancy mart.",
)
# In the shop's own words, of the report's chart.
READING = "customers of"


def test_a_person_runs_a_date_and_looks_at_what_came_of_it(
    browser: "Browser", eve: Home, tmp_path: Path
) -> None:
    with served(eve.environment, tmp_path / "ui.log") as address:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        ui = DagsterUi(address, page)

        ui.lineage()
        for group in ("raw", "core", "marts", "activation", "audiences", "kpi", "published", "reports"):
            assert page.get_by_text(group, exact=True).count() >= 1, group

        ui.launch("daily_recall", END.isoformat())
        page.get_by_text("Success", exact=True).or_(page.get_by_text("Failure", exact=True)).first.wait_for(
            timeout=RUN_S * 1000
        )
        assert page.get_by_text("Success", exact=True).count()

        ui.asset(ASSET)
        assert ui.shown(END.isoformat())
        # The meaning of a column, and the page that tells more.
        assert ui.shown("active, cooling, dormant, deep_dormant or lost.")
        assert page.get_by_text("docs/measurement.md").count()

        ui.check(ASSET, "gate")
        assert ui.shown(SUITE)
        assert ui.shown("Passed")

        image = ui.chart(ASSET)
        assert image.evaluate("image => image.complete && image.naturalWidth > 300")
        assert page.get_by_text(READING).count()
        page.close()

    assert list((eve.settings.audiences_dir / f"as_of={END}").rglob("manifest.json"))
    with eve.published() as con:
        assert con.execute("select max(as_of_date) from marts.customer_rfm").fetchone() == (END,)
