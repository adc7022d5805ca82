"""From a source's rows to the contract's columns, each row with the first rule it breaks.

The profile's query → exact duplicates out → mapping → the profile's reject rules → type conversion → required
values → allowed values, ranges and lengths → one row per key. All of it is set-based SQL on the caller's
DuckDB connection, in temporary tables whose names begin with `STAGE`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipelines.feeds.binding import RESERVED_COLUMNS, FeedBinding
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.conversion import (
    Rule,
    converted,
    default_literal,
    expired_rule,
    future_rule,
    present,
    value_rules,
    wrong_type_rules,
)
from pipelines.feeds.errors import FeedError, MappingError, SourceUnreadableError
from pipelines.feeds.readers import SourceTable, in_file_order
from pipelines.feeds.repeats import delete_repeated_rows, find_repeated
from pipelines.feeds.sql import identifier, identifiers
from pipelines.feeds.tombstones import Tombstones

STAGE = "winback_feed"
ROW_ID = "rowid"
"""DuckDB's number of a row; a column of that name would hide it."""

ERASED = "erased"
"""Reason of rows of people who were erased: they are counted, and nothing of them is kept."""

EXPIRED = "expired"
"""Reason of rows about events older than the profile keeps; likewise."""


@dataclass(frozen=True)
class Job:
    """One feed on its way: what `extract_feed` was asked."""

    con: duckdb.DuckDBPyConnection
    contract: FeedContract
    binding: FeedBinding
    profile_file: Path
    base_dir: Path
    time_zone: str
    latest_event: date | None
    scratch_dir: Path
    settle_seconds: float
    tombstones: Tombstones | None = None
    oldest_event: date | None = None

    def key(self, *parts: str) -> str:
        """Profile file and key, as messages name it."""
        return f"{self.profile_file}: {self.path(*parts)}"

    def path(self, *parts: str) -> str:
        """A key of the feed in the profile."""
        return ".".join(("feeds", self.contract.feed, *parts))


def stage_rows(job: Job, named: str, source: SourceTable, also: dict[str, str]) -> int:
    """Fills `<stage>_rows`: the distinct source rows, each with the `_line` of its first copy.

    Returns:
        How many copies were left out.
    """
    rows = f"{STAGE}_rows"
    if job.binding.query is None and ROW_ID in map(str.lower, source.columns):
        raise SourceUnreadableError(
            f"{job.key('source')}: {named} has a column named {ROW_ID!r}, a name that the database "
            f"gives itself; give the feed the query `select * rename ({ROW_ID} as row_number) from source`"
        )
    if job.binding.query is None and source.table is not None:
        job.con.execute(f"alter table {source.table} rename to {rows}")
    else:
        _query_rows(job, named, source, also)
    return delete_repeated_rows(job.con, rows)


def _query_rows(job: Job, named: str, source: SourceTable, also: dict[str, str]) -> None:
    tables = {"source": source.relation, **also}
    with_tables = "with " + ", ".join(f"{identifier(name)} as ({body})" for name, body in tables.items())
    query = (
        "select * from source"
        if job.binding.query is None
        else _checked_query(job, with_tables, tables, source)
    )
    # On a line of its own: the profile's query may end with a comment.
    relation = f"{with_tables} select * from (\n{query}\n)"
    described = job.con.execute(f"describe {relation}").fetchall()
    columns = [row[0] for row in described if row[0].lower() != "_line"]
    if job.binding.query is not None:
        _check_query_columns(job, columns)
    number = "_line"
    if len(columns) == len(described):
        # No _line came through the query; the order of the values is one that every run finds again.
        number = f"row_number() over (order by {identifiers(columns)})"
    try:
        with kept_order(job):
            job.con.execute(
                f"""
                create or replace temp table {STAGE}_rows as
                select {identifiers(columns)}, cast({number} as bigint) as _line from ({relation})
                """
            )
    except duckdb.Error as error:
        if job.binding.query is None:
            raise SourceUnreadableError(
                f"{job.key('source')}: {named} cannot be read to its end: {error}"
            ) from error
        raise MappingError(
            f"{job.key('query')}: fails on the rows of {named}: {error}\n"
            "A value that cannot be cast should become null: use try_cast"
        ) from error


def kept_order(job: Job) -> AbstractContextManager[None]:
    """Without a query the rows stand in the file's order and keep it, which saves sorting them at the end."""
    return in_file_order(job.con) if job.binding.query is None else nullcontext()


def _checked_query(job: Job, with_tables: str, tables: dict[str, str], source: SourceTable) -> str:
    query = (job.binding.query or "").strip().rstrip(";")
    try:
        statements = job.con.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise MappingError(f"{job.key('query')}: must be one select statement, given: {query}")
        job.con.execute(f"describe {with_tables} select * from (\n{query}\n)")
    except duckdb.Error as error:
        raise MappingError(
            f"{job.key('query')}: is not valid: {error}\nTables: {', '.join(tables)}. "
            f"Columns of source: {', '.join(source.columns)}, _line"
        ) from error
    return query


def _check_query_columns(job: Job, columns: Sequence[str]) -> None:
    for name in columns:
        if name.lower() in (*RESERVED_COLUMNS, ROW_ID):
            raise MappingError(
                f"{job.key('query')}: its result has a column {name!r}, a name that is reserved "
                f"({', '.join((*RESERVED_COLUMNS, ROW_ID))}; only _line may be given)"
            )


def map_rows(job: Job) -> list[Rule]:
    """Fills `<stage>_mapped`: `_row`, `_line`, the contract's columns and `_rule`.

    Returns:
        The rules, of which `_rule` gives the position of the first that the row breaks; null for a good row.
    """
    available = [name for name in columns_of(job.con, f"{STAGE}_rows") if name != "_line"]
    expressions = _bound_expressions(job, available)
    bound = _bound_relation(expressions, available)
    rejects = _reject_rules(job, bound, available)
    sql_types = _sql_types(job.con, expressions)
    conversions = {
        column.name: converted(
            column,
            f"given.{identifier(column.name)}",
            sql_types[column.name],
            job.binding.source,
            job.time_zone,
        )
        for column in job.contract.columns
        if column.name in expressions
    }
    # Blanks are taken off once: the conversions and rules name a value several times.
    given = ", ".join(
        f"{identifier(name)} := {present(f'mapped.{identifier(name)}', sql_type)}"
        for name, sql_type in sql_types.items()
    )
    values = [
        f"{conversions.get(column.name, 'null')} as {identifier(column.name)}"
        for column in job.contract.columns
    ]
    defaulted = [
        f"cast(coalesce({identifier(column.name)}, {default_literal(column)}) as {column.sql_type}) "
        f"as {identifier(column.name)}"
        for column in job.contract.columns
    ]
    unconvertible = wrong_type_rules(job.contract, sql_types)
    broken = value_rules(job.contract)
    if job.latest_event is not None:
        broken += future_rule(job.contract, job.latest_event, job.time_zone)
    if job.oldest_event is not None:
        broken += expired_rule(job.contract, EXPIRED, job.oldest_event, job.time_zone)
    statement = f"""
            create or replace temp table {STAGE}_mapped as
            with {bound},
            judged as (
                select _row, _line, struct_pack({given}) as given, {_first_broken(rejects, 0)} as _rule
                from source
            ),
            typed as (select _row, _line, given, _rule, {", ".join(values)} from judged),
            filled as (
                select _row, _line, coalesce(_rule, {_first_broken(unconvertible, len(rejects))}) as _rule,
                    {", ".join(defaulted)}
                from typed
            )
            select * replace (
                coalesce(_rule, {_first_broken(broken, len(rejects) + len(unconvertible))}) as _rule
            )
            from filled
            """
    try:
        with kept_order(job):
            job.con.execute(statement)
    except duckdb.Error as error:
        raise _failing_expression(job, expressions, error) from error
    _check_row_count(job)
    rules = [*rejects, *unconvertible, *broken]
    if job.tombstones is not None and job.tombstones.load(job.con):
        _find_erased(job, job.tombstones, len(rules))
        rules.append(Rule(ERASED, None, "true"))
    _find_superseded(job)
    return rules


def _find_erased(job: Job, tombstones: Tombstones, position: int) -> None:
    """Marks the rows of erased people, whatever else is wrong with them."""
    erased = tombstones.rows_of_erased(job.contract, f"{STAGE}_mapped", "_row")
    job.con.execute(f"update {STAGE}_mapped set _rule = {position} where _row in ({erased})")


def _check_row_count(job: Job) -> None:
    """One row in, one row out: `unnest` in an expression would make several of one."""
    counts = [
        job.con.execute(f"select count(*) from {STAGE}_{name}").fetchone() for name in ("rows", "mapped")
    ]
    if counts[0] != counts[1]:
        raise MappingError(
            f"{job.key('columns')}: an expression under columns or a condition under reject makes another "
            "number of rows than there are. What makes rows of rows, such as unnest, belongs into `query:`"
        )


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The names of a table's columns."""
    return [row[0] for row in con.execute(f"describe {table}").fetchall()]


def _bound_expressions(job: Job, available: Sequence[str]) -> dict[str, str]:
    """SQL per mapped contract column, each checked by itself so that the message names the right one."""
    by_lower_name = {name.lower(): name for name in available}
    expressions = {}
    for name, written in job.binding.columns.items():
        column = by_lower_name.get(written.strip().lower())
        sql = identifier(column) if column is not None else written
        try:
            # Beside _line, so that an aggregate fails here and not later.
            job.con.execute(f"describe select _line, (\n{sql}\n) from {STAGE}_rows as source")
        except duckdb.Error as error:
            raise MappingError(
                f"{job.key('columns', name)}: {written!r} is neither a column of the source nor a valid SQL "
                f"expression over its columns: {error}\nColumns of the source: {', '.join(available)}, _line"
            ) from error
        expressions[name] = sql
    return expressions


def _bound_relation(expressions: Mapping[str, str], available: Sequence[str]) -> str:
    """CTEs that end in `source`: the source's columns, the struct `mapped`, and its names without a clash."""
    struct = ", ".join(f"{identifier(name)} := (\n{sql}\n)" for name, sql in expressions.items())
    taken = {name.lower() for name in available}
    free = "".join(
        f", bound.mapped.{identifier(name)} as {identifier(name)}"
        for name in expressions
        if name not in taken
    )
    return (
        f"bound as (select source.*, struct_pack({struct}) as mapped "
        f"from (select rowid as _row, * from {STAGE}_rows) as source), "
        f"source as (select bound.*{free} from bound)"
    )


def _reject_rules(job: Job, bound: str, available: Sequence[str]) -> list[Rule]:
    rules = []
    for index, rule in enumerate(job.binding.reject):
        condition = f"(\n{rule.when}\n)"
        try:
            job.con.execute(
                f"describe with {bound} select _line, case when {condition} then 1 end from source"
            )
        except duckdb.Error as error:
            raise MappingError(
                f"{job.key('reject', str(index), 'when')}: {rule.when!r} is not a valid condition: {error}\n"
                f"Columns of the source: {', '.join(available)}, _line; mapped values: "
                f"{', '.join(f'mapped.{name}' for name in job.binding.columns)}"
            ) from error
        rules.append(Rule(rule.reason, None, condition))
    return rules


def _sql_types(con: duckdb.DuckDBPyConnection, expressions: Mapping[str, str]) -> dict[str, str]:
    selected = ", ".join(f"(\n{sql}\n) as {identifier(name)}" for name, sql in expressions.items())
    described = con.execute(f"describe select {selected} from {STAGE}_rows as source").fetchall()
    return dict(zip(expressions, (str(row[1]) for row in described), strict=True))


def _first_broken(rules: Sequence[Rule], offset: int) -> str:
    """SQL for the position (from `offset`) of the first rule that the row breaks, or null."""
    if not rules:
        return "cast(null as integer)"
    branches = " ".join(f"when {rule.condition} then {offset + index}" for index, rule in enumerate(rules))
    return f"case {branches} end"


def _failing_expression(job: Job, expressions: Mapping[str, str], error: duckdb.Error) -> FeedError:
    """The error of the mapping, with the column that fails when run alone."""
    for name, sql in expressions.items():
        try:
            job.con.execute(
                f"select max(hash(value)) from (select (\n{sql}\n) as value from {STAGE}_rows as source)"
            )
        except duckdb.Error as cause:
            return MappingError(
                f"{job.key('columns', name)}: the expression {job.binding.columns[name]!r} fails on a row: "
                f"{cause}\nA value that cannot be cast should become null, so that the row goes to "
                "quarantine: use try_cast"
            )
    return MappingError(f"{job.key('reject')}: a condition fails on a row: {error}\nUse try_cast")


def _find_superseded(job: Job) -> None:
    """Fills `<stage>_superseded` with the `_row` of the older of two good rows with one key: by version, else
    event time, else place in the file."""
    key = [identifier(name) for name in job.contract.key]
    newer = [name for name in (job.contract.version, job.contract.event_time) if name is not None]
    order = [f"{identifier(name)} desc nulls last" for name in newer]
    # All columns at the end: the choice is the same in every run, also where a query repeats a line's number.
    order += ["_line desc", *(identifier(name) for name in job.contract.column_names)]
    repeated = f"{STAGE}_repeated_keys"
    find_repeated(job.con, f"{STAGE}_mapped", key, into=repeated, where="_rule is null")
    job.con.execute(
        f"""
        create or replace temp table {STAGE}_superseded as
        select _row
        from (select * from {STAGE}_mapped where rowid in (select _row from {repeated}))
        qualify row_number() over (partition by {", ".join(key)} order by {", ".join(order)}) > 1
        """
    )
