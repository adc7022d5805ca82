"""Reading files: formats, unreadable lines, and every way in which a source can be missing or broken."""

import gzip
import json
import os
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from feed_shop import MAPPING, Shop

from pipelines.feeds import extract
from pipelines.feeds.errors import (
    ConfigError,
    MappingError,
    SourceNotFoundError,
    SourceUnreadableError,
)

ROWS = [("x", 1), ("y", 2)]


def _workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    with xlsxwriter.Workbook(path) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)


def test_a_byte_order_mark_and_windows_line_ends_are_read(shop: Shop) -> None:
    shop.extract_csv(b"\xef\xbb\xbfid,amount\r\nx,1\r\ny,2\r\n")
    assert shop.rows("sale_id, amount") == ROWS


def test_tsv_gzip_and_an_explicit_format(shop: Shop) -> None:
    shop.write("a.tsv", "id\tamount\nx,1\t1\n")
    shop.write("b.csv.gz", gzip.compress(b"id,amount\nx,1\ny,2\n"))
    shop.write("c.dat", "id,amount\nx,1\ny,2\n")
    shop.extract("a.tsv")
    assert shop.rows("sale_id") == [("x,1",)]
    for name, source in (("b.csv.gz", {}), ("c.dat", {"format": "csv"})):
        (ingestion,) = shop.extract(name, source=source)
        assert ingestion.rows_loaded == 2
        frame = pl.read_parquet(shop.lake.rows_file(ingestion))
        assert frame["sale_id"].to_list() == ["x", "y"]


def test_null_values_and_no_quoting(shop: Shop) -> None:
    shop.extract_csv(
        'id|amount|kind\n"x|1|n/a\n',
        columns={**MAPPING, "kind": "kind"},
        source={"delimiter": "|", "quote": "", "null_values": ["n/a"]},
    )
    assert shop.rows("sale_id, kind") == [('"x', "a")]


def test_unreadable_csv_lines_go_to_quarantine_and_are_counted(shop: Shop) -> None:
    ingestion = shop.extract_csv(
        b'id,amount\na,1\nb\nc,1,2\nd,"x"y\ne,"two\nlines"\nf,\xff\xfe\ng,3\n', columns=MAPPING
    )
    assert ingestion.quarantined_by_reason == {"unreadable_line": 4, "wrong_type": 1}
    assert ingestion.rows_read == 7
    assert shop.rows("sale_id, _line") == [("a", 1), ("g", 7)]
    found = shop.quarantine("_line, reason, original")
    assert [(line, reason) for line, reason, _ in found] == [
        (2, "unreadable_line"),
        (3, "unreadable_line"),
        (4, "unreadable_line"),
        (5, "wrong_type"),
        (6, "unreadable_line"),
    ]
    assert json.loads(found[1][2]) == {"line": "c,1,2", "problem": "too many columns"}


def test_a_header_in_another_encoding_is_refused(shop: Shop) -> None:
    with pytest.raises(
        SourceUnreadableError, match=r"the header of .* is not in the encoding[^$]*`encoding:`"
    ):
        shop.extract_csv("id,bétrag\nx,1\n".encode("latin-1"))


def test_an_unterminated_quote_swallows_no_row_silently(shop: Shop) -> None:
    ingestion = shop.extract_csv('id,amount\na,1\nb,"2\nc,3\n')
    assert (ingestion.rows_read, ingestion.rows_loaded) == (2, 1)
    ((original,),) = shop.quarantine("original")
    assert json.loads(original)["line"] == 'b,"2\nc,3'


def test_json_lines_with_changing_keys_and_broken_lines(shop: Shop) -> None:
    shop.write(
        "sales.jsonl",
        '{"id": "x", "amount": 1.5}\nnot json\n\n'
        '{"amount": 2, "a\\"b": {"c": [1]}, "id": 7, "kind": null}\n[1]\n',
    )
    (ingestion,) = shop.extract(
        "sales.jsonl",
        columns={**MAPPING, "units": 'try_cast(json_extract_string("a""b", \'$.c[0]\') as integer)'},
    )
    assert shop.rows("sale_id, amount::double, units") == [("x", 1.5, None), ("7", 2.0, 1)]
    assert ingestion.quarantined_by_reason == {"unreadable_line": 2}
    assert ingestion.rows_read == 4
    assert json.loads(shop.quarantine("original")[0][0])["line"] == "not json"


def test_json_lines_without_an_object_are_refused(shop: Shop) -> None:
    shop.write("sales.jsonl", "1\n2\n")
    with pytest.raises(SourceUnreadableError, match=r"no line of .*sales\.jsonl is a JSON object"):
        shop.extract("sales.jsonl")


def test_the_sheets_of_a_workbook_follow_each_other(shop: Shop) -> None:
    head = ["id", "amount"]
    path = shop.folder / "sales.xlsx"
    _workbook(path, {"2009": [head, [489434, 1]], "empty": [], "2010": [head, ["C489435", 2.5]]})
    shop.extract("sales.xlsx")
    assert shop.rows("sale_id, amount::double, _line") == [("489434", 1.0, 1), ("C489435", 2.5, 2)]


def test_sheets_that_differ_need_a_choice(shop: Shop) -> None:
    path = shop.folder / "sales.xlsx"
    _workbook(path, {"data": [["id", "amount"], ["x", 1]], "notes": [["text"], ["a note"]]})
    with pytest.raises(SourceUnreadableError, match=r"'data' has id, amount; 'notes' has text.*`sheet:`"):
        shop.extract("sales.xlsx")
    shop.extract("sales.xlsx", source={"sheet": "data"})
    assert shop.rows("sale_id") == [("x",)]
    with pytest.raises(SourceUnreadableError, match="cannot be read as xlsx"):
        shop.extract("sales.xlsx", source={"sheet": "nothing"})


def test_a_header_without_rows_is_an_empty_ingestion(shop: Shop) -> None:
    assert shop.extract_csv("id,amount\n").rows_read == 0
    assert shop.rows() == []


@pytest.mark.parametrize("name", ["sales.csv", "sales.parquet", "sales.xlsx"])
def test_an_empty_file_is_refused(shop: Shop, name: str) -> None:
    shop.write(name, "")
    with pytest.raises(
        SourceUnreadableError, match=rf"feeds.sales.source.path: .*{name} is empty \(0 bytes\)"
    ):
        shop.extract(name)


@pytest.mark.parametrize("name", ["sales.parquet", "sales.xlsx", "sales.csv.gz"])
def test_a_file_that_is_not_its_format_is_refused(shop: Shop, name: str) -> None:
    shop.write(name, "id,amount\nx,1\n")
    with pytest.raises(SourceUnreadableError, match=rf"{name} cannot be read as (parquet|xlsx|csv)"):
        shop.extract(name)


def test_a_parquet_file_broken_in_the_middle_is_refused_and_leaves_nothing(shop: Shop) -> None:
    path = shop.folder / "sales.parquet"
    pl.DataFrame({"id": [os.urandom(20).hex() for _ in range(5000)], "amount": range(5000)}).write_parquet(
        path
    )
    content = bytearray(path.read_bytes())
    content[1000:60000] = b"\x07" * 59000
    path.write_bytes(content)
    with pytest.raises(SourceUnreadableError, match=r"sales\.parquet cannot be read"):
        shop.extract("sales.parquet")
    assert shop.lake.ingestions() == []
    assert shop.con.sql("select count(*) from duckdb_tables() where temporary").fetchone() == (0,)


def test_an_unknown_suffix_is_refused(shop: Shop) -> None:
    shop.write("sales.dat", "id,amount\n")
    with pytest.raises(ConfigError, match=r"'sales\.dat' says no format; .*parquet, csv, tsv, jsonl, xlsx"):
        shop.extract("sales.dat")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,amount,ID", "two columns named 'ID'"),
        ("id,amount,", "a column named ''"),
        ("id,amount,_line", "'_line', a name that is reserved"),
    ],
)
def test_headers_that_cannot_be_used_are_refused(shop: Shop, header: str, message: str) -> None:
    with pytest.raises(SourceUnreadableError, match=message):
        shop.extract_csv(f"{header}\nx,1,2\n")


def test_a_missing_file_and_a_glob_without_match_name_the_key_and_the_hint(shop: Shop) -> None:
    with pytest.raises(SourceNotFoundError) as missing:
        shop.extract("nothing.csv", source={"hint": "Ask the shop."})
    assert "data/profiles/test.yaml: feeds.sales.source.path: the file" in str(missing.value)
    assert "nothing.csv" in str(missing.value)
    assert str(missing.value).endswith("does not exist\nAsk the shop.")
    with pytest.raises(SourceNotFoundError, match=r"no file matches .*\*\.csv"):
        shop.extract("*.csv")
    with pytest.raises(SourceNotFoundError, match="is a folder, not a file"):
        shop.extract(".")


def test_an_unset_variable_is_refused_with_the_hint(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALES_FILE", raising=False)
    with pytest.raises(SourceNotFoundError) as raised:
        shop.extract("${SALES_FILE}", source={"hint": "It is described at DOI 10.1/x."})
    message = str(raised.value)
    assert "feeds.sales.source.path: the environment variable SALES_FILE is not set" in message
    assert "DOI 10.1/x" in message


def test_a_variable_s_file_is_known_by_the_variable(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, amount in (("one.csv", 1), ("two.csv", 2)):
        path = shop.write(name, f"id,amount\nx,{amount}\n")
        monkeypatch.setenv("SALES_FILE", str(path))
        (ingestion,) = shop.extract("${SALES_FILE}")
        assert ingestion.source == "${SALES_FILE}"
    assert shop.rows("amount::integer") == [(2,)]


def test_each_file_of_a_glob_is_a_source_of_its_own(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDING", str(shop.folder / "in"))
    for name in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/.d.csv.part.csv"):
        shop.write(name, f"id,amount\n{name},1\n")
    assert [each.source for each in shop.extract("in/*.csv")] == ["in/a.csv", "in/b.csv"]
    assert [each.source for each in shop.extract("${LANDING}/**/*.csv")] == [
        "${LANDING}/a.csv",
        "${LANDING}/b.csv",
        "${LANDING}/deep/c.csv",
    ]
    assert [each.source for each in shop.extract(["in/b.csv", "in/*.csv", "in/deep/c.csv"])] == [
        "in/deep/c.csv"
    ]


def test_a_file_name_with_wildcards_is_a_file(shop: Shop) -> None:
    for name in ("a[1].csv", "a1.csv"):
        shop.write(name, f"id,amount\n{name},1\n")
    shop.extract("a[1].csv")
    assert shop.rows("sale_id, _source") == [("a[1].csv", "a[1].csv")]


def test_a_package_that_is_not_installed_is_refused_with_the_hint(shop: Shop) -> None:
    with pytest.raises(
        SourceNotFoundError, match=r"the package 'no_such_data' is not installed[^$]*extra samples"
    ):
        shop.extract("package://no_such_data/a.csv", source={"hint": "It is in the extra samples."})
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        shop.extract("package://pipelines/no_such.csv")


def test_a_further_source_must_be_readable_in_whole(shop: Shop) -> None:
    shop.write("names.csv", "id,name\nx,b\ny\n")
    with pytest.raises(SourceUnreadableError, match=r"feeds.sales.also.names: row 2 of .*names\.csv"):
        shop.extract_csv(
            "id,amount\nx,1\n",
            also={"names": {"type": "file", "path": "names.csv"}},
            query="select * from source left join names using (id)",
        )


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        (
            {"columns": {**MAPPING, "colour": "id"}},
            "columns: unknown column 'colour'; the contract's columns: sale_id",
        ),
        ({"columns": {"sale_id": "id"}}, "the required column 'amount' is not mapped .Money paid."),
        (
            {"columns": {**MAPPING, "units": "colour"}},
            "columns.units: 'colour' is neither[^$]*of the source: id, amount",
        ),
        ({"columns": {**MAPPING, "units": "id +"}}, "columns.units: 'id .' is neither"),
        ({"columns": {**MAPPING, "units": "count(*)"}}, "columns.units: .* is neither"),
        (
            {"columns": {**MAPPING, "units": "cast(id as integer)"}},
            "columns.units: the expression[^$]*use try_cast",
        ),
        (
            {"reject": [{"when": "colour = 1", "reason": "bad"}]},
            "reject.0.when: 'colour = 1'[^$]*mapped.amount",
        ),
        (
            {"reject": [{"when": "cast(id as integer) = 1", "reason": "bad"}]},
            "reject: a condition fails on a row",
        ),
        (
            {"query": "select colour from source"},
            "query: is not valid: [^$]*Columns of source: id, amount, _line",
        ),
        ({"query": "drop table source"}, "query: must be one select statement"),
        ({"query": "select 1; select 2"}, "query: must be one select statement"),
        (
            {"query": "select *, cast(id as integer) as n from source"},
            "query: fails on the rows of[^$]*try_cast",
        ),
        ({"query": "select *, 1 as mapped from source"}, "query: its result has a column 'mapped'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(shop: Shop, binding: dict[str, object], message: str) -> None:
    with pytest.raises(MappingError, match=message) as raised:
        shop.extract_csv("id,amount\nx,1\n", **binding)
    assert str(raised.value).startswith("data/profiles/test.yaml: feeds.sales")
    assert shop.con.sql("select count(*) from duckdb_tables() where temporary").fetchone() == (0,)


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"colums": {}}, "unknown key 'colums'; accepted keys: source, also, query, columns"),
        ({"source": {"tyme_zone": "UTC"}}, "unknown key 'tyme_zone'; accepted keys: type, path"),
        ({"source": {"time_zone": "Mars/Olympus"}}, "IANA names such as Europe/London"),
        ({"source": {"format": "pdf"}}, "'parquet', 'csv', 'tsv', 'jsonl' or 'xlsx'"),
        ({"source": {"decimal_separator": ",", "thousands_separator": ","}}, "must differ"),
        ({"reject": [{"when": "true", "reason": "wrong_type"}]}, "is none of unreadable_line, wrong_type"),
        ({"also": {"x": {"type": "file", "path": "a"}}}, "there is no query that could join them"),
        (
            {"also": {"source": {"type": "file", "path": "a"}}, "query": "select 1"},
            "'source' cannot name a table",
        ),
        ({"max_quarantine_share": 5}, "less than or equal to 1"),
    ],
)
def test_a_wrong_binding_is_refused(shop: Shop, binding: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shop.extract_csv("id,amount\nx,1\n", **binding)


def test_a_file_that_changes_while_it_is_read_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shop.write("sales.csv", "id,amount\nx,1\n")

    def write_quarantine(*arguments: object, **named: object) -> None:
        path.write_text("id,amount\nx,1\ny,2\n")
        original(*arguments, **named)

    original = extract.write_quarantine
    with monkeypatch.context() as patch:
        patch.setattr(extract, "write_quarantine", write_quarantine)
        extraction = shop.extraction()
    assert extraction.ingestions == ()
    assert [str(each) for each in extraction.waiting] == [
        "waits: sales.csv (it was changed while it was read); the next run takes it"
    ]
    assert shop.lake.ingestions() == []
    assert [each.rows_loaded for each in shop.extract()] == [2]
