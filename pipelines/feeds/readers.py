"""Reading a source into DuckDB.

Parquet is scanned in place and keeps its types. CSV, JSON Lines and workbooks are loaded into a temporary
table in which every column is text, so that a bad value is found by the contract's rules and not by a guess
of the reader. Lines that cannot be read at all are kept beside it. Text that is not UTF-8 is written anew as
UTF-8 first, and so is UTF-8 text with a byte that is none, so that the line's text can be kept. A database's
rows lie in a Parquet file already (`pipelines.feeds.databases`).
"""

import csv
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipelines.feeds.binding import RESERVED_COLUMNS
from pipelines.feeds.encodings import MARK, open_bytes, transcode
from pipelines.feeds.errors import ConfigError, SourceUnreadableError
from pipelines.feeds.source_settings import AnySource, DatabaseSource, FileFormat, FileSource
from pipelines.feeds.sources import SourceFile
from pipelines.feeds.sql import identifier, identifiers, json_path, literal, path_literal
from pipelines.feeds.unpacked import check_unpacked_size

# A line longer than this is a broken file, not a row.
_MAX_LINE_BYTES = 16 * 1024 * 1024
# Nearly every header ends within these; only for a longer one is more read.
_HEADER_BYTES = 64 * 1024
# Each thread holds two of them. By default DuckDB takes sixteen lines of the greatest length.
_BUFFER_BYTES = 2 * _MAX_LINE_BYTES
_BUCKET_ROWS = 1024
_MAX_COLUMNS = 2000
"""A file with more is no table that anybody keeps; loading it takes time and memory with their square."""

_HAS_TEXT = "trim(line) <> ''"
# The keys of a JSON object in their order; null for a line that is none.
_KEYS_OF_LINE = (
    "case when left(ltrim(line, ' ' || chr(9) || chr(10) || chr(13)), 1) = '{' then try(json_keys(line)) end"
)


@dataclass(frozen=True)
class SourceTable:
    """What a file holds, as DuckDB sees it.

    Attributes:
        relation: a SQL query with the source's columns and `_line`.
        columns: the source's columns, without `_line`.
        unreadable: a temporary table (_line, raw, problem) of lines that could not be read, or None.
        table: the temporary table that the rows were loaded into, or None for a file that is scanned.
    """

    relation: str
    columns: tuple[str, ...]
    unreadable: str | None
    table: str | None = None


def read_source(
    con: duckdb.DuckDBPyConnection,
    source: AnySource,
    file: SourceFile,
    *,
    table: str,
    where: str,
    scratch_dir: Path | None = None,
) -> SourceTable:
    """Makes a source's rows available to SQL; the caller drops the temporary tables `table` and
    `table`_unreadable.

    Args:
        con: an open DuckDB connection.
        source: how the file is to be read.
        file: the file, or the file with a database's rows.
        table: name for the temporary tables.
        where: profile file and key, for messages.
        scratch_dir: where text is written anew that is not UTF-8; by default the system's temporary folder.

    Returns:
        The rows. No columns at all mean a file without rows that could name them.

    Raises:
        ConfigError: the file's suffix is unknown and the profile gives no format.
        SourceUnreadableError: the file is not what its format says, or has two columns of one name.
    """
    if isinstance(source, DatabaseSource):
        snapshot = _read_snapshot(con, file.path)
        _check_column_names(snapshot.columns, file.label, where)
        return snapshot
    file_format = source.format_of(file.path)
    if file_format is None:
        raise ConfigError(
            f"{where}: the suffix of {file.path.name!r} says no format; give `format:` one of "
            "parquet, csv, tsv, jsonl, xlsx"
        )
    readers: dict[FileFormat, Callable[[Path], SourceTable]] = {
        "parquet": lambda path: _read_parquet(con, path),
        "csv": lambda path: _read_csv(
            con, source, path, named=file.path, table=table, where=where, delimiter=","
        ),
        "tsv": lambda path: _read_csv(
            con, source, path, named=file.path, table=table, where=where, delimiter="\t"
        ),
        "jsonl": lambda path: _read_jsonl(con, path, file.path, table, where),
        "xlsx": lambda path: _read_xlsx(con, source, path, table, where),
    }
    read = readers[file_format]
    try:
        check_unpacked_size(con, source, file.path, file_format, where)
        loaded: SourceTable | None = None
        if file_format in ("parquet", "xlsx") or source.encoding == "utf-8":
            loaded = read(file.path)
        if loaded is None or _has_wrong_bytes(con, loaded.unreadable):
            with TemporaryDirectory(prefix="text-", dir=scratch_dir) as folder:
                text = Path(folder, "text")
                wrong = transcode(file.path, source.encoding, text)
                loaded = read(text)
                if wrong:
                    _set_marked_aside(con, loaded, table, source.encoding)
    except (duckdb.Error, OSError, EOFError, UnicodeError, zlib.error) as error:
        raise unreadable(where, file.path, file_format, error) from error
    _check_column_names(loaded.columns, str(file.path), where)
    return loaded


def _has_wrong_bytes(con: duckdb.DuckDBPyConnection, unreadable_lines: str | None) -> bool:
    if unreadable_lines is None:
        return False
    found = con.execute(f"select 1 from {unreadable_lines} where problem = 'invalid encoding' limit 1")
    return found.fetchone() is not None


def _set_marked_aside(con: duckdb.DuckDBPyConnection, loaded: SourceTable, table: str, encoding: str) -> None:
    """Moves the rows with a marked byte to the unreadable ones; their text has the byte as `\\xff`."""
    mark = literal(MARK)
    problem = literal(f"bytes that are not {encoding}")
    con.execute(
        f"update {table}_unreadable set problem = {problem}, raw = replace(raw, {mark}, '\\x') "
        f"where contains(raw, {mark})"
    )
    if not loaded.columns:
        return
    values = ", ".join(f"coalesce({identifier(name)}, '')" for name in loaded.columns)
    is_marked = f"contains(concat({values}), {mark})"
    con.execute(
        f"""
        insert into {table}_unreadable
        select _line, replace(concat_ws(',', {values}), {mark}, '\\x'), {problem}
        from {table} where {is_marked}
        """
    )
    con.execute(f"delete from {table} where {is_marked}")


def unreadable(where: str, path: Path, file_format: str, error: Exception) -> SourceUnreadableError:
    """The error for a file that is not what its format says."""
    return SourceUnreadableError(f"{where}: the file {path} cannot be read as {file_format}: {error}")


def _check_column_names(columns: Sequence[str], name_of_source: str, where: str) -> None:
    if len(columns) > _MAX_COLUMNS:
        raise SourceUnreadableError(
            f"{where}: the source {name_of_source} has {len(columns):,} columns; accepted: at most "
            f"{_MAX_COLUMNS:,}"
        )
    seen: set[str] = set()
    for name in columns:
        # DuckDB compares names without case.
        if name.lower() in seen or not name:
            raise SourceUnreadableError(
                f"{where}: the source {name_of_source} has "
                f"{'two columns' if name else 'a column'} named {name!r}; columns found: {', '.join(columns)}"
            )
        if name.lower() in RESERVED_COLUMNS:
            raise SourceUnreadableError(
                f"{where}: the source {name_of_source} has a column named {name!r}, a name that is reserved "
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


def _read_snapshot(con: duckdb.DuckDBPyConnection, path: Path) -> SourceTable:
    scan = f"select * from read_parquet({path_literal(path)}, hive_partitioning = false)"
    described = con.execute(f"describe {scan}").fetchall()
    columns = tuple(row[0] for row in described if row[0] != "_line")
    return SourceTable(relation=scan, columns=columns, unreadable=None)


@contextmanager
def in_file_order(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rows keep the file's order, on which `_line` rests, also where the caller has traded it for memory."""
    row = con.execute("select current_setting('preserve_insertion_order')").fetchone()
    before = bool(row and row[0])
    con.execute("set preserve_insertion_order = true")
    try:
        yield
    finally:
        con.execute(f"set preserve_insertion_order = {str(before).lower()}")


def _csv_header(path: Path, named: Path, delimiter: str, quote: str, where: str) -> list[str]:
    header: list[str] | None = None
    for most in (_HEADER_BYTES, _MAX_LINE_BYTES):
        with open_bytes(path) as content:
            start = content.read(most)
        text = StringIO(start.decode("utf-8-sig", "replace"), newline="")
        rows = csv.reader(
            text,
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            header = next(rows, None)
        except csv.Error:
            if len(start) < most or most == _MAX_LINE_BYTES:
                raise
            continue  # it may go on
        if len(start) < most or text.tell() < len(text.getvalue()):
            break
    else:
        raise SourceUnreadableError(
            f"{where}: the header line of {named} does not end within {_MAX_LINE_BYTES:,} bytes"
        )
    if not header:
        raise SourceUnreadableError(f"{where}: the file {named} begins without a header line")
    # Bytes of a later line that are not of the encoding are that line's problem; in the header they are the
    # file's.
    if any("\ufffd" in name or MARK in name for name in header):
        raise SourceUnreadableError(
            f"{where}: the header of {named} is not in the encoding that the profile says (UTF-8 where it "
            f"says none): {', '.join(header)}. Give the file's with `encoding:`"
        )
    return [name.strip() for name in header]


def _read_csv(
    con: duckdb.DuckDBPyConnection,
    source: FileSource,
    path: Path,
    *,
    named: Path,
    table: str,
    where: str,
    delimiter: str,
) -> SourceTable:
    delimiter = source.delimiter or delimiter
    try:
        header = _csv_header(path, named, delimiter, source.quote, where)
    except csv.Error as error:
        raise SourceUnreadableError(f"{where}: the header of {named} cannot be read: {error}") from error
    _check_column_names(header, str(named), where)
    nulls = ", ".join(literal(text) for text in ("", *source.null_values))
    _load_lines(
        con,
        path,
        table,
        header,
        f"header = true, delim = {literal(delimiter)}, quote = {literal(source.quote)}, "
        f"escape = {literal(source.quote)}, nullstr = [{nulls}]",
        lines_before=1,
    )
    return SourceTable(f"select * from {table}", tuple(header), f"{table}_unreadable", table)


def _load_lines(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    table: str,
    columns: Sequence[str],
    options: str,
    *,
    lines_before: int,
) -> None:
    """Fills `table` with the readable lines and their numbers, `table`_unreadable with the others."""
    names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    rejects = f"{table}_rejects"
    compression = "gzip" if path.suffix.lower() == ".gz" else "none"
    with in_file_order(con):
        con.execute(
            f"""
            create or replace temp table {table} as
            select *, row_number() over () as _line
            from read_csv(
                {path_literal(path)}, {options},
                auto_detect = false, columns = {{{names}}}, compression = '{compression}',
                max_line_size = {_MAX_LINE_BYTES}, buffer_size = {_BUFFER_BYTES}, hive_partitioning = false,
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
            cast(line - {lines_before} as bigint) as _line,
            trim(arg_min(csv_line, error_message), chr(13) || chr(10)) as raw,
            lower(min(cast(error_type as varchar))) as problem
        from {rejects}
        group by line
        """
    )
    for leftover in (rejects, f"{rejects}_scan"):
        con.execute(f"drop table {leftover}")
    row = con.execute(f"select count(*) from {table}_unreadable").fetchone()
    if row and row[0]:
        _count_unreadable_lines_in(con, table)


def _count_unreadable_lines_in(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Numbers readable rows as lines of the file: of the r-th lowest rejected line, `_line - r` readable rows
    stand before it."""
    # An as-of join would sort the whole file. Here a bucket of rows is joined to the few places in it.
    con.execute(
        f"""
        create or replace temp table {table}_numbered as
        with rejected as (
            select _line - row_number() over (order by _line) as before from {table}_unreadable
        ),
        gaps as (
            select before // {_BUCKET_ROWS} as bucket, before, count(*) as lines
            from rejected group by all
        ),
        sums as (
            select bucket, before, sum(lines) over (partition by bucket order by before) as lines from gaps
        ),
        places as (
            select bucket, list(before order by before) as befores, list(lines order by before) as sums
            from sums group by bucket
        ),
        buckets as (
            select unnest(generate_series(0, (select max(_line) // {_BUCKET_ROWS} from {table}))) as bucket
        ),
        counted as (
            select bucket, befores, sums, coalesce(sum(sums[-1]) over (
                order by bucket rows between unbounded preceding and 1 preceding
            ), 0) as lines_before
            from buckets left join places using (bucket)
        )
        select readable.* replace (cast(
            readable._line + counted.lines_before + coalesce(
                sums[len(list_filter(befores, lambda place: place < readable._line))], 0
            ) as bigint
        ) as _line)
        from {table} as readable join counted on readable._line // {_BUCKET_ROWS} = counted.bucket
        """
    )
    con.execute(f"drop table {table}")
    con.execute(f"alter table {table}_numbered rename to {table}")


def _read_jsonl(
    con: duckdb.DuckDBPyConnection, path: Path, named: Path, table: str, where: str
) -> SourceTable:
    # A control character cannot stand raw in valid JSON, so as the delimiter it never splits a good line.
    lines = f"{table}_text"
    _load_lines(
        con, path, lines, ["line"], "header = false, delim = chr(1), quote = '', escape = ''", lines_before=0
    )
    # One look at each line: its keys say whether it is an object. Files have few sets of keys, so that only
    # these are taken apart.
    con.execute(
        f"""
        create or replace temp table {lines}_keys as
        select keys, min(_line) as first_line
        from (select _line, {_KEYS_OF_LINE} as keys from {lines} where {_HAS_TEXT})
        group by keys
        """
    )
    others = con.execute(f"select 1 from {lines}_keys where keys is null").fetchone()
    no_objects = f"{_HAS_TEXT} and {_KEYS_OF_LINE} is null" if others else "false"
    con.execute(
        f"""
        create or replace temp table {table}_unreadable as
        from {lines}_unreadable
        union all
        select _line, line as raw, 'not a JSON object' as problem from {lines} where {no_objects}
        """
    )
    con.execute(f"drop table {lines}_unreadable")
    keys = [
        row[0]
        for row in con.execute(
            f"""
            select key
            from (
                select first_line, unnest(keys) as key, generate_subscripts(keys, 1) as place
                from {lines}_keys
            )
            group by key
            order by min((first_line, place))
            """
        ).fetchall()
    ]
    found = con.execute(f"select exists (from {table}_unreadable), exists (from {lines}_keys)").fetchone()
    _check_column_names(keys, str(named), where)
    if not keys and found != (False, False):
        raise SourceUnreadableError(f"{where}: no line of {named} is a JSON object with a key")
    # Each line is parsed once, for all of its keys.
    paths = ", ".join(json_path(key) for key in keys)
    fields = "".join(f", texts[{place}] as {identifier(key)}" for place, key in enumerate(keys, start=1))
    texts = f"json_extract_string(line, [{paths}])" if keys else "null"
    are_objects = f"{_KEYS_OF_LINE} is not null" if others else "true"
    con.execute(
        f"""
        create or replace temp table {table} as
        select _line{fields}
        from (select _line, {texts} as texts from {lines} where {_HAS_TEXT} and {are_objects})
        """
    )
    for leftover in (lines, f"{lines}_keys"):
        con.execute(f"drop table {leftover}")
    return SourceTable(f"select * from {table}", tuple(keys), f"{table}_unreadable", table)


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
    # Before there is a column of ours, whose name it may have.
    _check_column_names(columns, str(path), where)
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
    return SourceTable(f"select * from {table}", tuple(columns), None, table)
