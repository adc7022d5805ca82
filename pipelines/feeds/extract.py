"""Taking a feed in: from source files to the lake, with every row accounted for.

Each file goes through: read → the profile's query → exact duplicates out → mapping → the profile's reject
rules → type conversion → required values → allowed values and ranges → one row per key. The first rule that
a row breaks is its reason in quarantine. All of it is set-based SQL on the caller's DuckDB connection, in
temporary tables that are dropped at the end.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.feeds.binding import RESERVED_COLUMNS, FeedBinding, check_columns
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.conversion import Rule, converted, default_literal, value_rules, wrong_type_rules
from pipelines.feeds.errors import FeedError, MappingError, ReconciliationError, SourceUnreadableError
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.readers import SourceTable, read_source
from pipelines.feeds.sources import SourceFile, resolve_files
from pipelines.feeds.sql import identifier, identifiers, literal, path_literal

# Part of every fingerprint: raised when the rules below change what a file's rows become, so that files are
# taken in again by the new rules.
RULES_VERSION = 1

_STAGE = "winback_feed"


@dataclass(frozen=True)
class _Job:
    """One file of one feed on its way."""

    con: duckdb.DuckDBPyConnection
    contract: FeedContract
    binding: FeedBinding
    profile_file: Path
    base_dir: Path
    time_zone: str

    def key(self, *parts: str) -> str:
        """Profile file and key, as messages name it."""
        return f"{self.profile_file}: {'.'.join(('feeds', self.contract.feed, *parts))}"


def extract_feed(
    con: duckdb.DuckDBPyConnection,
    contract: FeedContract,
    binding: FeedBinding,
    lake: Lake,
    *,
    profile_file: Path,
    base_dir: Path,
    time_zone: str,
) -> list[Ingestion]:
    """Takes in the feed's new and changed files.

    A file is skipped when its content, the binding, the contract and the time zone are those of its current
    ingestion. A file that is gone keeps what it brought: an archived landing folder takes nothing away.

    Args:
        con: an open DuckDB connection; only temporary tables are made, and dropped.
        contract: the feed's contract.
        binding: where the profile takes the feed from.
        lake: where ingestions are kept.
        profile_file: the profile, for messages.
        base_dir: the folder from which the profile's relative paths start.
        time_zone: the profile's zone.

    Returns:
        The new ingestions in the order of the files; empty when nothing has changed.

    Raises:
        FeedError: a missing or unreadable file, or a mapping that does not fit. Files before it are taken in.

    Example:
        A profile binds `products` to `data/landing/products.csv`; then

            extract_feed(duckdb.connect(), load_contracts()["products"], binding, Lake(home / "lake"),
                         profile_file=file, base_dir=project, time_zone="Europe/London")

        gives one `Ingestion`, and an empty list when called again.
    """
    check_columns(contract, binding, profile_file=profile_file)
    job = _Job(con, contract, binding, profile_file, base_dir, time_zone)
    feed_key = f"feeds.{contract.feed}"
    files = resolve_files(
        binding.source, profile_file=profile_file, key=f"{feed_key}.source", base_dir=base_dir
    )
    also = {
        name: resolve_files(
            source, profile_file=profile_file, key=f"{feed_key}.also.{name}", base_dir=base_dir
        )
        for name, source in binding.also.items()
    }
    known = {ingestion.source: ingestion.fingerprint for ingestion in lake.current(contract.feed)}
    ingestions = []
    for file in files:
        fingerprint = _fingerprint(job, file, also)
        if known.get(file.label) != fingerprint:
            ingestions.append(_take_in(job, lake, file, also, fingerprint))
    return ingestions


def _fingerprint(job: _Job, file: SourceFile, also: dict[str, list[SourceFile]]) -> str:
    decisive = {
        "rules": RULES_VERSION,
        "content": file.content_sha256,
        "also": {name: [other.content_sha256 for other in others] for name, others in also.items()},
        # A hint or the gate's threshold changes no row.
        "binding": job.binding.model_dump(
            mode="json", exclude={"max_quarantine_share": True, "source": {"hint", "path"}}
        ),
        "contract": job.contract.model_dump(mode="json"),
        "time_zone": job.time_zone,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _take_in(
    job: _Job, lake: Lake, file: SourceFile, also: dict[str, list[SourceFile]], fingerprint: str
) -> Ingestion:
    sequence = lake.next_sequence(job.contract.feed)
    ingestion_id = f"{sequence:06d}-{file.content_sha256[:12]}"
    try:
        source = read_source(
            job.con, job.binding.source, file, table=f"{_STAGE}_source", where=job.key("source")
        )
        _stage_rows(job, file, source, _read_also(job, also))
        rules = _map_rows(job)
        _collect_quarantine(job, rules, source.unreadable)
        with lake.staging_folder(job.contract.feed, ingestion_id) as folder:
            _write_parquet(job, folder, ingestion_id, file.label)
            _check_unchanged(job, file)
            ingestion = Ingestion(
                feed=job.contract.feed,
                ingestion_id=ingestion_id,
                sequence=sequence,
                source=file.label,
                content_sha256=file.content_sha256,
                fingerprint=fingerprint,
                source_bytes=file.source_bytes,
                ingested_at=datetime.now(UTC).replace(microsecond=0),
            )
            ingestion = _accounted(job, ingestion, folder, source.unreadable)
            lake.commit(folder, ingestion)
    finally:
        _drop_temporary_tables(job.con)
    return ingestion


def _read_also(job: _Job, also: dict[str, list[SourceFile]]) -> dict[str, str]:
    """The relation of each further source: its files one below the other."""
    relations = {}
    for name, files in also.items():
        parts = []
        for index, file in enumerate(files):
            where = job.key("also", name)
            table = read_source(
                job.con, job.binding.also[name], file, table=f"{_STAGE}_also_{name}_{index}", where=where
            )
            line = table.unreadable and _number(job.con, f"select min(_line) from {table.unreadable}")
            if line:
                raise SourceUnreadableError(
                    f"{where}: row {line} of {file.path} cannot be read; a source that is only "
                    "joined has no quarantine, so it must be readable in whole"
                )
            parts.append(table.relation)
        relations[name] = " union all by name ".join(f"({part})" for part in parts)
    return relations


def _stage_rows(job: _Job, file: SourceFile, source: SourceTable, also: dict[str, str]) -> None:
    """Fills `<stage>_rows`: the distinct source rows with `_line` (the first copy's) and `_copies`."""
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
        job.con.execute(
            f"""
            create or replace temp table {_STAGE}_rows as
            select {identifiers(columns)}, cast(min(_line) as bigint) as _line, count(*) as _copies
            from (
                select * {"exclude (_line)" if number == "_line" else ""}, {number} as _line
                from ({relation})
            )
            group by {identifiers(columns)}
            """
        )
    except duckdb.Error as error:
        if job.binding.query is None:
            raise SourceUnreadableError(
                f"{job.key('source')}: the file {file.path} cannot be read to its end: {error}"
            ) from error
        raise MappingError(
            f"{job.key('query')}: fails on the rows of {file.path}: {error}\n"
            "A value that cannot be cast should become null: use try_cast"
        ) from error


def _checked_query(job: _Job, with_tables: str, tables: dict[str, str], source: SourceTable) -> str:
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


def _check_query_columns(job: _Job, columns: Sequence[str]) -> None:
    for name in columns:
        if name.lower() in RESERVED_COLUMNS:
            raise MappingError(
                f"{job.key('query')}: its result has a column {name!r}, a name that is reserved "
                f"({', '.join(RESERVED_COLUMNS)}; only _line may be given)"
            )


def _map_rows(job: _Job) -> list[Rule]:
    """Fills `<stage>_mapped`: `_row`, `_line`, the contract's columns and `_rule`.

    Returns:
        The rules, of which `_rule` gives the position of the first that the row breaks; null for a good row.
    """
    available = [name for name in _columns_of(job.con, f"{_STAGE}_rows") if name not in ("_line", "_copies")]
    expressions = _bound_expressions(job, available)
    bound = _bound_relation(expressions, available)
    rejects = _reject_rules(job, bound, available)
    sql_types = _sql_types(job.con, expressions)
    conversions = {
        column.name: converted(
            column,
            f"mapped.{identifier(column.name)}",
            sql_types[column.name],
            job.binding.source,
            job.time_zone,
        )
        for column in job.contract.columns
        if column.name in expressions
    }
    values = [
        f"{conversions.get(column.name, 'null')} as {identifier(column.name)}"
        for column in job.contract.columns
    ]
    defaulted = [
        f"cast(coalesce({identifier(column.name)}, {default_literal(column)}) as {column.sql_type}) "
        f"as {identifier(column.name)}"
        for column in job.contract.columns
    ]
    unconvertible = wrong_type_rules(sql_types)
    broken = value_rules(job.contract)
    try:
        job.con.execute(
            f"""
            create or replace temp table {_STAGE}_mapped as
            with {bound},
            judged as (select _row, _line, mapped, {_first_broken(rejects, 0)} as _rule from source),
            typed as (select _row, _line, mapped, _rule, {", ".join(values)} from judged),
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
        )
    except duckdb.Error as error:
        raise _failing_expression(job, expressions, error) from error
    superseded = Rule("superseded_in_file", None, "")
    rules = [*rejects, *unconvertible, *broken, superseded]
    _mark_superseded(job, len(rules) - 1)
    return rules


def _columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe {table}").fetchall()]


def _bound_expressions(job: _Job, available: Sequence[str]) -> dict[str, str]:
    """SQL per mapped contract column, each checked by itself so that the message names the right one."""
    by_lower_name = {name.lower(): name for name in available}
    expressions = {}
    for name, written in job.binding.columns.items():
        column = by_lower_name.get(written.strip().lower())
        sql = identifier(column) if column is not None else written
        try:
            # Beside _line, so that an aggregate fails here and not later.
            job.con.execute(f"describe select _line, (\n{sql}\n) from {_STAGE}_rows as source")
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
        f"from (select rowid as _row, * exclude (_copies) from {_STAGE}_rows) as source), "
        f"source as (select bound.*{free} from bound)"
    )


def _reject_rules(job: _Job, bound: str, available: Sequence[str]) -> list[Rule]:
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
    described = con.execute(f"describe select {selected} from {_STAGE}_rows as source").fetchall()
    return dict(zip(expressions, (str(row[1]) for row in described), strict=True))


def _first_broken(rules: Sequence[Rule], offset: int) -> str:
    """SQL for the position (from `offset`) of the first rule that the row breaks, or null."""
    if not rules:
        return "cast(null as integer)"
    branches = " ".join(f"when {rule.condition} then {offset + index}" for index, rule in enumerate(rules))
    return f"case {branches} end"


def _failing_expression(job: _Job, expressions: Mapping[str, str], error: duckdb.Error) -> FeedError:
    """The error of the mapping, with the column that fails when run alone."""
    for name, sql in expressions.items():
        try:
            job.con.execute(
                f"select max(hash(value)) from (select (\n{sql}\n) as value from {_STAGE}_rows as source)"
            )
        except duckdb.Error as cause:
            return MappingError(
                f"{job.key('columns', name)}: the expression {job.binding.columns[name]!r} fails on a row: "
                f"{cause}\nA value that cannot be cast should become null, so that the row goes to "
                "quarantine: use try_cast"
            )
    return MappingError(f"{job.key('reject')}: a condition fails on a row: {error}\nUse try_cast")


def _mark_superseded(job: _Job, rule: int) -> None:
    """Marks the older of two good rows with one key: by version, else event time, else place in the file."""
    key = [identifier(name) for name in job.contract.key]
    newer = [name for name in (job.contract.version, job.contract.event_time) if name is not None]
    order = [f"{identifier(name)} desc nulls last" for name in newer]
    # All columns at the end: the choice is the same in every run, also where a query repeats a line's number.
    order += ["_line desc", *(identifier(name) for name in job.contract.column_names)]
    same_key = " and ".join(f"good.{name} is not distinct from repeated.{name}" for name in key)
    job.con.execute(
        f"""
        create or replace temp table {_STAGE}_superseded as
        with repeated as (
            select {", ".join(key)} from {_STAGE}_mapped where _rule is null group by all having count(*) > 1
        )
        select _row
        from (select good.* from {_STAGE}_mapped as good join repeated on {same_key} where good._rule is null)
        qualify row_number() over (partition by {", ".join(key)} order by {", ".join(order)}) > 1
        """
    )
    job.con.execute(
        f"update {_STAGE}_mapped set _rule = {rule} where _row in (select _row from {_STAGE}_superseded)"
    )


def _collect_quarantine(job: _Job, rules: Sequence[Rule], unreadable_lines: str | None) -> None:
    """Fills `<stage>_quarantine`: `_line`, `reason`, `column_name`, `original` (the source row as JSON)."""
    names = [name for name in _columns_of(job.con, f"{_STAGE}_rows") if name not in ("_line", "_copies")]
    fields = ", ".join(f"{identifier(name)} := {_STAGE}_rows.{identifier(name)}" for name in names)
    reasons = ", ".join(
        f"({index}, {literal(rule.reason)}, {literal(rule.column) if rule.column else 'null'})"
        for index, rule in enumerate(rules)
    )
    unreadable_rows = (
        ""
        if unreadable_lines is None
        else f"""
        union all
        select _line, 'unreadable_line', null,
            cast(to_json(struct_pack(line := raw, problem := problem)) as varchar)
        from {unreadable_lines}
        """
    )
    job.con.execute(
        f"""
        create or replace temp table {_STAGE}_quarantine as
        select mapped._line, rules.reason, cast(rules.column_name as varchar) as column_name,
            cast(to_json(struct_pack({fields})) as varchar) as original
        from {_STAGE}_mapped as mapped
        join (values {reasons}) as rules (position, reason, column_name) on mapped._rule = rules.position
        join {_STAGE}_rows on {_STAGE}_rows.rowid = mapped._row
        {unreadable_rows}
        """
    )


def _write_parquet(job: _Job, folder: Path, ingestion_id: str, label: str) -> None:
    origin = f"{literal(ingestion_id)} as _ingestion_id, {literal(label)} as _source, _line"
    key = identifiers(job.contract.key)
    job.con.execute(
        f"""
        copy (
            select {identifiers(job.contract.column_names)}, {origin}
            from {_STAGE}_mapped where _rule is null order by _line, {key}
        ) to {literal((folder / "rows.parquet").as_posix())} (format parquet, compression zstd)
        """
    )
    job.con.execute(
        f"""
        copy (
            select {origin}, reason, column_name, original
            from {_STAGE}_quarantine order by _line, reason, original
        ) to {literal((folder / "quarantine.parquet").as_posix())} (format parquet, compression zstd)
        """
    )


def _check_unchanged(job: _Job, file: SourceFile) -> None:
    status = file.path.stat()
    if (status.st_size, status.st_mtime_ns) != (file.source_bytes, file.modified_ns):
        raise SourceUnreadableError(
            f"{job.key('source')}: the file {file.path} was changed while it was read; run again when its "
            "writer has finished"
        )


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _accounted(job: _Job, ingestion: Ingestion, folder: Path, unreadable_lines: str | None) -> Ingestion:
    """The ingestion with its counts, the written files' own where rows were written.

    Raises:
        ReconciliationError: the rows read are not the rows loaded, quarantined and duplicate.
    """
    con = job.con
    lines = 0 if unreadable_lines is None else _number(con, f"select count(*) from {unreadable_lines}")
    quarantined = f"from read_parquet({path_literal(folder / 'quarantine.parquet')})"
    reasons = con.execute(f"select reason, count(*) {quarantined} group by reason order by reason").fetchall()
    counted = replace(
        ingestion,
        rows_read=_number(con, f"select sum(_copies) from {_STAGE}_rows") + lines,
        rows_loaded=_number(
            con, f"select count(*) from read_parquet({path_literal(folder / 'rows.parquet')})"
        ),
        rows_quarantined=_number(con, f"select count(*) {quarantined}"),
        rows_duplicate=_number(con, f"select sum(_copies - 1) from {_STAGE}_rows"),
        quarantined_by_reason={str(reason): int(rows) for reason, rows in reasons},
    )
    check_reconciliation(counted)
    return counted


def check_reconciliation(ingestion: Ingestion) -> None:
    """Checks that every row read was loaded, quarantined or a duplicate, and every quarantined one has a
    reason.

    Raises:
        ReconciliationError: naming the feed, the source and the counts.
    """
    accounted = ingestion.rows_loaded + ingestion.rows_quarantined + ingestion.rows_duplicate
    if ingestion.rows_read != accounted or ingestion.rows_quarantined != sum(
        ingestion.quarantined_by_reason.values()
    ):
        raise ReconciliationError(
            f"feed {ingestion.feed}, source {ingestion.source}: {ingestion.rows_read} rows read, but "
            f"{ingestion.rows_loaded} loaded + {ingestion.rows_quarantined} quarantined "
            f"({ingestion.quarantined_by_reason}) + {ingestion.rows_duplicate} duplicate"
        )


def _drop_temporary_tables(con: duckdb.DuckDBPyConnection) -> None:
    tables = con.execute(
        "select table_name from duckdb_tables() where temporary and starts_with(table_name, ?)", [_STAGE]
    ).fetchall()
    for (table,) in tables:
        con.execute(f"drop table temp.{identifier(table)}")
