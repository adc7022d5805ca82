"""The proof: a search for a person's keys and addresses in the bytes of every file below a data home.

Gzip, Parquet, workbooks and databases are unpacked, for what is compressed shows no text.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.feeds.sql import identifier, literal, path_literal

SHORTEST = 5
"""A text of fewer characters stands in too many files by chance; its rows are found by column alone."""

_CHUNK_BYTES = 8 * 1024 * 1024
_OVERLAP = 4096
_ENCODINGS = ("utf-8", "gb18030", "utf-16-le")


@dataclass(frozen=True)
class Found:
    """A file in which something was found: never what it was, for that would be kept in a log.

    Attributes:
        path: the file.
        times: how often.
    """

    path: Path
    times: int


def find_texts(folder: Path, texts: Iterable[str], *, memory_limit: str = "1GB") -> list[Found]:
    """The files below a folder in which one of the texts stands, alone and not as a part of a longer word.

    Args:
        folder: where to look.
        texts: what to look for; shorter ones than `SHORTEST` are left out. Of an e-mail address and a number
            the SHA-256 and MD5 that platforms ask for are looked for too.
        memory_limit: DuckDB's, for Parquet files and databases.
    """
    wanted = sorted({text for text in texts if len(text) >= SHORTEST})
    if not wanted:
        return []
    patterns = _patterns([*wanted, *_hashes(wanted)])
    found = []
    with duckdb.connect(config={"memory_limit": memory_limit}) as con:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                times = sum(_count(patterns, chunks) for chunks in _unpacked(con, path))
                if times:
                    found.append(Found(path, times))
    return found


def _patterns(texts: Iterable[str]) -> list[str]:
    """The texts in every encoding, a character for each byte."""
    return sorted({text.encode(encoding).decode("latin-1") for text in texts for encoding in _ENCODINGS})


def _hashes(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if "@" in text or re.fullmatch(r"\+?[0-9]{6,15}", text):
            for form in {text, text.lower(), text.lstrip("+")}:
                yield hashlib.sha256(form.encode()).hexdigest()
                yield hashlib.md5(form.encode(), usedforsecurity=False).hexdigest()


def _count(patterns: Sequence[str], chunks: Iterable[bytes]) -> int:
    """Matches in a stream; the end of each chunk is looked at again with the next."""
    times, rest = 0, " "
    for chunk in chunks:
        text = rest + chunk.decode("latin-1")
        cut = max(1, len(text) - _OVERLAP)
        times += _matches(patterns, text, cut)
        # With the character before it, which may make a match the end of a longer word.
        rest = text[cut - 1 :]
    return times + _matches(patterns, rest, len(rest))


def _matches(patterns: Sequence[str], text: str, until: int) -> int:
    """Matches that begin after the text's first character and before a place."""
    import polars as pl  # noqa: PLC0415 - slow to import

    # The quick look for all at once (Aho-Corasick) knows no words; what it finds is looked at again, alone.
    found = pl.Series([text]).str.extract_many(patterns, overlapping=True).item()
    if not len(found):
        return 0
    listed = "|".join(re.escape(each) for each in sorted(set(found), key=len, reverse=True))
    words = re.compile(f"(?<![0-9A-Za-z])(?:{listed})(?![0-9A-Za-z])")
    return sum(1 for match in words.finditer(text, 1) if match.start() < until)


def _unpacked(con: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Iterator[bytes]]:
    """The streams of a file: its bytes, and what they hold unpacked."""
    with path.open("rb") as file:
        start = file.read(16)
        file.seek(0)
        yield _chunks(file)
    if start.startswith(b"\x1f\x8b"):
        with gzip.open(path, "rb") as packed:
            yield _chunks(packed)
    elif start.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as packed:
                    yield _chunks(packed)
    elif start.startswith(b"PAR1"):
        yield _values(con, f"read_parquet({path_literal(path)}, hive_partitioning = false)")
    elif start[8:12] == b"DUCK":
        con.execute(f"attach {literal(str(path))} as looked_at (read_only)")
        try:
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
            ).fetchall()
            for schema, table in tables:
                yield _values(con, f"looked_at.{identifier(schema)}.{identifier(table)}")
        finally:
            con.execute("detach looked_at")


def _chunks(file: io.BufferedIOBase | gzip.GzipFile | object) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):  # type: ignore[attr-defined]
        yield chunk


def _values(con: duckdb.DuckDBPyConnection, relation: str) -> Iterator[bytes]:
    """The texts of a table, a row a line; times and fractions are left out."""
    columns = [
        row[0]
        for row in con.execute(f"describe select * from {relation}").fetchall()
        if not str(row[1]).startswith(("DATE", "TIME", "BOOLEAN", "DOUBLE", "FLOAT"))
    ]
    if not columns:
        return
    listed = ", ".join(f"coalesce(cast({identifier(name)} as varchar), '')" for name in columns)
    rows = con.cursor().execute(f"select concat_ws(chr(10), {listed}) from {relation}")
    while batch := rows.fetchmany(20_000):
        yield "\n".join(row[0] for row in batch).encode() + b"\n"
