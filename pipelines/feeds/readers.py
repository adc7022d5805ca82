"""Reading a source file into DuckDB.

Parquet is scanned in place and keeps its types. CSV, JSON Lines and workbooks are loaded into a temporary
table in which every column is text, so that a bad value is found by the contract's rules and not by a guess
of the reader. Lines that cannot be read at all are kept beside it.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import duckdb

from pipelines.feeds.binding import RESERVED_COLUMNS, FileFormat, FileSource
from pipelines.feeds.errors import ConfigError, SourceUnreadableError
from pipelines.feeds.sources import SourceFile
from pipelines.feeds.sql import identifier, identifiers, json_path, literal, path_literal

# A line longer than this is a broken file, not a row.
_MAX_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class SourceTable:
    """What a file holds, as DuckDB sees it.

    Attributes:
        relation: a SQL query with the source's columns and `_line`.
        columns: the source's columns, without `_line`.
        unreadable: a temporary table (_line, raw, problem) of lines that could not be read, or None.
    """

    relation: str
    columns: tuple[str, ...]
    unreadable: str | None


def read_source(
    con: duckdb.DuckDBPyConnection, source: FileSource, file: SourceFile, *, table: str, where: str
) -> SourceTable:
    """Makes a file's rows available to SQL; the caller drops the temporary tables `table` and
    `table`_unreadable.

    Args:
        con: an open DuckDB connection.
        source: how the file is to be read.
        file: the file.
        table: name for the temporary tables.
        where: profile file and key, for messages.

    Raises:
        ConfigError: the file's suffix is unknown and the profile gives no format.
        SourceUnreadableError: the file is not what its format says, or has two columns of one name.
    """
    file_format = source.format_of(file.path)
    if file_format is None:
        raise ConfigError(
            f"{where}: the suffix of {file.path.name!r} says no format; give `format:` one of "
            "parquet, csv, tsv, jsonl, xlsx"
        )
    readers: dict[FileFormat, Callable[[], SourceTable]] = {
        "parquet": lambda: _read_parquet(con, file.path),
        "csv": lambda: _read_csv(con, source, file.path, table, where, delimiter=","),
        "tsv": lambda: _read_csv(con, source, file.path, table, where, delimiter="\t"),
        "jsonl": lambda: _read_jsonl(con, file.path, table, where),
        "xlsx": lambda: _read_xlsx(con, source, file.path, table, where),
    }
    try:
        loaded = readers[file_format]()
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError) as error:
        raise unreadable(where, file.path, file_format, error) from error
    _check_column_names(loaded.columns, file.path, where)
    return loaded


def unreadable(where: str, path: Path, file_format: str, error: Exception) -> SourceUnreadableError:
    """The error for a file that is not what its format says."""
    return SourceUnreadableError(f"{where}: the file {path} cannot be read as {file_format}: {error}")


def _check_column_names(columns: Sequence[str], path: Path, where: str) -> None:
    seen: set[str] = set()
    for name in columns:
        # DuckDB compares names without case.
        if name.lower() in seen or not name:
            raise SourceUnreadableError(
                f"{where}: the file {path} has {'two columns' if name else 'a column'} named {name!r}; "
                f"columns found: {', '.join(columns)}"
            )
        if name.lower() in RESERVED_COLUMNS:
            raise SourceUnreadableError(
                f"{where}: the file {path} has a column named {name!r}, a name that is reserved "
                f"({', '.join(RESERVED_COLUMNS)})"
            )
        seen.add(name.lower())


def _read_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> SourceTable:
    scan = f"read_parquet({path_literal(path)}, binary_as_string = true, hive_partitioning = false"
    described = con.execute(f"describe select * from {scan})").fetchall()
    return SourceTable(
        relation=f"select * exclude (file_row_number), file_row_number + 1 as _line "
        f"from {scan}, file_row_number = true)",
        columns=tuple(row[0] for row in described),
        unreadable=None,
    )


@contextmanager
def _in_file_order(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rows keep the file's order, on which `_line` rests, also where the caller has traded it for memory."""
    row = con.execute("select current_setting('preserve_insertion_order')").fetchone()
    before = bool(row and row[0])
    con.execute("set preserve_insertion_order = true")
    try:
        yield
    finally:
        con.execute(f"set preserve_insertion_order = {str(before).lower()}")


def _open_text(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline=""))
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _csv_header(path: Path, delimiter: str, quote: str, where: str) -> list[str]:
    with _open_text(path) as text:
        rows = csv.reader(
            text,
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            strict=True,
        )
        header = next(rows, None)
    if not header:
        raise SourceUnreadableError(f"{where}: the file {path} begins without a header line")
    # Bytes of a later line that are no UTF-8 are that line's problem; in the header they are the file's.
    if any("\ufffd" in name for name in header):
        raise SourceUnreadableError(f"{where}: the header of {path} is not UTF-8: {', '.join(header)}")
    return [name.strip() for name in header]


def _read_csv(
    con: duckdb.DuckDBPyConnection, source: FileSource, path: Path, table: str, where: str, *, delimiter: str
) -> SourceTable:
    delimiter = source.delimiter or delimiter
    try:
        header = _csv_header(path, delimiter, source.quote, where)
    except csv.Error as error:
        raise SourceUnreadableError(f"{where}: the header of {path} cannot be read: {error}") from error
    _check_column_names(header, path, where)
    names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    nulls = ", ".join(literal(text) for text in ("", *source.null_values))
    rejects = f"{table}_rejects"
    with _in_file_order(con):
        con.execute(
            f"""
            create or replace temp table {table}_readable as
            select row_number() over () as _ordinal, *
            from read_csv(
                {path_literal(path)},
                auto_detect = false, header = true, columns = {{{names}}},
                delim = {literal(delimiter)},
                quote = {literal(source.quote)}, escape = {literal(source.quote)},
                nullstr = [{nulls}], max_line_size = {_MAX_LINE_BYTES}, hive_partitioning = false,
                store_rejects = true, rejects_limit = 0,
                rejects_table = '{rejects}', rejects_scan = '{rejects}_scan'
            )
            """
        )
    # One line can be rejected for several reasons; it is one line. DuckDB counts the header as line 1.
    con.execute(
        f"""
        create or replace temp table {table}_unreadable as
        select
            cast(line - 1 as bigint) as _line,
            trim(arg_min(csv_line, error_message), chr(13) || chr(10)) as raw,
            lower(min(cast(error_type as varchar))) as problem
        from {rejects}
        group by line
        """
    )
    # A readable row's number counts the unreadable lines before it: of the r-th lowest rejected line, `_line
    # - r` readable rows stand before it.
    con.execute(
        f"""
        create or replace temp table {table} as
        with gaps as (
            select before, max(skipped) as skipped
            from (
                select _line - row_number() over (order by _line) as before,
                    row_number() over (order by _line) as skipped
                from {table}_unreadable
            )
            group by before
        )
        select readable.* exclude (_ordinal), _ordinal + coalesce(skipped, 0) as _line
        from {table}_readable as readable
        asof left join gaps on readable._ordinal > gaps.before
        """
    )
    for leftover in (f"{table}_readable", rejects, f"{rejects}_scan"):
        con.execute(f"drop table {leftover}")
    return SourceTable(f"select * from {table}", tuple(header), f"{table}_unreadable")


def _read_jsonl(con: duckdb.DuckDBPyConnection, path: Path, table: str, where: str) -> SourceTable:
    # A control character cannot stand raw in valid JSON, so as the delimiter it never splits a good line.
    with _in_file_order(con):
        con.execute(
            f"""
            create or replace temp table {table}_text as
            select row_number() over () as _line, line
            from read_csv(
                {path_literal(path)},
                auto_detect = false, header = false, columns = {{'line': 'VARCHAR'}},
                delim = chr(1), quote = '', escape = '', max_line_size = {_MAX_LINE_BYTES}, hive_partitioning
                = false
            )
            where trim(line) <> ''
            """
        )
    con.execute(
        f"""
        create or replace temp table {table}_unreadable as
        select _line, line as raw, 'not a JSON object' as problem
        from {table}_text
        where not json_valid(line) or json_type(line) <> 'OBJECT'
        """
    )
    objects = f"from {table}_text anti join {table}_unreadable using (_line)"
    keys = [
        row[0]
        for row in con.execute(
            f"""
            select key
            from (
                select _line, unnest(json_keys(line)) as key, generate_subscripts(json_keys(line), 1) as place
                {objects}
            )
            group by key
            order by min((_line, place))
            """
        ).fetchall()
    ]
    if not keys:
        raise SourceUnreadableError(f"{where}: no line of {path} is a JSON object with a key")
    fields = "".join(f", json_extract_string(line, {json_path(key)}) as {identifier(key)}" for key in keys)
    con.execute(f"create or replace temp table {table} as select _line{fields} {objects}")
    con.execute(f"drop table {table}_text")
    return SourceTable(f"select * from {table}", tuple(keys), f"{table}_unreadable")


def _read_xlsx(
    con: duckdb.DuckDBPyConnection, source: FileSource, path: Path, table: str, where: str
) -> SourceTable:
    # Polars takes its time to import, and only workbooks need it.
    import polars as pl  # noqa: PLC0415

    names = [source.sheet] if isinstance(source.sheet, str) else list(source.sheet or ())
    # Text as in a CSV: a column of numbers and codes mixed would otherwise lose one of the two.
    as_text = {"dtypes": "string"}
    try:
        sheets = (
            pl.read_excel(path, sheet_name=names, read_options=as_text, raise_if_empty=False)
            if names
            else pl.read_excel(path, sheet_id=0, read_options=as_text, raise_if_empty=False)
        )
    except Exception as error:  # the reader has its own exceptions, of which there is no common base
        raise unreadable(where, path, "xlsx", error) from error
    filled = {name: frame for name, frame in sheets.items() if frame.width}
    if not filled:
        raise SourceUnreadableError(f"{where}: the workbook {path} has no sheet with a header")
    columns = next(iter(filled.values())).columns
    for name, frame in filled.items():
        if frame.columns != columns:
            raise SourceUnreadableError(
                f"{where}: the sheets of {path} differ in their columns: {next(iter(filled))!r} has "
                f"{', '.join(columns)}; {name!r} has {', '.join(frame.columns)}. "
                "Name the wanted ones with `sheet:`"
            )
    # The number counts on through the sheets, so that it stays unique in the file.
    workbook = pl.concat(list(filled.values())).with_row_index("_line", offset=1)
    con.register(f"{table}_frame", workbook.to_arrow())
    try:
        con.execute(
            f"create or replace temp table {table} as "
            f"select {identifiers(columns)}, cast(_line as bigint) as _line from {table}_frame"
        )
    finally:
        con.unregister(f"{table}_frame")
    return SourceTable(f"select * from {table}", tuple(columns), None)
