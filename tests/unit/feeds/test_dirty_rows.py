"""Every kind of dirty row with exact counts, in one file; and what depends on the day or on other feeds."""

import hashlib
import json
from datetime import date
from pathlib import Path

import duckdb
import pytest
from feed_shop import MAPPING, SALES, Shop

from pipelines.feeds.accounts import KEPT_CHARACTERS
from pipelines.feeds.contract import CONTRACTS_DIR, FeedContract, load_contracts
from pipelines.feeds.errors import ConfigError
from pipelines.feeds.lake import Lake
from pipelines.feeds.orphans import Orphans, count_orphans, store_orphans
from pipelines.feeds.raw import refresh_raw

BIG = "x" * 10_000_000
COLUMNS = {
    **MAPPING,
    "sold_at": "sold",
    "units": "units",
    "kind": "kind",
    "updated_at": "updated",
    "note": "note",
}
NOTE = {"name": "note", "type": "text", "description": "What was said."}
MONEY = {
    "name": "amount",
    "type": "decimal",
    "scale": 2,
    "required": True,
    "minimum": -999999999,
    "maximum": 999999999,
}


def _contract() -> FeedContract:
    columns = [*SALES.model_dump()["columns"], NOTE]
    columns = [
        MONEY | {"description": "Money paid."} if each["name"] == "amount" else each for each in columns
    ]
    return FeedContract.model_validate(SALES.model_dump() | {"columns": columns})


def test_every_kind_of_dirty_row_is_found_exactly(shop: Shop) -> None:
    shop.contract, shop.latest_event = _contract(), date(2024, 6, 30)
    good = "2024-06-30 23:59:59"
    rows = [
        f"1,10,{good},1,a,,plain",
        f"1,10,{good},1,a,,plain",  # duplicate
        f"2,10,{good},1,a,2024-01-01 00:00:00,older",  # superseded
        f"2,11,{good},1,a,2024-01-02 00:00:00,newer",
        "3,10",  # unreadable line
        f"4,ten,{good},1,a,,",  # wrong type
        f",10,{good},1,a,,",  # missing key
        "6,10,2024-07-01 00:00:00,1,a,,",  # future
        f"7,10,{good},-1,a,,",  # negative where impossible
        f"8,10,{good},1,z,,",  # unknown value
        f"9,1000000000,{good},1,a,,",  # absurd
        f'10,10,{good},1,a,,=HYPERLINK(""x"")'.replace('""', "'"),  # kept as it is
        f'11,10,{good},1,a,,"a\x01\x07\x00b"',  # kept as it is
        f"12,10,{good},1,a,,{BIG}",  # too long
    ]
    ingestion = shop.extract_csv(
        "id,amount,sold,units,kind,updated,note\n" + "\n".join(rows) + "\n", columns=COLUMNS
    )
    assert ingestion.quarantined_by_reason == {
        "future_date": 1,
        "missing_value": 1,
        "not_allowed": 1,
        "out_of_range": 2,
        "superseded_in_file": 1,
        "too_long": 1,
        "unreadable_line": 1,
        "wrong_type": 1,
    }
    counts = (
        ingestion.rows_read,
        ingestion.rows_loaded,
        ingestion.rows_quarantined,
        ingestion.rows_duplicate,
    )
    assert counts == (14, 4, 9, 1)
    assert shop.rows("sale_id, note") == [
        ("1", "plain"),
        ("2", "newer"),
        ("10", "=HYPERLINK('x')"),
        ("11", "a\x01\x07\x00b"),
    ]
    ((line, column, original),) = [
        (line, column, json.loads(original))
        for line, reason, column, original in shop.quarantine("_line, reason, column_name, original")
        if reason == "too_long"
    ]
    whole = {
        "id": "12",
        "amount": "10",
        "sold": good,
        "units": "1",
        "kind": "a",
        "updated": None,
        "note": BIG,
    }
    text = json.dumps(whole, separators=(",", ":"))
    assert (line, column) == (14, "note")
    assert original == {
        "beginning": text[:KEPT_CHARACTERS],
        "bytes": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def test_a_row_of_the_future_comes_in_when_its_day_has_come(shop: Shop) -> None:
    shop.latest_event = date(2024, 6, 30)
    columns = {**MAPPING, "sold_at": "at"}
    # Midnight in London is 23:00 UTC in summer.
    content = "id,amount,at\na,1,2024-06-30T22:59:59Z\nb,1,2024-06-30T23:00:00Z\nc,1,2999-01-01\n"
    first = shop.extract_csv(content, columns=columns)
    assert (first.quarantined_by_reason, first.future_from) == ({"future_date": 2}, "2024-07-01")
    assert shop.extract(columns=columns) == []
    shop.latest_event = date(2024, 7, 1)
    (second,) = shop.extract(columns=columns)
    assert (second.quarantined_by_reason, second.future_from) == ({"future_date": 1}, "2999-01-01")
    shop.latest_event = date(2024, 7, 2)
    assert shop.extract(columns=columns) == []
    assert shop.rows("sale_id") == [("a",), ("b",)]


def test_no_new_day_takes_a_file_without_future_rows_in_again(shop: Shop) -> None:
    columns = {**MAPPING, "sold_at": "at"}
    for day in (1, 2, 3):
        shop.latest_event = date(2024, 6, day)
        shop.write("sales.csv", "id,amount,at\na,1,2024-05-30\n")
        assert len(shop.extract(columns=columns)) == (1 if day == 1 else 0)


def test_orphans_are_counted_and_kept(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    things = {"name": "thing_id", "type": "text", "required": True, "description": "Number of the thing."}
    part = {**things, "name": "part_id", "required": False}
    parents = FeedContract.model_validate(
        {"feed": "things", "description": "One row is a thing.", "key": ["thing_id"], "columns": [things]}
    )
    children = FeedContract.model_validate(
        {
            "feed": "parts",
            "description": "One row is a part.",
            "key": ["thing_id"],
            "columns": [things, part],
            "references": {"part_id": "things.thing_id", "thing_id": "nothing.id"},
        }
    )
    contracts = {"things": parents, "parts": children}
    unbound = FeedContract.model_validate(parents.model_dump() | {"feed": "nothing"})
    for contract, text in (
        (parents, "id,part\nt1,\nt2,\n"),
        (children, "id,part\np1,t1\np2,t9\np3,t9\np4,\n"),
    ):
        shop = Shop(tmp_path / contract.feed, con, contract)
        shop.lake = Lake(tmp_path / "lake")
        columns = {"thing_id": "id"} | ({"part_id": "part"} if contract is children else {})
        assert shop.extract_csv(text, columns=columns).rows_quarantined == 0
    refresh_raw(con, Lake(tmp_path / "lake"), {**contracts, "nothing": unbound})
    orphans = count_orphans(con, {**contracts, "nothing": unbound})
    assert orphans == [Orphans("parts", "part_id", "things.thing_id", 2, 3)]
    store_orphans(con, orphans)
    assert con.sql("from quality.orphans").fetchall() == [("parts", "part_id", "things.thing_id", 2, 3)]


def test_a_reference_to_no_column_is_refused(tmp_path: Path) -> None:
    for file in CONTRACTS_DIR.glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("products.product_id", "products.sku")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"references.product_id: 'products.sku' is no column of a feed"):
        load_contracts(tmp_path)
