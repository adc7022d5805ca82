"""Between two dates somebody buys who was written to: the scrub takes them off, and the next date goes on."""

import csv
from datetime import timedelta

import duckdb
import pytest
from small_shop import END

from pipelines.activation.emission import EmissionStore

pytestmark = pytest.mark.xdist_group("eve")

EVE = END - timedelta(days=1)


@pytest.fixture
def buyer(eve):
    """The account of one of those whom the eve's list has, as the shop's till knows it."""
    with (
        EmissionStore(eve.settings.lake_dir, eve.settings.audiences_dir).folder_of(EVE) / "crm/crm.csv"
    ).open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["account_source"] == "pos"]
    assert rows, "the eve must have somebody to take off"
    return rows[0]


@pytest.fixture
def late_sale(eve, buyer):
    """A file of the till that arrives later, with what that customer bought on the last date."""
    file = eve.shop.folder / "sales_late.csv"
    header = "receipt,line,member,store,sold,product,quantity,amount,discount"
    sale = f"LATE1,1,{buyer['account_id']},S1,{END} 11:00:00,P01,1,4.00,0.00"
    try:
        file.write_text(f"{header}\n{sale}\n", encoding="utf-8")
        yield buyer
    finally:
        file.unlink()


def removed(folder):
    with (folder / "crm" / "crm_delta.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["change"] == "remove"]
    return {(row["account_id"], row["touch_id"], row["removed_because"]) for row in rows}


def dated_verdicts(home):
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(
            "select * from quality.gate_log where as_of_date is not null order by all"
        ).fetchall()


def test_who_buys_after_the_list_went_out_is_taken_off_once(eve, late_sale):
    store = EmissionStore(eve.settings.lake_dir, eve.settings.audiences_dir)
    verdicts, published = dated_verdicts(eve), eve.settings.published_file.read_bytes()

    assert eve.winback("scrub") == 0

    (folder,) = store.scrub_folders()
    assert (late_sale["account_id"], late_sale["touch_id"], "bought") in removed(folder)
    assert dated_verdicts(eve) == verdicts
    assert eve.settings.published_file.read_bytes() == published

    assert eve.winback("scrub") == 0
    assert store.scrub_folders() == [folder]

    # What the scrub has built and checked up to the core does not stand in the way of the next date.
    assert eve.run() == 0
    assert late_sale["touch_id"] not in {touch for _, touch, _ in removed(store.folder_of(END))}
    assert len(store.dates()) == 2
