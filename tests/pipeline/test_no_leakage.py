"""No event makes an earlier date wiser: a date's results are those of a shop that ends with it."""

import csv
from pathlib import Path
from typing import Any

import pytest
from story import DATE_COLUMNS, MID, Moment, Story, write_story_shop

pytestmark = pytest.mark.xdist_group("story")

MIDNIGHT = "2024-04-18 00:00:00"
"""The first moment after MID, by the shop's clock."""


@pytest.fixture(scope="module")
def ignorant(story: Story, tmp_path_factory) -> Moment:
    """MID in a shop with another future: none of what happened, and other purchases and returns instead."""
    folder = tmp_path_factory.mktemp("ignorant")
    shop = write_story_shop(folder / "shop")
    _change_receipts(shop.folder / "sales.csv")
    _change_orders(shop.folder / "orders.csv", shop.folder / "order_lines.csv")
    home = type(story.home)(shop, folder / "home")
    assert home.run("--date", str(MID)) == 0
    return Moment.of(home)


def _change_receipts(file: Path) -> None:
    header, rows = _read(file)
    past = [row for row in rows if row["sold"] < MIDNIGHT]
    assert len(past) < len(rows)
    instead = []
    for number, row in enumerate(past):
        if row["member"] and row["product"] != "BAG" and row["quantity"] == "1":
            # One member in two brings everything back at once, the other buys all of it again.
            sign = -1 if int(row["member"][1:]) % 2 else 1
            instead.append(
                {
                    **row,
                    "receipt": f"N{number}",
                    "line": "1",
                    "sold": MIDNIGHT,
                    "quantity": str(sign),
                    "amount": str(sign * 50),
                    "discount": "0.00",
                }
            )
    _write(file, header, past + instead)


def _change_orders(orders_file: Path, lines_file: Path) -> None:
    header, orders = _read(orders_file)
    lines_header, lines = _read(lines_file)
    past = [order for order in orders if order["ordered"] < MIDNIGHT]
    assert len(past) < len(orders)
    # One order in three is sent back, with the order stated; the gate would not believe in more.
    numbers = {order["order_no"] for order in past[::3] if order["status"] == "completed"}
    back = [
        {**order, "order_no": f"N{order['order_no']}", "ordered": MIDNIGHT, "status": "return"}
        for order in past
        if order["order_no"] in numbers
    ]
    known = {order["order_no"] for order in past}
    back_lines = [
        {
            **line,
            "order_no": f"N{line['order_no']}",
            "quantity": f"-{line['quantity']}",
            "amount": f"-{line['amount']}",
            "returned_order": line["order_no"],
        }
        for line in lines
        if line["order_no"] in numbers
    ]
    _write(orders_file, header, past + back)
    _write(lines_file, lines_header, [line for line in lines if line["order_no"] in known] + back_lines)


def _read(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    with file.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        return list(reader.fieldnames or ()), list(reader)


def _write(file: Path, header: list[str], rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, header)
        writer.writeheader()
        writer.writerows(rows)


def test_the_other_future_is_another(story: Story, ignorant: Moment) -> None:
    # Core is what is known now, so it tells the two shops apart.
    assert story["mid"].tables["core.purchase_day"] != ignorant.tables["core.purchase_day"]
    revenue = [
        sum(row["net_revenue"] for row in m.records("core.customer")) for m in (story["mid"], ignorant)
    ]
    assert revenue[0] != revenue[1]


@pytest.mark.parametrize("table", DATE_COLUMNS)
def test_later_events_do_not_change_the_rows_of_a_date(story: Story, ignorant: Moment, table: str) -> None:
    # The one exception: the other home decides for real, and sees who bought before the messages went out.
    overtaken = {
        customer
        for customer, row in ignorant.decisions(MID).items()
        if row["reason_code"] == "bought_since" and table == "activation.recall_decision"
    }
    wise, plain = (_rows(moment, table, overtaken) for moment in (story["mid"], ignorant))
    assert plain
    assert wise == plain
    assert not overtaken or {story["mid"].decisions(MID)[c]["decision"] for c in overtaken} <= {
        "send",
        "holdout",
        "no_action",
    }


def _rows(moment: Moment, table: str, left_out: set[str]) -> list[dict[str, Any]]:
    """Rows of MID, without who made them and whether they count: one of the two homes was there before."""
    volatile = ("run_id", "simulated", "priority")
    return [
        {name: value for name, value in row.items() if name not in volatile}
        for row in moment.records(table, MID)
        if row.get("customer_id") not in left_out
    ]


def test_the_fit_of_a_date_knows_no_later_event(story: Story, ignorant: Moment) -> None:
    fits = [row for row in story["mid"].records("marts.dormancy_model") if row["fitted_on"] <= MID]
    assert fits and fits == ignorant.records("marts.dormancy_model")
