"""The search finds a text in whatever file it stands, and no part of a longer word."""

import gzip
import hashlib
from pathlib import Path

import duckdb
import polars as pl
import pytest
import xlsxwriter

from pipelines.privacy.search import find_texts

EMAIL = "anna.w@example.org"


def found(folder: Path, *texts: str) -> list[str]:
    return [str(each.path.relative_to(folder)) for each in find_texts(folder, texts)]


def write_database(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("create table people as select {'email': ?} as person from range(3000)", [EMAIL])


def write_workbook(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet().write_string(3, 2, EMAIL)


WRITERS = {
    "plain.csv": lambda path: path.write_text(f"id,email\n1,{EMAIL}\n"),
    "wide.txt": lambda path: path.write_bytes(f"x {EMAIL} y".encode("utf-16")),
    "events.jsonl.gz": lambda path: path.write_bytes(gzip.compress(f'{{"to": "{EMAIL}"}}'.encode())),
    "rows.parquet": lambda path: pl.DataFrame({"of": [[EMAIL]] * 5000}).write_parquet(path),
    "book.xlsx": write_workbook,
    "people.duckdb": write_database,
    "hashed.csv": lambda path: path.write_text(hashlib.sha256(EMAIL.encode()).hexdigest()),
}


@pytest.mark.parametrize("name", WRITERS)
def test_it_is_found_in(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    assert found(tmp_path, EMAIL) == [name]
    assert found(tmp_path, "ben.w@example.org") == []


def test_a_chinese_name_is_found_in_the_encodings_of_its_files(tmp_path: Path) -> None:
    for encoding in ("utf-8", "gb18030"):
        (tmp_path / encoding).write_bytes("姓名,欧阳小小明\n".encode(encoding))
    assert found(tmp_path, "欧阳小小明") == ["gb18030", "utf-8"]


def test_a_part_of_a_word_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("A12345,xA1234\nA1234x\n")
    assert found(tmp_path, "A1234") == []
    (tmp_path / "a.csv").write_text("A12345,A1234")
    assert found(tmp_path, "A1234") == ["a.csv"]


def test_where_a_file_is_read_in_pieces_nothing_is_missed_or_told_twice(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.privacy.search._CHUNK_BYTES", 5000)
    text = "A1234" + "." * 4993 + "A1234" + "." * 9000 + "A1234"
    for shift in range(8):
        (tmp_path / "a.txt").write_text("." * shift + text)
        assert [each.times for each in find_texts(tmp_path, ["A1234"])] == [3]


def test_what_is_too_short_to_mean_anything_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("quantity\n12\n")
    assert found(tmp_path, "12") == []
