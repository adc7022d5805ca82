"""How large a source becomes when it is unpacked, counted before anything of it is loaded.

A few kilobytes can unpack to terabytes (a "zip bomb"; D. Fifield, "A better zip bomb", WOOT 2019), and what a
file says of its own size may be a lie. So a packed file is unpacked once into nothing and counted, unless it
is too small to reach the bound.
"""

import copy
import sys
import zipfile
import zlib
from pathlib import Path
from typing import IO

import duckdb

from pipelines.feeds.encodings import open_bytes
from pipelines.feeds.errors import SourceUnreadableError
from pipelines.feeds.source_settings import FileFormat, FileSource
from pipelines.feeds.sql import path_literal

_DEFLATE_RATIO = 1032
"""The most that deflate packs into one byte (zlib, "Technical Details")."""

_CHUNK_BYTES = 1024 * 1024


def check_unpacked_size(
    con: duckdb.DuckDBPyConnection, source: FileSource, path: Path, file_format: FileFormat, where: str
) -> None:
    """Refuses a file that becomes larger than the source's `max_unpacked`.

    Args:
        con: any connection, to read what a Parquet file says of itself.
        source: gives the bound.
        path: the file.
        file_format: how it is going to be read.
        where: profile file and key, for messages.

    Raises:
        SourceUnreadableError: it is larger, or it is a broken workbook.
        OSError, EOFError, zlib.error, duckdb.Error: it cannot be unpacked or looked at.
    """
    most = source.most_unpacked_bytes(file_format)
    if file_format == "parquet":
        too_large = _parquet_bytes(con, path) > most
    elif file_format == "xlsx":
        too_large = _is_workbook_above(path, most, where)
    elif path.suffix.lower() == ".gz":
        too_large = path.stat().st_size * _DEFLATE_RATIO > most and _is_gzip_above(path, most)
    else:
        return
    if too_large:
        raise SourceUnreadableError(
            f"{where}: the file {path} ({path.stat().st_size:,} bytes) unpacks to more than {most:,} bytes. "
            "If that is meant, give the source a higher `max_unpacked:`, such as 50GB"
        )


def _parquet_bytes(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """What the file says of its columns, and a byte for each value: a repeated one takes no room at all."""
    row = con.execute(
        f"""
        select
            (select coalesce(sum(total_uncompressed_size), 0) from parquet_metadata({path_literal(path)})),
            (select coalesce(sum(num_values), 0) from parquet_metadata({path_literal(path)})),
            (select coalesce(sum(num_rows), 0) from parquet_file_metadata({path_literal(path)}))
        """
    ).fetchone()
    assert row is not None  # three aggregates
    return max(int(value) for value in row)


def _is_gzip_above(path: Path, most: int) -> bool:
    with open_bytes(path) as unpacked:
        return _counted(unpacked, most) > most


def _is_workbook_above(path: Path, most: int, where: str) -> bool:
    if not zipfile.is_zipfile(path):
        return False  # the reader says what it is, and nothing of it is packed
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            deflated = all(
                each.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for each in members
            )
            # Members may lie over each other: the file's own size is no bound for their sum.
            if deflated and sum(each.compress_size for each in members) * _DEFLATE_RATIO <= most:
                return False
            total = 0
            for each in members:
                member = copy.copy(each)
                member.file_size = sys.maxsize  # it reads on where the archive gives too small a size
                with archive.open(member) as unpacked:
                    total += _counted(unpacked, most - total)
                if total > most:
                    return True
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, zlib.error, EOFError) as error:
        raise SourceUnreadableError(f"{where}: the file {path} cannot be read as xlsx: {error}") from error
    return False


def _counted(unpacked: IO[bytes], most: int) -> int:
    """The bytes that there are; no more than a chunk above `most` are looked at."""
    total = 0
    while total <= most and (chunk := unpacked.read(_CHUNK_BYTES)):
        total += len(chunk)
    return total
