"""Files that change, come late or come in another order: the tables follow the rows, not their way in."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import independent_rfm
import polars as pl
import pytest
from dagster import DagsterInstance
from small_shop import END, write_small_shop
from story import DATE_COLUMNS, OUTCOMES, Moment

from pipelines.assets.extract import raw_key
from pipelines.build import build_definitions
from pipelines.jobs import DAILY_RECALL
from pipelines.resources.instance import prepare_home

pytestmark = pytest.mark.xdist_group("eve")

DERIVED = ("core", "marts", "kpi")
"""Schemas whose tables follow from the rows alone, however they came."""

GONE, SHORTENED = "M001", "M002"
"""Members whose receipts vanish from the changed file: all of the one's, those since May of the other's."""


@dataclass(frozen=True)
class Till:
    """What `sales.csv` has at first."""

    header: list[str]
    rows: list[dict[str, str]]

    @classmethod
    def read(cls, file: Path) -> "Till":
        with file.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            return cls(list(reader.fieldnames or ()), list(reader))

    def deliver(self, file: Path, rows: Iterable[Mapping[str, str]]) -> None:
        """Write a file of receipts, in place of an earlier version if there is one."""
        with file.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, self.header)
            writer.writeheader()
            writer.writerows(rows)

    def second_half(self) -> list[dict[str, str]]:
        """Every other receipt, but none of the two members whose receipts vanish later."""
        return [
            row
            for row in self.rows
            if int(row["receipt"][1:]) % 2 == 0 and row["member"] not in (GONE, SHORTENED)
        ]

    def first_half(self) -> list[dict[str, str]]:
        """The others, and an outdated version of ten lines of the second half."""
        second = self.second_half()
        receipts = {row["receipt"] for row in second}
        outdated = [{**row, "quantity": "9", "amount": "90.00"} for row in second[:10]]
        return [row for row in self.rows if row["receipt"] not in receipts] + outdated

    def vanishing(self) -> list[dict[str, str]]:
        """Receipts of the first half that its changed version lacks."""
        return [
            row
            for row in self.rows
            if row["member"] == GONE or (row["member"] == SHORTENED and row["sold"] >= "2024-05-01")
        ]


@dataclass(frozen=True)
class Deliveries:
    """The till, and the home after each run."""

    till: Till
    both: Moment
    fewer: Moment
    added: Moment


@pytest.fixture(scope="module")
def deliveries(day_after_eve, tmp_path_factory) -> Deliveries:
    """The second half comes before the first; then the first changes and loses rows; then they come again."""
    folder = tmp_path_factory.mktemp("deliveries")
    home = type(day_after_eve)(write_small_shop(folder / "shop"), folder / "home")
    first, second, third = (home.shop.folder / name for name in ("sales.csv", "sales_2.csv", "sales_3.csv"))
    till = Till.read(first)
    vanishing = till.vanishing()
    first.unlink()
    till.deliver(second, till.second_half())
    _extract_sales(home)
    till.deliver(first, till.first_half())
    assert home.run() == 0
    both = Moment.of(home)
    till.deliver(first, [row for row in till.first_half() if row not in vanishing])
    assert home.run() == 0
    fewer = Moment.of(home)
    till.deliver(third, vanishing)
    assert home.run() == 0
    return Deliveries(till, both, fewer, Moment.of(home))


def _extract_sales(home) -> None:
    """Take in receipts and build nothing."""
    prepare_home(home.settings)
    job = build_definitions(home.settings).resolve_job_def(DAILY_RECALL)
    with DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, partition_key=str(END), asset_selection=[raw_key("pos_sales")]
        )
    assert result.success


def _derived(moment: Moment) -> dict[str, list[dict[str, Any]]]:
    """Rows of the derived tables; of the last date where they are of dates."""
    return {
        table: moment.records(table, END if table in DATE_COLUMNS else None)
        for table in moment.tables
        if table.split(".")[0] in DERIVED and table not in OUTCOMES
    }


def test_rows_in_two_files_in_any_order_give_the_tables_of_one_file(
    deliveries: Deliveries, day_after_eve
) -> None:
    in_one_file = _derived(Moment.of(day_after_eve))
    assert in_one_file["core.order_line"] and in_one_file["marts.customer_rfm"]
    in_two_files = _derived(deliveries.both)
    assert in_two_files.keys() == in_one_file.keys()
    for table, rows in in_one_file.items():
        assert in_two_files[table] == rows, table


def test_an_added_file_gives_what_the_rows_gave_before(deliveries: Deliveries) -> None:
    before, added = _derived(deliveries.both), _derived(deliveries.added)
    for table, rows in before.items():
        assert added[table] == rows, table


def test_rows_that_vanish_from_a_file_vanish_from_core(deliveries: Deliveries) -> None:
    gone = {(row["receipt"], int(row["line"])) for row in deliveries.till.vanishing()}
    assert len(gone) > 30
    before, after = _receipt_lines(deliveries.both), _receipt_lines(deliveries.fewer)
    assert gone <= before.keys()
    assert after.keys() == before.keys() - gone
    customers = {row["customer_id"] for row in before.values() if (row["order_id"], row["line_no"]) in gone}
    # Their returns vanished too, so what is left of their purchases may count otherwise; nobody else's does.
    assert {key: row for key, row in after.items() if row["customer_id"] not in customers} == {
        key: row for key, row in before.items() if row["customer_id"] not in customers
    }


def _receipt_lines(moment: Moment) -> dict[tuple[str, int], dict[str, Any]]:
    return {
        (row["order_id"], row["line_no"]): row
        for row in moment.records("core.order_line")
        if row["channel"] == "pos"
    }


@pytest.mark.parametrize("name", ["both", "fewer", "added"])
def test_recency_frequency_and_monetary_follow_the_files(deliveries: Deliveries, name: str) -> None:
    moment: Moment = getattr(deliveries, name)
    vanished = deliveries.till.vanishing() if name == "fewer" else []
    rows = [row for row in deliveries.till.rows if row not in vanished]
    expected = {
        account: values
        for account, *values in independent_rfm.rfm_of_lines(_lines(rows), END)
        .select("account_id", "recency_days", "frequency", "monetary")
        .rows()
    }
    members = _members(moment)
    found = {
        members[row["customer_id"]]: [row["recency_days"], row["frequency"], row["monetary"]]
        for row in moment.records("marts.customer_rfm", END)
        if row["customer_id"] in members
    }
    assert found == expected
    assert (GONE in found) == (name != "fewer")


def _members(moment: Moment) -> dict[str, str]:
    return {
        row["customer_id"]: row["account_key"]
        for row in moment.records("core.customer_account")
        if row["source"] == "pos"
    }


def _lines(rows: list[dict[str, str]]) -> pl.DataFrame:
    """Receipt lines that are neither duplicates nor wrong, as the independent RFM takes them."""
    accepted = {
        (row["receipt"], row["line"]): row
        for row in rows
        if row["quantity"] != "0" and row["amount"] != "much"
    }
    sold = {key: datetime.fromisoformat(row["sold"]) for key, row in accepted.items()}
    return pl.DataFrame(
        {
            "account_id": [row["member"] or None for row in accepted.values()],
            "order_id": [row["receipt"] for row in accepted.values()],
            "line_no": [int(row["line"]) for row in accepted.values()],
            "occurred_at": list(sold.values()),
            "purchased_on": [at.date() for at in sold.values()],
            "product_id": [row["product"] for row in accepted.values()],
            "line_kind": ["other" if row["product"] == "BAG" else "product" for row in accepted.values()],
            "quantity": [int(row["quantity"]) for row in accepted.values()],
            "amount_cents": [int(Decimal(row["amount"]) * 100) for row in accepted.values()],
            "is_return": [int(row["quantity"]) < 0 for row in accepted.values()],
        }
    )


def test_who_has_no_receipt_left_is_a_member_who_never_bought(deliveries: Deliveries) -> None:
    kinds = {
        name: {
            _members(moment)[row["customer_id"]]: row["customer_kind"]
            for row in moment.records("marts.customer_dormancy", END)
            if row["customer_id"] in _members(moment)
        }[GONE]
        for name, moment in vars(deliveries).items()
        if isinstance(moment, Moment)
    }
    assert kinds == {"both": "buyer", "fewer": "registrant", "added": "buyer"}


def test_every_version_of_a_file_is_accounted_for(deliveries: Deliveries) -> None:
    till = deliveries.till
    versions = [
        (Path(row["source"]).name, row["current"], row["rows_read"])
        for row in sorted(deliveries.added.records("quality.ingestions"), key=lambda row: row["ingestion_id"])
        if row["feed"] == "pos_sales"
    ]
    first, vanishing = len(till.first_half()), len(till.vanishing())
    assert versions == [
        ("sales_2.csv", True, len(till.second_half())),
        ("sales.csv", False, first),
        ("sales.csv", True, first - vanishing),
        ("sales_3.csv", True, vanishing),
    ]
    for row in deliveries.added.records("quality.ingestions"):
        assert row["rows_read"] == row["rows_loaded"] + row["rows_quarantined"] + row["rows_duplicate"]


def test_what_was_sent_stays_as_it_was_sent(deliveries: Deliveries) -> None:
    sent = deliveries.both
    assert any(row["decision"] == "send" for row in sent.decisions(END).values())
    for later in (deliveries.fewer, deliveries.added):
        assert later.decisions(END) == sent.decisions(END)
        assert later.exports == sent.exports
        assert later.emissions() == sent.emissions()
