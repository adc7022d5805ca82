"""Rows that stand in a table more than once, found within a bound of memory.

Grouping a large file by all its columns keeps every row's text in the groups. Here the rows are grouped by
64-bit hashes, in parts, and only rows whose hash occurs twice, which are few, are told apart by 128 bits of
their whole content.
"""

from collections.abc import Sequence

import duckdb

from pipelines.feeds.sql import identifier

PART_ROWS = 2_000_000
"""Rows whose hashes are grouped at once: some 100 MB."""


def delete_repeated_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Deletes rows that equal an earlier one in all columns but `_line`; the lowest `_line` stays.

    Args:
        con: where the table is.
        table: a temporary table with a column `_line`.

    Returns:
        How many rows were deleted.

    Example:
        >>> con = duckdb.connect()
        >>> _ = con.execute("create temp table t as select * from (values (1, 'a'), (2, 'b'), (3, 'a')) "
        ...     "as v (_line, word)")
        >>> delete_repeated_rows(con, "t")
        1
        >>> con.sql("select _line from t order by 1").fetchall()
        [(1,), (2,)]
    """
    described = [row[:2] for row in con.execute(f"describe {table}").fetchall() if row[0] != "_line"]
    candidates = f"{table}_repeated"
    parts = find_repeated(con, table, [identifier(name) for name, _ in described], into=candidates)
    # A chain of || is as deep as there are columns, and DuckDB bounds the depth.
    text = f"concat({', '.join(_unambiguous(*each) for each in described)})"
    con.execute(
        f"""
        create or replace temp table {candidates} as
        select rowid as _row, _line, md5_number({text}) as content
        from {table} where rowid in (select _row from {candidates})
        """
    )
    deleted = 0
    for part in range(parts):
        row = con.execute(
            f"""
            delete from {table} where rowid in (
                select _row from {candidates} where hash(content) % {parts} = {part}
                qualify row_number() over (partition by content order by _line, _row) > 1
            )
            """
        ).fetchone()
        deleted += int(row[0]) if row else 0
    con.execute(f"drop table {candidates}")
    return deleted


def _unambiguous(column: str, sql_type: str) -> str:
    """SQL for a value as text with its length before it: no two rows give the same text."""
    name = identifier(column)
    text = name if sql_type == "VARCHAR" else f"cast(to_json({name}) as varchar)"
    return f"coalesce(strlen({text}) || ':' || {text}, '-')"


def find_repeated(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], *, into: str, where: str = "true"
) -> int:
    """Makes the temporary table `into` (`_row`, a rowid of `table`): all rows that may share their values of
    some columns with another row, and hardly any that do not.

    Args:
        con: where the table is.
        table: a temporary table.
        columns: quoted names.
        into: the name of the result.
        where: which rows are looked at.

    Returns:
        In how many parts the rows were grouped.
    """
    hashes = f"{into}_hashes"
    con.execute(
        f"create or replace temp table {hashes} as "
        f"select rowid as _row, hash({', '.join(columns)}) as h from {table} where {where}"
    )
    row = con.execute(f"select count(*) from {hashes}").fetchone()
    parts = 1 + (int(row[0]) if row else 0) // PART_ROWS
    con.execute(f"create or replace temp table {into} (_row bigint)")
    for part in range(parts):
        con.execute(
            f"""
            insert into {into}
            with part as (select * from {hashes} where h % {parts} = {part})
            select _row from part
            where h in (select h from part group by h having count(*) > 1)
            """
        )
    con.execute(f"drop table {hashes}")
    return parts
