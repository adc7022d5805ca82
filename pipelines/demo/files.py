"""From rows to files: sorted, encoded, packed, byte for byte the same whatever the number of threads.

DuckDB writes what it can write; byte order marks, GB18030, gz and broken lines are added in one pass over the
file in bounded memory, beside DuckDB's next work.
"""

import gzip
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import xlsxwriter

from pipelines.demo.exports import Export
from pipelines.feeds.sql import identifiers, literal

_CHUNK_BYTES = 4 * 1024 * 1024
_GZ_LEVEL = 3
_HIDDEN = ("_file", "_at", "_key", "_place")
# One row group per file: where groups are cut could otherwise depend on threads.
_ROW_GROUP_ROWS = 16_000_000
_WORKBOOK_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class WrittenFile:
    """A file of a feed, its place below landing and the rows in it, broken lines included."""

    feed: str
    name: str
    rows: int


def write_files(
    con: duckdb.DuckDBPyConnection,
    export: Export,
    landing: Path,
    *,
    customers: int,
    part: str,
    default_file: str,
    broken_lines: dict[str, list[str]],
    later: list[tuple[Path, Path, Export, list[str]]],
) -> list[WrittenFile]:
    """Writes the rows of `out_<feed>` as files.

    Args:
        con: where the table is.
        export: how the feed is written.
        landing: the folder that gets a folder for the feed.
        customers: size of the whole shop, which decides formats.
        part: what follows a file's name where a shop has several batches, such as `_part002`.
        default_file: the file that is written, with a heading only, when there is no row.
        broken_lines: file to the lines that follow its rows.
        later: gets (plain file, final file, export, broken lines) of each file that `finish` must still turn
        into
            what the source system would write.
    """
    folder = landing / export.feed
    folder.mkdir(parents=True, exist_ok=True)
    table = f"out_{export.feed}"
    counted = con.execute(f"select _file, count(*) from {table} group by _file order by _file").fetchall()
    columns = [
        str(row[0]) for row in con.execute(f"describe {table}").fetchall() if str(row[0]) not in _HIDDEN
    ]
    written = []
    for name, rows in counted or [(default_file, 0)]:
        suffix = export.suffix_at(customers)
        file_format = export.format_at(customers)
        if file_format == "xlsx" and name != default_file:
            # Only the first file is a workbook; what came later is a CSV.
            suffix, file_format = ".csv", "csv"
        final = folder / f"{name}{part}{suffix}"
        lines = broken_lines.get(name, [])
        query = (
            f"select {identifiers(columns)} from {table} where _file = {literal(str(name))} "
            "order by _at, _key, _place"
        )
        if file_format == "xlsx":
            _write_workbook(con, query, columns, final)
        elif file_format == "parquet":
            con.execute(
                f"copy ({query}) to {literal(str(final))} "
                f"(format parquet, compression zstd, row_group_size {_ROW_GROUP_ROWS})"
            )
        else:
            plain = folder / f".{name}{part}.plain"
            options = (
                "format json"
                if file_format == "jsonl"
                else f"format csv, header true, delimiter {literal(export.delimiter)}"
            )
            con.execute(f"copy ({query}) to {literal(str(plain))} ({options})")
            later.append((plain, final, export, lines))
        written.append(WrittenFile(export.feed, f"{export.feed}/{final.name}", int(rows) + len(lines)))
    return written


def finish(plain: Path, final: Path, export: Export, broken_lines: Sequence[str]) -> None:
    """Turns DuckDB's UTF-8 text into the source system's file, and removes it."""
    with plain.open("rb") as source, _packed(final) as target:
        if export.byte_order_mark:
            target.write(b"\xef\xbb\xbf")
        if export.encoding == "utf-8":
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
        else:
            for text in _texts(source):
                target.write(text.encode(export.encoding))
        for line in broken_lines:
            target.write((line + "\n").encode(export.encoding))
    plain.unlink()


def _texts(source: BinaryIO) -> Iterator[str]:
    """The file's text in chunks that end with a line, so that no character is cut."""
    rest = b""
    while chunk := source.read(_CHUNK_BYTES):
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            continue
        yield (rest + chunk[:cut]).decode("utf-8")
        rest = chunk[cut:]
    yield rest.decode("utf-8")


@contextmanager
def _packed(final: Path) -> Iterator[BinaryIO]:
    with final.open("wb") as raw:
        if final.suffix != ".gz":
            yield raw
            return
        # Without a name and a time in it: both would make equal contents differ.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_GZ_LEVEL, fileobj=raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)


def _write_workbook(con: duckdb.DuckDBPyConnection, query: str, columns: list[str], final: Path) -> None:
    with xlsxwriter.Workbook(str(final), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": _WORKBOOK_CREATED.replace(tzinfo=None)})
        sheet = book.add_worksheet("catalogue")
        sheet.write_row(0, 0, columns)
        for number, row in enumerate(con.execute(query).fetchall(), start=1):
            sheet.write_row(number, 0, row)
