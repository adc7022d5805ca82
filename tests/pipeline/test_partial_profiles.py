"""Profiles that bind a part of the feeds: what can work works, and what cannot says so."""

import pytest
import yaml
from data_home import Home
from published_contract import faults
from small_shop import SmallShop

from pipelines.feeds.contract import load_contracts

pytestmark = pytest.mark.xdist_group("eve")


def home_with(feeds: set[str], small_shop: SmallShop, folder) -> Home:
    """A home of the small shop with a profile of these feeds alone."""
    profile = yaml.safe_load(small_shop.profile.read_text(encoding="utf-8"))
    profile["feeds"] = {feed: binding for feed, binding in profile["feeds"].items() if feed in feeds}
    file = folder / "part.yaml"
    file.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return Home(SmallShop(small_shop.folder, file, small_shop.sales_rows), folder / "home")


def test_a_shop_that_has_only_tills_and_members(small_shop, tmp_path, capfd):
    bound = {"pos_sales", "pos_members"}
    home = home_with(bound, small_shop, tmp_path)

    assert home.run() == 0

    said = capfd.readouterr().out
    (missing,) = (line for line in said.splitlines() if line.startswith("not bound by the profile: "))
    for feed in load_contracts():
        assert (f"{feed} (" in missing) == (feed not in bound), feed
    with home.published() as con:
        assert faults(con) == []
        decided = con.execute(
            "select count(*), count(*) filter (where decision = 'send') from activation.recall_decision"
        ).fetchone()
        customers = con.execute("select count(*) from core.customer").fetchone()
        categories = con.execute("select distinct model_category from marts.customer_dormancy").fetchall()
        elsewhere = con.execute(
            "select (select count(*) from core.session) + (select count(*) from core.ticket) "
            "+ (select count(*) from core.touch)"
        ).fetchone()
    assert decided is not None and customers is not None
    assert decided[0] == customers[0] > 100 and decided[1] > 0
    assert categories == [("all",)]
    assert elsewhere == (0,)
    assert home.exports()
