"""What a run tells the models: files of the lake as typed views, whatever version wrote them."""

from datetime import date

import duckdb
import pytest

from pipelines import control

COLUMNS = {"touch_id": "varchar", "as_of_date": "date", "expected_cost": "decimal(18,2)"}


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


def view(con, files):
    control.write_parquet_view(con, "told", files, COLUMNS)
    described = con.execute("describe control.told").fetchall()
    assert {row[0]: row[1].lower() for row in described} == COLUMNS
    return con.execute("from control.told order by touch_id").fetchall()


def write(con, file, query):
    file.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"copy ({query}) to '{file}' (format parquet)")
    return file


def test_without_files_the_view_is_typed_and_empty(con):
    assert view(con, []) == []


def test_a_column_that_no_file_has_is_null(con, tmp_path):
    old = write(con, tmp_path / "old.parquet", "select date '2024-06-30' as as_of_date, 't1' as touch_id")

    assert view(con, [old]) == [("t1", date(2024, 6, 30), None)]


def test_files_of_several_versions_stand_together(con, tmp_path):
    old = write(con, tmp_path / "a [1]" / "old.parquet", "select 't1' as touch_id, 1 as gone")
    new = write(con, tmp_path / "b" / "new.parquet", "select 1.5 as expected_cost, 't2' as touch_id")

    rows = view(con, [new, old])

    assert [(touch, day, cost and float(cost)) for touch, day, cost in rows] == [
        ("t1", None, None),
        ("t2", None, 1.5),
    ]


def test_the_name_of_a_folder_is_no_column(con, tmp_path):
    file = write(con, tmp_path / "as_of_date=2024-06-30" / "a.parquet", "select 't1' as touch_id")

    assert view(con, [file]) == [("t1", None, None)]
