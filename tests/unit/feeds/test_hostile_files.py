"""Data are not trusted: what a file, its name or its header holds is a value and never anything else."""

import gzip
import io
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from feed_shop import Shop

from pipelines.feeds.errors import FeedError, SourceNotFoundError, SourceUnreadableError
from pipelines.feeds.mapping import STAGE

INJECTIONS = (
    "'; drop table winback_feed_rows; --",
    '"); drop table winback_feed_rows; --',
    "x' || (select content from read_text('/etc/passwd')) || '",
    "$1",
    "?",
    "{{ 7 * 7 }}",
    "${HOME}",
    "=cmd|' /C calc'!A0",
    "\\'; select 1; --",
    "/* ",
    "-- ",
    "../../etc/passwd",
)


def lines(*values: str) -> bytes:
    """JSON lines with these values as ids."""
    return "".join(json.dumps({"id": value, "amount": "1"}) + "\n" for value in values).encode()


def test_sql_in_values_is_text(shop: Shop) -> None:
    shop.write("sales.jsonl", lines(*INJECTIONS))
    (ingestion,) = shop.extract("sales.jsonl")
    assert ingestion.rows_loaded == len(INJECTIONS)
    assert [value for (value,) in shop.rows("sale_id")] == [value.strip() for value in INJECTIONS]


def test_sql_in_values_that_are_set_aside_is_text(shop: Shop) -> None:
    content = "".join(
        json.dumps({"id": f"{n}", "amount": value}) + "\n" for n, value in enumerate(INJECTIONS)
    )
    shop.write("sales.jsonl", content)
    (ingestion,) = shop.extract("sales.jsonl")
    assert ingestion.quarantined_by_reason == {"wrong_type": len(INJECTIONS)}
    assert [json.loads(original)["amount"] for (original,) in shop.quarantine("original")] == list(INJECTIONS)


@pytest.mark.parametrize("name", INJECTIONS)
def test_sql_in_a_header_is_a_name(shop: Shop, name: str) -> None:
    shop.write("sales.jsonl", json.dumps({"id": "a", "amount": "1", name: "x"}) + "\n")
    (ingestion,) = shop.extract("sales.jsonl")
    assert ingestion.rows_loaded == 1
    quoted = '"' + name.replace('"', '""') + '"'
    shop.write("sales.csv", f"id,amount,{quoted}\na,1,x\n")
    (ingestion,) = shop.extract("sales.csv")
    assert ingestion.rows_loaded == 1


@pytest.mark.parametrize(
    "name",
    ["a'; drop table x; --", 'a"b', "a[b]*?", "a{b,c}", "a\\b", "a\nb", "$HOME", "a'||'b", "-rf", "http:"],
)
def test_sql_and_wildcards_in_a_file_name_are_a_name(shop: Shop, name: str) -> None:
    shop.write(f"in/{name}.csv", "id,amount\na,1\n")
    shop.write("in/other.csv", "id,amount\nb,1\n")
    assert [ingestion.rows_loaded for ingestion in shop.extract("in/*")] == [1, 1]
    assert set(shop.rows("_source, sale_id")) == {(f"in/{name}.csv", "a"), ("in/other.csv", "b")}


def test_a_name_that_is_not_utf8_is_refused(shop: Shop) -> None:
    shop.write("in/sales.csv", "id,amount\na,1\n")
    os.rename(shop.folder / "in/sales.csv", os.fsencode(shop.folder / "in") + b"/\xff.csv")  # noqa: PTH104 - bytes
    with pytest.raises(SourceUnreadableError, match=r"udcff\.csv' is not UTF-8") as error:
        shop.extract("in/*")
    str(error.value).encode()  # it can be printed


def test_a_link_out_of_the_landing_folder_is_refused(shop: Shop) -> None:
    shop.write("secret/warehouse.csv", "id,amount\nsecret,1\n")
    shop.write("in/good.csv", "id,amount\na,1\n")
    (shop.folder / "in/evil.csv").symlink_to(shop.folder / "secret/warehouse.csv")
    with pytest.raises(SourceUnreadableError, match=r"in/evil\.csv is a link that leads out of"):
        shop.extract("in/*.csv")
    assert shop.lake.ingestions() == []


def test_a_linked_folder_out_of_the_landing_folder_is_refused(shop: Shop) -> None:
    shop.write("secret/warehouse.csv", "id,amount\nsecret,1\n")
    shop.write("in/2024/good.csv", "id,amount\na,1\n")
    (shop.folder / "in/2025").symlink_to(shop.folder / "secret", target_is_directory=True)
    with pytest.raises(SourceUnreadableError, match="leads out of"):
        shop.extract("in/*/*.csv")


def test_a_link_within_the_folder_and_a_configured_one_are_followed(shop: Shop) -> None:
    shop.write("in/2024/sales.csv", "id,amount\na,1\n")
    (shop.folder / "in/newest.csv").symlink_to(shop.folder / "in/2024/sales.csv")
    (shop.folder / "mount").symlink_to(shop.folder / "in", target_is_directory=True)
    assert len(shop.extract("in/*.csv")) == 1
    assert len(shop.extract("mount/*.csv")) == 1


def test_what_is_no_file_is_not_read(shop: Shop) -> None:
    (shop.folder / "in").mkdir()
    os.mkfifo(shop.folder / "in/pipe.csv")
    (shop.folder / "in/zero.csv").symlink_to("/dev/zero")
    with pytest.raises(SourceNotFoundError, match="no file matches"):
        shop.extract("in/*.csv")


def gz_bomb(path: Path, megabytes: int, line: bytes) -> None:
    """A gzipped CSV that unpacks to so much."""
    with gzip.open(path, "wb") as packed:
        packed.write(b"id,amount\n")
        for _ in range(megabytes):
            packed.write(line * (1_000_000 // len(line)))


@pytest.mark.parametrize("line", [b"a,1\n", b"a"])
def test_a_gz_that_expands_enormously_is_refused(shop: Shop, line: bytes) -> None:
    gz_bomb(shop.folder / "sales.csv.gz", 25, line)
    assert (shop.folder / "sales.csv.gz").stat().st_size < 200_000
    message = (
        r"feeds\.sales\.source: the file .*/sales\.csv\.gz \([\d,]+ bytes\) unpacks to more than 20,000,000 "
    )
    with pytest.raises(SourceUnreadableError, match=message):
        shop.extract("sales.csv.gz", source={"max_unpacked": "20MB"})
    assert shop.lake.ingestions() == []


def test_the_bound_of_a_gz_can_be_raised(shop: Shop) -> None:
    gz_bomb(shop.folder / "sales.csv.gz", 3, b"a,1\n")
    with pytest.raises(SourceUnreadableError, match="unpacks to more than"):
        shop.extract("sales.csv.gz", source={"max_unpacked": "1MB"})
    (ingestion,) = shop.extract("sales.csv.gz", source={"max_unpacked": "10MB"})
    assert ingestion.rows_read == 750_000
    # It changes no row, so it takes nothing in again.
    assert shop.extract("sales.csv.gz", source={"max_unpacked": "11MB"}) == []


def test_a_bound_that_is_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="accepted: a whole number with KB, MB, GB or TB, such as 50GB"):
        Shop(Path(), None).extraction(source={"max_unpacked": "much"})  # type: ignore[arg-type]


def workbook() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for column, (name, value) in enumerate((("id", "a"), ("amount", "1"))):
            sheet.write_string(0, column, name)
            sheet.write_string(1, column, value)
    return target.getvalue()


def with_member(content: bytes, name: str, inner: bytes, *, said_size: int | None = None) -> bytes:
    """The archive with another member; in its directory the member may be said to be smaller than it is."""
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, inner)
    changed = bytearray(target.getvalue())
    if said_size is not None:
        place = changed.rindex(b"PK\x01\x02", 0, changed.rindex(name.encode()))
        changed[place + 24 : place + 28] = struct.pack("<I", said_size)
    return bytes(changed)


@pytest.mark.parametrize("said_size", [None, 10])
def test_a_workbook_that_expands_enormously_is_refused(shop: Shop, said_size: int | None) -> None:
    shop.write("sales.xlsx", with_member(workbook(), "xl/bomb.xml", bytes(30_000_000), said_size=said_size))
    assert (shop.folder / "sales.xlsx").stat().st_size < 100_000
    with pytest.raises(SourceUnreadableError, match=r"sales\.xlsx \([\d,]+ bytes\) unpacks to more than"):
        shop.extract("sales.xlsx", source={"max_unpacked": "20MB"})
    assert shop.lake.ingestions() == []


def test_a_workbook_whose_members_would_lie_elsewhere_writes_nothing_there(shop: Shop) -> None:
    shop.write("in/sales.xlsx", with_member(workbook(), "../../evil.txt", b"evil"))
    (ingestion,) = shop.extract("in/sales.xlsx")
    assert ingestion.rows_loaded == 1
    assert list(shop.folder.rglob("*evil*")) == []
    assert not (shop.folder.parent / "evil.txt").exists()


def test_a_parquet_file_of_endless_equal_rows_is_refused(shop: Shop) -> None:
    rows = 3_000_000
    table = pa.table(
        {
            name: pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), ["1"])
            for name in ("id", "amount")
        }
    )
    pq.write_table(table, shop.folder / "sales.parquet")
    assert (shop.folder / "sales.parquet").stat().st_size < 20_000
    with pytest.raises(SourceUnreadableError, match="unpacks to more than 5,000,000 bytes"):
        shop.extract("sales.parquet", source={"max_unpacked": "5MB"})


def test_a_value_too_long_is_set_aside_and_a_line_too_long_too(shop: Shop) -> None:
    shop.write("sales.jsonl", lines("a" * (2 * 1024 * 1024), "b", "c" * (17 * 1024 * 1024)))
    (ingestion,) = shop.extract("sales.jsonl")
    assert ingestion.rows_loaded == 1
    assert ingestion.quarantined_by_reason == {"too_long": 1, "unreadable_line": 1}
    assert max(len(original) for (original,) in shop.quarantine("original")) < 2 * 1024 * 1024


def test_a_header_without_an_end_is_refused(shop: Shop) -> None:
    for content in (b"x" * 17_000_000, b"id,amount," + b"x,\n" * 10, b'id,"' + b"\n" * 17_000_000):
        shop.write("sales.csv", content)
        with pytest.raises(SourceUnreadableError, match=r"header|column"):
            shop.extract()


def test_a_header_longer_than_the_first_look_is_read(shop: Shop) -> None:
    names = [f"{'x' * 60}{number}" for number in range(1_100)]
    ingestion = shop.extract_csv(
        ",".join(["id", *names, "amount"]) + "\n" + ",".join(["a", *["y"] * 1_100, "1"])
    )
    assert ingestion.rows_loaded == 1


def test_more_columns_than_any_table_has_are_refused(shop: Shop) -> None:
    names = [f"c{number}" for number in range(3_000)]
    shop.write("sales.csv", ",".join(["id", "amount", *names]) + "\n")
    shop.write("sales.jsonl", json.dumps({"id": "a", "amount": "1", **dict.fromkeys(names, "x")}) + "\n")
    for file in ("sales.csv", "sales.jsonl"):
        with pytest.raises(SourceUnreadableError, match="has 3,002 columns; accepted: at most 2,000"):
            shop.extract(file)


@pytest.mark.parametrize("open_, close", [("[", "]"), ('{"a":', "}")])
def test_json_as_deep_as_it_likes_is_a_value_or_set_aside(shop: Shop, open_: str, close: str) -> None:
    deep = open_ * 200_000 + "1" + close * 200_000
    shop.write(
        "sales.jsonl", f'{{"id": "a", "amount": "1", "x": {deep}}}\n{{"id": "b", "amount": "1"}}\n{deep}\n'
    )
    (ingestion,) = shop.extract("sales.jsonl")
    assert ingestion.rows_read == 3
    assert ("b",) in shop.rows("sale_id")


def test_nul_bytes_and_wrong_encodings_are_kept_or_set_aside(shop: Shop) -> None:
    content = b"id,amount\na\x00b,1\n\xff\xfe,1\nc,1\n\xed\xa0\x80,1\n"
    ingestion = shop.extract_csv(content)
    assert ingestion.rows_read == 4
    assert ingestion.rows_loaded >= 1
    assert ("c",) in shop.rows("sale_id")


def test_a_column_named_as_the_database_s_own_row_number_is_told(shop: Shop) -> None:
    shop.write("sales.csv", "rowid,id,amount\n7,a,1\n")
    with pytest.raises(
        SourceUnreadableError, match=r"named 'rowid'.*select \* rename \(rowid as row_number\)"
    ):
        shop.extract()
    (ingestion,) = shop.extract(query="select * rename (rowid as row_number) from source")
    assert ingestion.rows_loaded == 1


def test_an_expression_that_makes_rows_is_refused(shop: Shop) -> None:
    shop.write("sales.csv", "id,amount\na,1\n")
    with pytest.raises(FeedError, match="such as unnest, belongs into `query:`"):
        shop.extract(columns={"sale_id": "unnest([id, id])", "amount": "amount"})
    assert (
        shop.con.sql(f"select 1 from duckdb_tables() where starts_with(table_name, '{STAGE}')").fetchall()
        == []
    )


def test_a_url_with_a_password_in_place_of_a_path_is_not_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://shop:s3cr3t@127.0.0.1/shop"
    monkeypatch.setenv("SHOP_DB_URL", url)
    for path in ("${SHOP_DB_URL}", url):
        with pytest.raises(SourceNotFoundError, match="is a URL; accepted: a path") as error:
            shop.extract(path)
        assert "s3cr3t" not in str(error.value)


def test_a_broken_gz_is_refused_in_any_encoding(shop: Shop) -> None:
    whole = gzip.compress(b"id,amount\n" + b"a,1\n" * 1000, mtime=0)
    for content in (
        whole[:40],
        whole[:30] + b"\xff\xff\xff" + whole[33:],
        b"\x1f\x8b" + bytes(20),
        zlib.compress(b"id"),
    ):
        for encoding in ("utf-8", "gb18030", "utf-16"):
            shop.write("sales.csv.gz", content)
            with pytest.raises(SourceUnreadableError, match=r"sales\.csv\.gz cannot be read as csv"):
                shop.extract("sales.csv.gz", source={"encoding": encoding})
