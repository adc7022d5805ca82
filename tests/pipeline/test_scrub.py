"""Between two dates somebody buys who was written to: they are taken off the lists, and counted."""

import csv
import re
from datetime import timedelta

import duckdb
import pytest
from data_home import Home
from small_shop import END, write_small_shop

from pipelines.activation.emission import EmissionStore

EVE = END - timedelta(days=1)


# What the small shop sells is so cheap that hardly anybody is worth a message.
DEAR = {
    "sales.csv": ("amount", "discount"),
    "products.csv": ("price", "cost"),
    "order_lines.csv": ("price", "amount"),
}


@pytest.fixture
def eve(tmp_path):
    """A home of a shop that is a hundred times as dear, in which the last date but one was run."""
    shop = write_small_shop(tmp_path / "shop")
    for name, columns in DEAR.items():
        with (shop.folder / name).open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        for row in rows:
            for column in columns:
                # Two of the shop's amounts are words.
                if re.fullmatch(r"-?[\d.]+", row[column]):
                    row[column] = f"{float(row[column]) * 100:.2f}"
        with (shop.folder / name).open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    home = Home(shop, tmp_path / "home")
    assert home.run("--date", str(EVE)) == 0
    return home


@pytest.fixture
def late_sale(eve):
    """What somebody on the eve's list bought on the last date, in a file of the till that arrives later."""
    store = EmissionStore(eve.settings.lake_dir, eve.settings.audiences_dir)
    buyer = listed(eve, store)[0]
    sell_late(eve, buyer, 1)
    return buyer


def listed(home, store):
    """Members of the store on the eve's list, one row per person, who sleep."""
    with (store.folder_of(EVE) / "crm" / "crm.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["account_source"] == "pos"]
    sleepers = [row for row in rows if row["journey"].startswith(("win_back", "rewarm", "brand", "price"))]
    return list({row["touch_id"]: row for row in sleepers}.values())


def sell_late(home, buyer, number):
    """A purchase of the last date, in a file of the till that arrives later."""
    header = "receipt,line,member,store,sold,product,quantity,amount,discount"
    sale = f"LATE{number},1,{buyer['account_id']},S1,{END} 11:00:00,P01,1,400.00,0.00"
    (home.shop.folder / f"sales_late_{number}.csv").write_text(f"{header}\n{sale}\n", encoding="utf-8")


def removed(folder):
    with (folder / "crm" / "crm_delta.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["change"] == "remove"]
    return {(row["account_id"], row["touch_id"], row["removed_because"]) for row in rows}


def dated_verdicts(home):
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(
            "select * from quality.gate_log where as_of_date is not null order by all"
        ).fetchall()


def outcome(home):
    """How many of the eve's contacts have bought, and the decisions of both dates, as published."""
    with home.published() as con:
        (bought,) = con.execute(
            "select sum(converted) from kpi.recall_outcome where as_of_date = ?", [EVE]
        ).fetchone()
        return bought, con.execute("from activation.recall_decision order by all").fetchall()


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

    # What has come of it is told, and what comes in between two dates when it is asked for.
    (bought, decided), gates = outcome(eve), dated_verdicts(eve)
    assert bought >= 1
    sell_late(eve, next(row for row in listed(eve, store) if row["touch_id"] != late_sale["touch_id"]), 2)
    assert eve.winback("refresh") == 0
    assert outcome(eve) == (bought + 1, decided)
    # Marts and decisions stand as they were judged; only the measures are new.
    changed = set(dated_verdicts(eve)) ^ set(gates)
    assert {row[1] for row in changed} == {"kpi"}
    assert len(store.dates()) == 2
