"""Audience files: what is written comes back, is no formula, and is the same twice."""

import csv
import json
import stat

import duckdb
import openpyxl
import pytest

from pipelines.activation.files import (
    DISPOSITIONS,
    RESULT_COLUMNS,
    write_call_list,
    write_csv,
    write_jsonl,
)

NAMES = [
    "Ann",
    'Ann "A", B',
    "two\nlines",
    "two\r\nlines",
    "emoji 😀",
    "王小明",
    "",
    None,
    " padded ",
    "https://shop.example.com/a",
    "007",
    "5-5=0",
]
FORMULAS = [
    "=1+1",
    "+49",
    "-5",
    "@sum(A1)",
    "\tx",
    "\rx",
    "\n=1",
    "＝1+1",
    "＠x",
    '=HYPERLINK("https://example.com")',
]
QUERY = "select touch_id, name, amount, sent_on from given order by place"


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute(
            "create table given (place integer, touch_id varchar, name varchar, amount decimal(18, 2), "
            "sent_on date)"
        )
        connection.executemany(
            "insert into given values (?, ?, ?, -1.50, date '2024-06-30')",
            [(place, f"t{place}", name) for place, name in enumerate(NAMES + FORMULAS)],
        )
        yield connection


def neutral(name):
    return f"'{name}" if name in FORMULAS else name or ""


def read_csv(file):
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_csv_comes_back_without_formulas(con, tmp_path):
    write_csv(con, QUERY, tmp_path / "a.csv")
    rows = read_csv(tmp_path / "a.csv")

    assert list(rows[0]) == ["touch_id", "name", "amount", "sent_on"]
    assert [row["name"] for row in rows] == [neutral(name) for name in NAMES + FORMULAS]
    # A number may be negative: it is no formula.
    assert {(row["amount"], row["sent_on"]) for row in rows} == {("-1.50", "2024-06-30")}


def test_json_lines_come_back_as_they_are(con, tmp_path):
    write_jsonl(con, QUERY, tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]

    assert [row["name"] for row in rows] == NAMES + FORMULAS


def test_a_call_list_comes_back_as_texts(con, tmp_path):
    write_call_list(con, QUERY, tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    sheet = book["Calls"]
    header, *rows = sheet.iter_rows()

    assert [cell.value for cell in header] == ["touch_id", "name", "amount", "sent_on", *RESULT_COLUMNS]
    # XML knows one kind of line break: openpyxl's reader normalises, Excel shows both alike.
    told = [(row[1].value or "").replace("_x000D_", "\r") for row in rows]
    assert [name.replace("\r\n", "\n") for name in told] == [
        neutral(name).replace("\r\n", "\n") for name in NAMES + FORMULAS
    ]
    assert {cell.data_type for row in rows for cell in row if cell.value is not None} == {"s"}
    assert all(cell.hyperlink is None for row in rows for cell in row)
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:G{len(rows) + 1}"
    (validation,) = sheet.data_validations.dataValidation
    assert validation.formula1 == f'"{",".join(DISPOSITIONS)}"'
    assert str(validation.sqref) == f"E2:E{len(rows) + 1}"
    told = {cell.value for row in book["How to fill in"].iter_rows() for cell in row}
    assert set(DISPOSITIONS) <= told


@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_call_list])
def test_the_same_rows_are_the_same_bytes_for_the_owner_only(con, tmp_path, write, monkeypatch):
    write(con, QUERY, tmp_path / "a")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    write(con, QUERY, tmp_path / "b")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("write", [write_csv, write_call_list])
def test_no_rows_leave_a_header(con, tmp_path, write):
    write(con, "select * from given where false", tmp_path / "a")
    if write is write_csv:
        assert (tmp_path / "a").read_text(encoding="utf-8") == "place,touch_id,name,amount,sent_on\n"
    else:
        with (tmp_path / "a").open("rb") as file:
            assert openpyxl.load_workbook(file)["Calls"].max_row == 1


def test_no_rows_leave_an_empty_file_of_json_lines(con, tmp_path):
    write_jsonl(con, "select * from given where false", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b""
