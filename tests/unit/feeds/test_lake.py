"""The lake: incremental, superseding, safe against a kill; and the raw schema made from it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from feed_shop import MAPPING, SALES, Shop

from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import FeedError
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.raw import refresh_raw

PROJECT = Path(__file__).resolve().parents[3]


def test_an_unchanged_file_is_skipped(shop: Shop) -> None:
    first = shop.extract_csv("id,amount\nx,1\n")
    assert shop.extract() == []
    os.utime(shop.folder / "sales.csv", (0, 0))
    assert shop.extract() == []
    assert shop.lake.ingestions() == [first]


def test_a_changed_file_replaces_what_its_earlier_version_brought(shop: Shop) -> None:
    first = shop.extract_csv("id,amount\nx,1\ny,2\nz,bad\n")
    second = shop.extract_csv("id,amount\nx,3\n")
    assert shop.rows("sale_id, amount::integer") == [("x", 3)]
    assert shop.quarantine() == []
    assert shop.lake.current() == [second]
    assert shop.lake.ingestions() == [first, second]
    assert [first.sequence, second.sequence] == [1, 2]
    assert shop.con.sql("select ingestion_id, current from quality.ingestions order by 1").fetchall() == [
        (first.ingestion_id, False),
        (second.ingestion_id, True),
    ]


def test_a_file_that_goes_back_to_an_earlier_version_is_taken_in_again(shop: Shop) -> None:
    contents = ["id,amount\nx,1\n", "id,amount\nx,2\n", "id,amount\nx,1\n"]
    assert [shop.extract_csv(content).sequence for content in contents] == [1, 2, 3]
    assert shop.rows("amount::integer") == [(1,)]


def test_a_changed_binding_or_contract_or_joined_file_takes_the_file_in_again(shop: Shop) -> None:
    shop.extract_csv("id,amount\nx,1\n")
    assert len(shop.extract(columns={**MAPPING, "units": "7"})) == 1
    shop.contract = FeedContract.model_validate(SALES.model_dump() | {"description": "Another text of it."})
    assert len(shop.extract(columns={**MAPPING, "units": "7"})) == 1
    joined = {
        "also": {"names": {"type": "file", "path": "names.csv"}},
        "query": "select * from source left join names using (id)",
    }
    shop.write("names.csv", "id,name\nx,b\n")
    assert len(shop.extract(**joined)) == 1
    assert shop.extract(**joined) == []
    shop.write("names.csv", "id,name\nx,a\n")
    assert len(shop.extract(**joined)) == 1


def test_the_gate_s_threshold_and_the_hint_change_no_rows(shop: Shop) -> None:
    shop.extract_csv("id,amount\nx,1\n")
    assert shop.extract(max_quarantine_share=0.5, source={"hint": "Ask."}) == []


def test_a_new_file_adds_to_the_others(shop: Shop) -> None:
    shop.write("in/1.csv", "id,amount\nx,1\n")
    shop.extract("in/*.csv")
    shop.write("in/2.csv", "id,amount\ny,2\n")
    (ingestion,) = shop.extract("in/*.csv")
    assert ingestion.source == "in/2.csv"
    (shop.folder / "in/1.csv").unlink()
    assert shop.extract("in/*.csv") == []
    assert shop.rows("sale_id") == [("x",), ("y",)]


def test_files_before_a_broken_one_stay_taken_in(shop: Shop) -> None:
    shop.write("in/1.csv", "id,amount\nx,1\n")
    shop.write("in/2.csv", "id\ny\n")
    with pytest.raises(FeedError):
        shop.extract("in/*.csv")
    assert [each.source for each in shop.lake.ingestions()] == ["in/1.csv"]


def test_the_same_input_gives_the_same_rows(shop: Shop, tmp_path: Path) -> None:
    content = "id,amount\n" + "".join(f"{number % 700},{number}\n" for number in range(20_000))
    rows = []
    for name in ("one", "two"):
        other = Shop(tmp_path / name, shop.con)
        (tmp_path / name).mkdir()
        other.extract_csv(content)
        rows.append((other.rows(), other.quarantine("*")))
    assert rows[0] == rows[1]
    assert len(rows[0][0]) == 700


_KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import duckdb
from feed_shop import Shop
from pipelines.feeds.lake import Lake
Lake.commit = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Shop(Path(sys.argv[1]), duckdb.connect()).extract()
"""


def test_a_kill_before_the_rename_leaves_nothing_that_counts(shop: Shop) -> None:
    shop.write("sales.csv", "id,amount\nx,1\n")
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(shop.folder), str(PROJECT), str(Path(__file__).parent)],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (leftover,) = (shop.lake.feeds_dir / "sales").iterdir()
    assert leftover.name.startswith(".tmp-000001-")
    assert shop.lake.ingestions() == []
    assert shop.rows() == []
    assert shop.lake.remove_leftovers() == [leftover]
    assert not leftover.exists()
    (ingestion,) = shop.extract()
    assert ingestion.sequence == 1


def test_a_left_over_folder_of_the_same_name_is_replaced(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,1\n")
    folder = shop.lake.folder(ingestion)
    leftover = folder.rename(folder.with_name(f".tmp-{folder.name}"))
    (leftover / "half").write_text("written")
    (again,) = shop.extract()
    assert again.ingestion_id == ingestion.ingestion_id
    assert sorted(file.name for file in folder.iterdir()) == [
        "ingestion.json",
        "quarantine.parquet",
        "rows.parquet",
    ]


def test_a_damaged_record_is_named(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,1\n")
    record = shop.lake.folder(ingestion) / "ingestion.json"
    record.write_text("{}")
    with pytest.raises(FeedError, match=f"{record}: is not the record of an ingestion"):
        shop.lake.ingestions()


def test_a_record_survives_json(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,1\ny,bad\n")
    assert Ingestion.from_json(ingestion.to_json()) == ingestion


def test_raw_has_every_contract_typed_and_empty(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, contracts: dict[str, FeedContract]
) -> None:
    refresh_raw(con, Lake(tmp_path), contracts)
    for feed, contract in contracts.items():
        described = con.execute(f"describe raw.{feed}").fetchall()
        assert [(row[0], row[1]) for row in described] == [
            *((column.name, column.sql_type) for column in contract.columns),
            ("_ingestion_id", "VARCHAR"),
            ("_source", "VARCHAR"),
            ("_line", "BIGINT"),
        ]
        assert con.execute(f"select count(*) from raw.{feed}").fetchone() == (0,)
        described = con.execute(f"describe quarantine.{feed}").fetchall()
        assert [row[0] for row in described] == [
            *("_ingestion_id", "_source", "_line", "reason", "column_name", "original")
        ]
    assert con.sql("select count(*) from quality.ingestions").fetchone() == (0,)


def test_raw_serves_rows_written_before_a_column_was_added_or_removed(shop: Shop) -> None:
    shop.extract_csv("id,amount\nx,1\n")
    columns = [column for column in SALES.model_dump()["columns"] if column["name"] != "paid"]
    columns.insert(1, {"name": "till", "type": "integer", "description": "Number of the till."})
    shop.contract = FeedContract.model_validate(SALES.model_dump() | {"columns": columns})
    assert shop.rows("sale_id, till, amount::integer") == [("x", None, 1)]
    described = shop.con.execute("describe raw.sales").fetchall()
    assert [row[0] for row in described][:2] == ["sale_id", "till"]
    assert "paid" not in [row[0] for row in described]


def test_parquet_in_the_lake_has_the_contract_s_types(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,1\n")
    described = shop.con.execute(f"describe from '{shop.lake.rows_file(ingestion)}'").fetchall()
    assert [(row[0], row[1]) for row in described][: len(SALES.columns)] == [
        (column.name, column.sql_type) for column in SALES.columns
    ]


def test_ingestions_are_reconciled_in_the_warehouse_too(shop: Shop) -> None:
    shop.extract_csv("id,amount\nx,1\nx,1\ny,bad\nz,1,1\n")
    shop.rows()
    ((reasons, read, accounted),) = shop.con.sql(
        """
        select quarantined_by_reason, rows_read, rows_loaded + rows_quarantined + rows_duplicate
        from quality.ingestions
        """
    ).fetchall()
    assert json.loads(reasons) == {"unreadable_line": 1, "wrong_type": 1}
    assert read == accounted == 4
