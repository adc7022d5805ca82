"""Writing audience files: CSV, JSON lines and the call list's workbook, the same bytes for the same rows.

A spreadsheet runs a cell that begins like a formula, so such texts get an apostrophe before them (OWASP, "CSV
Injection"). That is why phone numbers are written as digits: an E.164 number's plus would be caught too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.feeds.sql import identifier, literal

if TYPE_CHECKING:
    import duckdb

DISPOSITIONS = {
    "interested": (
        "The customer wants to come back, or asked for something.",
        "客户有意回购，或提出了需求。",
    ),
    "not_interested": (
        "The customer was reached and declined.",
        "已接通，客户表示不需要。",
    ),
    "no_answer": (
        "Nobody answered, or the line was busy.",
        "无人接听或占线。",
    ),
    "wrong_number": (
        "The number is out of service or somebody else's.",
        "空号，或接电话的不是客户本人。",
    ),
    "callback": (
        "The customer asked to be called at another time; write it into the notes.",
        "客户希望改时间再联系，请在备注中写明时间。",
    ),
}
"""How a call ended, by the word that goes back to the shop's feed of campaign events."""

RESULT_COLUMNS = ("disposition", "called_at", "notes")
"""Empty columns at the end of the call list, for the caller."""

_WIDE = {"script": 80, "explanation": 50, "explanation_zh": 50, "recent_orders": 50, "recent_tickets": 40}
_MOST_ROWS = 1_048_575
"""Rows of a worksheet below its header."""

_HELP = (
    ("How to fill in the call list", "如何填写通话名单"),
    (
        "Call between send_after and send_before. Do not call anybody on a later list of removals.",
        "请在 send_after 与 send_before 之间拨打；已出现在移除名单中的客户请勿拨打。",
    ),
    (
        "Choose one word in the column disposition for every call, and write the time into called_at.",
        "每次通话后请在 disposition 列选择一个结果，并在 called_at 列填写通话时间。",
    ),
    (
        "Return the list with the columns touch_id, disposition and called_at.",
        "交回名单时请保留 touch_id、disposition 和 called_at 三列。",
    ),
    (
        "If the customer does not want to be called again, choose not_interested and write 'do not call' "
        "into the notes; record the withdrawal in the shop's system the same day.",
        "如客户要求不再来电，请选择 not_interested 并在备注中写明“不再来电”，当天在系统中登记退订。",
    ),
)


def write_csv(con: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Write the query's rows in their order: UTF-8, a header, quoted after RFC 4180, for the owner only."""
    cells = ", ".join(_cell(name, kind) for name, kind in columns_of(con, query))
    _copy(con, f"select {cells} from ({query})", file, "format csv, header, delimiter ',', quote '\"'")


def write_jsonl(con: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Write the query's rows in their order as one JSON object a line, for the owner only."""
    _copy(con, query, file, "format json")


def write_call_list(con: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Write the query's rows in their order as a workbook: the calls, and a sheet on how to fill them in.

    Every cell is a text, never a formula, a link or a number.

    Raises:
        ValueError: more rows than a worksheet holds.
    """
    import xlsxwriter  # noqa: PLC0415 - slow, and only this file needs it

    names = [name for name, _ in columns_of(con, query)]
    cells = ", ".join(f"coalesce({_neutral(f'cast({identifier(name)} as varchar)')}, '')" for name in names)
    rows = con.execute(f"select {cells} from ({query})")
    _create(file)
    with xlsxwriter.Workbook(
        file,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    ) as book:
        # Else the time of writing, and no two files were alike.
        book.set_properties({"title": "Call list", "created": datetime(2000, 1, 1)})  # noqa: DTZ001
        _write_calls(book, rows, [*names, *RESULT_COLUMNS])
        _write_help(book)


def columns_of(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, str]]:
    """Name and type of the query's columns."""
    return [(name, kind) for name, kind, *_ in con.execute(f"describe {query}").fetchall()]


def _write_calls(book: Any, rows: duckdb.DuckDBPyConnection, header: Sequence[str]) -> None:
    bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    # @ keeps a text a text also when somebody edits the cell.
    text = book.add_format({"num_format": "@", "valign": "top", "text_wrap": True})
    sheet = book.add_worksheet("Calls")
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(header):
        sheet.set_column(place, place, _WIDE.get(name, 18))
        sheet.write_string(0, place, name, bold)
    last = 0
    while batch := rows.fetchmany(10_000):
        for row in batch:
            last += 1
            if last > _MOST_ROWS:
                raise ValueError(f"a call list holds {_MOST_ROWS} rows; lower the daily limit of phone")
            for place, cell in enumerate(row):
                sheet.write_string(last, place, cell, text)
            for place in range(len(row), len(header)):
                sheet.write_blank(last, place, None, text)
    sheet.autofilter(0, 0, last, len(header) - 1)
    if last:
        place = len(header) - len(RESULT_COLUMNS)
        sheet.data_validation(1, place, last, place, {"validate": "list", "source": list(DISPOSITIONS)})


def _write_help(book: Any) -> None:
    bold = book.add_format({"bold": True})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet("How to fill in")
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 2, 60)
    line = 0
    for english, chinese in _HELP:
        sheet.write_string(line, 1, english, wrapped if line else bold)
        sheet.write_string(line, 2, chinese, wrapped if line else bold)
        line += 1
    for word, (english, chinese) in DISPOSITIONS.items():
        line += 1
        sheet.write_string(line, 0, word, bold)
        sheet.write_string(line, 1, english, wrapped)
        sheet.write_string(line, 2, chinese, wrapped)


def _cell(name: str, kind: str) -> str:
    quoted = identifier(name)
    return f"{_neutral(quoted)} as {quoted}" if kind == "VARCHAR" else quoted


def _neutral(value: str) -> str:
    """SQL for a text that no spreadsheet takes for a formula."""
    return f"if(regexp_matches({value}, '^[=+@\\-\\t\\r\\n＝＋－＠]'), '''' || {value}, {value})"


def _copy(con: duckdb.DuckDBPyConnection, query: str, file: Path, options: str) -> None:
    _create(file)
    con.execute(f"copy ({query}) to {literal(str(file))} ({options}, use_tmp_file false)")


def _create(file: Path) -> None:
    """An empty file that only its owner may read, before anything personal is in it."""
    file.touch(mode=0o600)
    file.chmod(0o600)
