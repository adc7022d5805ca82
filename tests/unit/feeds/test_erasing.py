"""Rows of erased people and of old events leave the lake and the files, and the sums stay right."""

import gzip
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
import xlsxwriter

from pipelines.feeds.accounts import check_reconciliation
from pipelines.feeds.arrivals import look, not_taken_in
from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.erasing import Cleaned, erase_from_files, erase_rows, expire_rows
from pipelines.feeds.errors import ConfigError
from pipelines.feeds.extract import Extraction, extract_feed
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.mapping import Job
from pipelines.feeds.tombstones import Tombstones, private_key

ERASED_AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
COLUMNS = ("member_id", "name", "email", "phone", "card_no", "joined_at")
ANNA = ("M1", "Anna 王", "Anna@Example.org", "+44 7700 900-001", "C1", "2024-01-05")
BEN = ("M2", "Ben", "ben@example.org", "+447700900002", "C2", "2024-02-05")
EMPTY = ("M3", "", "", "", "", "2024-03-05")


@dataclass
class Members:
    """A shop that has a feed of members, in files of any format."""

    folder: Path
    con: duckdb.DuckDBPyConnection
    contract: FeedContract
    path: str = "landing/members.csv"
    source: dict[str, object] | None = None
    keep: date | None = None
    query: str | None = None

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    @property
    def tombstones(self) -> Tombstones:
        return Tombstones(self.folder / "lake")

    @property
    def file(self) -> Path:
        return self.folder / self.path

    @property
    def binding(self) -> FeedBinding:
        source = {"type": "file", "path": self.path, **(self.source or {})}
        extra = {} if self.query is None else {"query": self.query}
        return FeedBinding.model_validate(
            {"source": source, "columns": {name: name for name in COLUMNS}, **extra}
        )

    def write(self, rows: list[tuple[str, ...]], encoding: str = "utf-8", delimiter: str = ",") -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(delimiter.join(row) + "\n" for row in [COLUMNS, *rows])
        content = lines.encode(encoding)
        self.file.write_bytes(gzip.compress(content) if self.file.suffix == ".gz" else content)

    def extract(self) -> Extraction:
        return extract_feed(
            self.con,
            self.contract,
            self.binding,
            self.lake,
            profile_file=Path("data/profiles/test.yaml"),
            base_dir=self.folder,
            time_zone="UTC",
            scratch_dir=self.folder / "scratch",
            settle_seconds=0,
            tombstones=self.tombstones,
            oldest_event=self.keep,
        )

    def erase(self, *named: tuple[str, str]) -> dict[str, int]:
        self.tombstones.append(self.con, named, ERASED_AT)
        return erase_rows(self.con, self.lake, {"pos_members": self.contract}, self.tombstones)

    def clean(self, home: Path | None = None) -> list[Cleaned]:
        job = Job(
            self.con, self.contract, self.binding, Path("data/profiles/test.yaml"), self.folder, "UTC", None,
            self.folder / "scratch", 0, self.tombstones,
        )  # fmt: skip
        return list(erase_from_files(job, self.lake, home or self.folder))

    def loaded(self) -> list[str]:
        found: list[str] = []
        for ingestion in self.lake.current():
            check_reconciliation(ingestion)
            found += [row[0] for row in self.rows(ingestion)]
        return found

    def rows(self, ingestion: Ingestion) -> list[tuple[object, ...]]:
        return self.con.sql(f"from '{self.lake.rows_file(ingestion)}'").fetchall()

    def aside(self) -> list[tuple[object, ...]]:
        [ingestion] = self.lake.current()
        query = f"select reason, original from '{self.lake.quarantine_file(ingestion)}' order by all"
        return self.con.sql(query).fetchall()

    def bytes_of_lake(self) -> bytes:
        """All texts of all Parquet files, superseded ones too."""
        return b"".join(
            pl.read_parquet(file).select(pl.all().cast(pl.String)).write_csv().encode()
            for file in self.lake.feeds_dir.rglob("*.parquet")
        )


@pytest.fixture
def members(tmp_path: Path, con: duckdb.DuckDBPyConnection, contracts: dict[str, FeedContract]) -> Members:
    return Members(tmp_path, con, contracts["pos_members"])


@pytest.mark.parametrize(
    "named",
    [
        ("account", "pos:M1"),
        ("card", "C1"),
        ("contact", "anna@example.ORG "),
        ("contact", "+447700900001"),
        ("contact", "44 7700 900001"),
    ],
    ids=["account", "card", "email", "phone", "digits"],
)
def test_by_whatever_names_them_their_rows_go_and_others_stay(members: Members, named) -> None:
    members.write([ANNA, BEN, EMPTY])
    members.extract()
    assert members.erase(named) == {"pos_members": 1}
    assert members.loaded() == ["M2", "M3"]
    assert members.aside() == [("erased", None)]
    assert b"Anna" not in members.bytes_of_lake()
    assert b"Ben" in members.bytes_of_lake()


def test_what_was_set_aside_goes_too(members: Members) -> None:
    broken = ("M1", "Anna 王", "Anna@Example.org", "", "", "some day")
    unreadable = ("M1", "Anna", "Anna@Example.org", "more", "cells", "than", "the", "header")
    members.write([broken, BEN, unreadable, ("", "Cleo", "cleo@example.org", "", "", "2024-01-01")])
    [ingestion] = members.extract().ingestions
    assert ingestion.quarantined_by_reason == {"missing_value": 1, "unreadable_line": 1, "wrong_type": 1}
    assert members.erase(("account", "pos:M1"), ("contact", "anna@example.org")) == {"pos_members": 2}
    reasons = [reason for reason, _ in members.aside()]
    assert reasons == ["erased", "erased", "missing_value"]
    assert members.loaded() == ["M2"]
    assert b"Anna" not in members.bytes_of_lake()


def test_older_versions_of_a_source_lose_their_rows(members: Members) -> None:
    members.write([ANNA, BEN])
    members.extract()
    members.write([ANNA, BEN, EMPTY])
    members.extract()
    assert members.erase(("account", "pos:M1")) == {"pos_members": 2}
    assert b"Anna" not in members.bytes_of_lake()


def test_the_old_file_does_not_bring_them_back(members: Members) -> None:
    unreadable = ("x", "Anna@Example.org", "more", "cells", "than", "the", "header", "has")
    members.write([ANNA, BEN, unreadable])
    members.extract()
    members.erase(("account", "pos:M1"), ("contact", "Anna@Example.org"))
    other = replace(members, path="landing/again.csv")
    other.write([ANNA, BEN, unreadable])
    [ingestion] = other.extract().ingestions
    assert ingestion.quarantined_by_reason == {"erased": 2}
    assert (ingestion.rows_read, ingestion.rows_loaded) == (3, 1)
    assert b"Anna" not in members.bytes_of_lake()


def test_who_comes_back_later_with_the_same_address_is_a_new_customer(members: Members) -> None:
    members.write([ANNA])
    members.extract()
    members.erase(("account", "pos:M1"), ("contact", "Anna@Example.org"))
    again = replace(members, path="landing/again.csv")
    again.write([("M9", "Anna", "anna@example.org", "", "", "2024-07-01"),
                 ("M8", "Anna", "anna@example.org", "", "", "2024-05-01"),
                 ("M1", "Anna", "", "", "", "2024-07-01")])  # fmt: skip
    again.extract()
    assert members.loaded() == ["M9"]


@pytest.mark.parametrize(
    ("path", "source", "encoding"),
    [
        ("landing/members.csv", {}, "utf-8"),
        ("landing/members.csv.gz", {"encoding": "gb18030"}, "gb18030"),
        ("landing/members.tsv", {}, "utf-8"),
        ("landing/members.csv", {"encoding": "utf-16", "quote": ""}, "utf-16"),
        ("landing/members.txt", {"format": "csv", "delimiter": ";"}, "utf-8"),
    ],
)
def test_a_text_file_loses_their_lines_and_is_not_taken_in_again(members, path, source, encoding) -> None:
    shop = replace(members, path=path, source=source)
    delimiter = "\t" if path.endswith("tsv") else source.get("delimiter", ",")
    odd = ("M4", "it says so", "a@x.example.org", "", "", "2024-01-05")
    shop.write([ANNA, BEN, ANNA, odd], encoding, delimiter)
    shop.file.chmod(0o640)
    os.utime(shop.file, (1_700_000_000, 1_700_000_000))
    shop.extract()
    shop.erase(("account", "pos:M1"))
    [cleaned] = shop.clean()
    assert (cleaned.rows, cleaned.left) == (1, None)
    content = shop.file.read_bytes()
    text = (gzip.decompress(content) if path.endswith("gz") else content).decode(encoding)
    assert "M1" not in text and "Anna" not in text
    assert [line.split(delimiter)[0] for line in text.splitlines()] == ["member_id", "M2", "M4"]
    assert shop.file.stat().st_mode & 0o777 == 0o640
    assert not not_taken_in(look({"pos_members": shop.binding}, shop.folder), shop.lake)
    assert shop.extract().ingestions == ()
    assert shop.loaded() == ["M2", "M4"]
    assert shop.clean() == []


def test_files_of_other_formats_lose_their_rows(members: Members) -> None:
    frame = pl.DataFrame([ANNA, BEN], schema=COLUMNS, orient="row")

    def workbook(path: Path) -> None:
        with xlsxwriter.Workbook(str(path)) as book:
            frame.write_excel(book, "members")

    writers = {
        "jsonl": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts())),
        "parquet": frame.write_parquet,
        "xlsx": workbook,
    }
    for suffix, write in writers.items():
        shop = replace(members, folder=members.folder / suffix, path=f"landing/members.{suffix}")
        shop.file.parent.mkdir(parents=True)
        write(shop.file)
        shop.extract()
        shop.erase(("account", "pos:M1"))
        assert [each.left for each in shop.clean()] == [None], suffix
        assert shop.extract().ingestions == (), suffix
        # Taken in under another name it has what it had, without her.
        copy = replace(shop, path=f"landing/copy.{suffix}")
        shop.file.rename(copy.file)
        [ingestion] = copy.extract().ingestions
        assert (ingestion.rows_read, ingestion.rows_loaded) == (1, 1), suffix
        assert copy.rows(ingestion)[0][:4] == ("M2", "Ben", "+447700900002", "ben@example.org"), suffix


def test_the_sheets_that_a_profile_names_stay(members: Members) -> None:
    frame = pl.DataFrame([ANNA, BEN], schema=COLUMNS, orient="row")
    shop = replace(members, path="landing/members.xlsx", source={"sheet": ["2023", "2024"]})
    shop.file.parent.mkdir(parents=True)
    with xlsxwriter.Workbook(str(shop.file)) as book:
        frame.head(1).write_excel(book, "2023")
        frame.tail(1).write_excel(book, "2024")
    shop.extract()
    shop.erase(("account", "pos:M1"))
    assert [each.left for each in shop.clean()] == [None]
    again = replace(shop, path="landing/again.xlsx")
    shop.file.rename(again.file)
    [ingestion] = again.extract().ingestions
    assert [row[0] for row in again.rows(ingestion)] == ["M2"]


def test_a_long_text_has_one_byte_order_mark(members: Members) -> None:
    shop = replace(members, source={"encoding": "utf-16"})
    shop.write(
        [ANNA, *((f"M{n}", "Ben " * 20, "", "", "", "2024-02-05") for n in range(2, 20_000))], "utf-16"
    )
    shop.extract()
    shop.erase(("account", "pos:M1"))
    shop.clean()
    text = shop.file.read_bytes().decode("utf-16")
    assert len(text) > 1 << 20
    assert "\ufeff" not in text


def test_a_file_of_somebody_else_is_named_and_left(members: Members) -> None:
    members.write([ANNA, BEN])
    members.extract()
    members.erase(("account", "pos:M1"))
    before = members.file.read_bytes()
    [outside] = members.clean(home=members.folder / "lake")
    assert "outside the data home" in str(outside.left)
    queried = replace(members, query="select * from source", path="landing/flat.csv")
    queried.write([ANNA, BEN])
    queried.extract()
    [taken_apart] = queried.clean()
    assert "a query of the profile" in str(taken_apart.left)
    assert members.file.read_bytes() == before


@pytest.mark.parametrize("died_after", ["quarantine", "rows"])
def test_what_a_dead_job_began_is_finished(members: Members, monkeypatch, died_after) -> None:
    members.write([ANNA, BEN, ("M1", "Anna", "", "", "", "never")])
    members.extract()
    replaced = Path.replace

    def die(self: Path, target: Path) -> Path:
        if Path(target).stem == ("rows" if died_after == "quarantine" else "ingestion"):
            raise KeyboardInterrupt
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        members.erase(("account", "pos:M1"))
    monkeypatch.undo()
    erase_rows(members.con, members.lake, {"pos_members": members.contract}, members.tombstones)
    assert members.loaded() == ["M2"]
    [ingestion] = members.lake.current()
    assert ingestion.quarantined_by_reason == {"erased": 2}


def test_old_rows_are_let_go_and_stay_away(members: Members) -> None:
    first_kept = ("M7", "", "", "", "", "2024-02-01")
    members.write([ANNA, BEN, EMPTY, ("M5", "", "", "", "", "once"), first_kept])
    members.extract()
    taken = expire_rows(members.con, members.lake, members.contract, before=date(2024, 2, 1), time_zone="UTC")
    assert taken == 1
    assert members.loaded() == ["M2", "M3", "M7"]
    [ingestion] = members.lake.current()
    assert ingestion.quarantined_by_reason == {"expired": 1, "wrong_type": 1}
    late = replace(members, path="landing/late.csv", keep=date(2024, 2, 1))
    late.write([ANNA, ("M6", "", "", "", "", "2024-02-01")])
    late.extract()
    assert sorted(members.loaded()) == ["M2", "M3", "M6", "M7"]
    assert b"Anna" not in members.bytes_of_lake()


def test_hashes_need_the_lakes_own_secret(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    one, other = Tombstones(tmp_path / "one"), Tombstones(tmp_path / "other")
    number = "'447700900001'"
    hashes = [con.sql(f"select {each.hashed('contact', number)}").fetchone() for each in (one, other)]
    assert hashes[0] != hashes[1]
    assert Tombstones(tmp_path / "one").key == one.key
    assert (tmp_path / "one" / "private.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "one" / "private.key").write_text("hunter2")
    with pytest.raises(ConfigError, match=r"private\.key: is not the secret of this lake"):
        private_key(tmp_path / "one")
