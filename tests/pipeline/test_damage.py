"""What a disk, a copy or a full file system can spoil: it is named, with a way out, and nothing is lost."""

import shutil

import duckdb
import pytest
from data_home import Home
from file_limit import files_at_most

from pipelines.feeds.lake import Ingestion, Lake

pytestmark = pytest.mark.xdist_group("eve")


@pytest.fixture
def winback(eve: Home, capfd):
    """`winback` with these arguments; its exit status, and what it says."""

    def run(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        status = eve.winback(*arguments)
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return status, said.out + said.err

    return run


def sales(home: Home) -> tuple[Lake, Ingestion]:
    lake = Lake(home.settings.lake_dir)
    return lake, lake.current("pos_sales")[0]


def flip(file, place: float = 0.5) -> None:
    """One byte in the middle is another."""
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    file.write_bytes(content)


def test_a_sound_home_is_verified_in_whole(eve: Home, winback) -> None:
    before = {path: path.stat().st_mtime_ns for path in eve.settings.lake_dir.rglob("*")}
    status, said = winback("verify")
    assert status == 0
    files = len(list(eve.settings.lake_dir.rglob("*.parquet")))
    assert files > 10
    assert f"files in the lake: {files} read, 0 damaged" in said
    with eve.published() as con:
        (tables,) = con.execute("select count(*) from duckdb_tables()").fetchone()
    assert f"published tables: {tables} read, 0 damaged" in said
    assert before == {path: path.stat().st_mtime_ns for path in eve.settings.lake_dir.rglob("*")}


def test_every_kind_of_damage_is_named_with_its_remedy(eve: Home, winback) -> None:
    settings = eve.settings
    lake, ingestion = sales(eve)
    flip(lake.rows_file(ingestion))
    lake.quarantine_file(ingestion).unlink()
    [movements] = (settings.lake_dir / "segment_movement").glob("*.parquet")
    movements.write_bytes(movements.read_bytes()[:-100])
    decisions = next((settings.lake_dir / "emissions").rglob("*decision*.parquet"))
    decisions.write_bytes(b"")
    flip(settings.published_file)
    settings.warehouse_file.write_bytes(b"no database" * 1000)

    status, said = winback("verify")

    assert status == 1
    folder = lake.folder(ingestion)
    restore = (
        f"    restore {folder} from a backup; without one remove that folder: the next run takes "
        f"{ingestion.source} in again, if it is still there\n"
    )
    assert f"{lake.rows_file(ingestion)}: is not as it was written: another SHA-256" in said
    assert f"{lake.quarantine_file(ingestion)}: is missing\n{restore}" in said
    assert said.count(restore) == 2
    assert f"{movements}: cannot be read: " in said
    assert "    remove it: the next run of its date, or a rebuild, writes it again" in said
    assert f"{decisions}: cannot be read: " in said
    assert "    restore it from a backup: what it holds cannot be computed again" in said
    assert "files in the lake: " in said and ", 4 damaged" in said
    assert f"{settings.warehouse_file}: the warehouse {settings.warehouse_file} cannot be opened" in said
    assert "tables in the warehouse: 0 read, 1 damaged" in said
    assert f"{settings.published_file}" in said
    assert "`winback rebuild` makes it anew from the lake; nothing is lost" in said


def test_a_damaged_table_is_named(eve: Home, winback) -> None:
    with duckdb.connect(str(eve.settings.warehouse_file)) as con:
        con.execute("checkpoint")
    size = eve.settings.warehouse_file.stat().st_size
    content = bytearray(eve.settings.warehouse_file.read_bytes())
    # Each block of data has a checksum; the first three are headers.
    for place in range(3 * 4096 + 262_144, size - 4096, 262_144):
        content[place + 100_000 : place + 100_004] = b"\xde\xad\xbe\xef"
    eve.settings.warehouse_file.write_bytes(content)

    status, said = winback("verify")

    assert status == 1
    assert f"{eve.settings.warehouse_file}" in said
    assert "`winback rebuild` makes it anew from the lake" in said


def test_a_run_on_a_damaged_warehouse_says_how_it_is_made_anew(eve: Home, winback) -> None:
    published = eve.settings.published_file.read_bytes()
    eve.settings.warehouse_file.write_bytes(b"no database" * 1000)

    status, said = winback("run")

    assert status == 1
    assert f"the warehouse {eve.settings.warehouse_file} cannot be opened" in said
    assert "If it is damaged, `winback rebuild` makes it anew from the lake; nothing is lost" in said
    assert eve.settings.published_file.read_bytes() == published


def test_a_run_on_a_cut_off_file_of_the_lake_names_it_and_its_way_out_works(eve: Home, winback) -> None:
    lake, ingestion = sales(eve)
    rows = lake.rows_file(ingestion).read_bytes()
    lake.rows_file(ingestion).write_bytes(rows[: len(rows) // 2])

    status, said = winback("run")

    assert status == 1
    assert f"the lake's file {lake.rows_file(ingestion)} is damaged: " in said
    assert f"without one remove that folder: the next run takes {ingestion.source} in again" in said
    assert "`winback verify` looks at all other files too" in said

    shutil.rmtree(lake.folder(ingestion))
    eve.build("raw")
    again = sales(eve)[1]
    assert (again.rows_read, again.rows_loaded, again.source) == (
        ingestion.rows_read,
        ingestion.rows_loaded,
        ingestion.source,
    )
    assert winback("verify")[0] == 0


@pytest.mark.parametrize("spoil", ["missing", "cut off", "no JSON"])
def test_a_record_that_is_not_there_or_cannot_be_read_is_named(eve: Home, winback, spoil: str) -> None:
    lake, ingestion = sales(eve)
    record = lake.folder(ingestion) / "ingestion.json"
    if spoil == "missing":
        record.unlink()
    else:
        record.write_text(record.read_text(encoding="utf-8")[:50] if spoil == "cut off" else "\x00" * 100)

    status, said = winback("verify")

    assert status == 1
    assert f"{record}: is not the record of an ingestion" in said
    assert "without one remove the folder: the next run takes the source in again" in said


def test_a_full_disk_is_told_and_leaves_nothing_half_written(eve: Home, winback, small_shop) -> None:
    late = small_shop.folder / "sales_full.csv"
    header = (small_shop.folder / "sales.csv").read_text(encoding="utf-8").splitlines()[0]
    late.write_text(
        header
        + "\n"
        + "".join(
            f"F{n},1,M{n % 999:03},S1,2024-06-30 12:00:00,P01,1,3.{n % 97:02},0.00\n" for n in range(9000)
        ),
        encoding="utf-8",
    )
    before = {path for path in eve.settings.lake_dir.rglob("*") if "feeds" in path.parts}
    published = eve.settings.published_file.read_bytes()
    try:
        with files_at_most(eve.settings.warehouse_file.stat().st_size // 1000):
            status, said = winback("run")
    finally:
        late.unlink()

    assert status == 1
    assert "The disk is full. Make room and run again: nothing half-written was kept" in said
    assert {path for path in eve.settings.lake_dir.rglob("*") if "feeds" in path.parts} == before
    assert eve.settings.published_file.read_bytes() == published
    assert winback("verify")[0] == 0
