"""What became of a source's rows: the good ones and the quarantined ones written, and all of them counted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines.feeds.conversion import Rule, local_date
from pipelines.feeds.errors import ReconciliationError
from pipelines.feeds.lake import Ingestion
from pipelines.feeds.mapping import ERASED, EXPIRED, STAGE, Job, columns_of, kept_order
from pipelines.feeds.sql import identifier, identifiers, literal, path_literal
from pipelines.feeds.tombstones import words_of

MAX_ORIGINAL_BYTES = 1024 * 1024
"""Of a quarantined row's text as JSON; of a longer one the beginning is kept, with its length and hash."""

KEPT_CHARACTERS = 65536
"""How much is kept of an original that is too long."""


def write_rows(job: Job, folder: Path, ingestion_id: str, label: str) -> None:
    """Writes `rows.parquet`: the rows that break no rule, one per key, in the order of their lines."""
    order = "" if job.binding.query is None else f"order by _line, {identifiers(job.contract.key)}"
    statement = f"""
        copy (
            select {identifiers(job.contract.column_names)}, {_origin(ingestion_id, label)}
            from {STAGE}_mapped anti join {STAGE}_superseded using (_row)
            where _rule is null
            {order}
        ) to {literal((folder / "rows.parquet").as_posix())} (format parquet, compression zstd)
        """
    with kept_order(job):
        job.con.execute(statement)


def write_no_rows(job: Job, folder: Path) -> None:
    """Writes both files of a source that has no rows at all."""
    columns = [
        f"cast(null as {column.sql_type}) as {identifier(column.name)}" for column in job.contract.columns
    ]
    origin = ["'' as _ingestion_id", "'' as _source", "cast(0 as bigint) as _line"]
    texts = [f"cast(null as varchar) as {name}" for name in ("reason", "column_name", "original")]
    for name, selected in (("rows", [*columns, *origin]), ("quarantine", [*origin, *texts])):
        job.con.execute(
            f"copy (select {', '.join(selected)} where false) "
            f"to {literal((folder / f'{name}.parquet').as_posix())} (format parquet, compression zstd)"
        )


def write_quarantine(
    job: Job,
    rules: Sequence[Rule],
    unreadable_lines: str | None,
    *,
    folder: Path,
    ingestion_id: str,
    label: str,
) -> None:
    """Writes `quarantine.parquet`: reason, column and source row (as JSON) of each row that is not loaded."""
    names = [name for name in columns_of(job.con, f"{STAGE}_rows") if name != "_line"]
    fields = ", ".join(f"{identifier(name)} := {STAGE}_rows.{identifier(name)}" for name in names)
    named = [*rules, Rule("superseded_in_file", None, "")]
    reasons = ", ".join(
        f"({index}, {literal(rule.reason)}, {literal(rule.column) if rule.column else 'null'})"
        for index, rule in enumerate(named)
    )
    unreadable_rows = (
        ""
        if unreadable_lines is None
        else f"""
        union all
        select _line, 'unreadable_line', null,
            cast(to_json(struct_pack(line := raw, problem := problem)) as varchar)
        from {unreadable_lines} {_but_erased(job, unreadable_lines)}
        """
    )
    job.con.execute(
        f"""
        copy (
            with bad as (
                select _row, _line, _rule from {STAGE}_mapped where _rule is not null
                union all
                select _row, _line, {len(rules)} from {STAGE}_mapped semi join {STAGE}_superseded using (_row)
            ),
            quarantined as (
                select bad._line, rules.reason, cast(rules.column_name as varchar) as column_name,
                    case when rules.reason not in ({literal(ERASED)}, {literal(EXPIRED)})
                        then cast(to_json(struct_pack({fields})) as varchar) end as original
                from bad
                join (values {reasons}) as rules (position, reason, column_name) on bad._rule = rules.position
                join {STAGE}_rows on {STAGE}_rows.rowid = bad._row
                {unreadable_rows}
            )
            select {_origin(ingestion_id, label)}, reason, column_name, {_shortened("original")} as original
            from quarantined
            order by _line, reason, original
        ) to {literal((folder / "quarantine.parquet").as_posix())} (format parquet, compression zstd)
        """
    )


def _but_erased(job: Job, unreadable_lines: str) -> str:
    """SQL that leaves out the lines which name erased people, and then counts them without their text."""
    if job.tombstones is None or not job.tombstones.load(job.con):
        return ""
    erased = job.tombstones.texts_of_erased(unreadable_lines, "rowid", words_of("raw"))
    return (
        f"where rowid not in ({erased}) "
        f"union all select _line, {literal(ERASED)}, null, null from {unreadable_lines} "
        f"where rowid in ({erased})"
    )


def _origin(ingestion_id: str, label: str) -> str:
    return f"{literal(ingestion_id)} as _ingestion_id, {literal(label)} as _source, _line"


def _shortened(original: str) -> str:
    return (
        f"case when strlen({original}) <= {MAX_ORIGINAL_BYTES} then {original} "
        f"else cast(to_json(struct_pack(beginning := left({original}, {KEPT_CHARACTERS}), "
        f"bytes := strlen({original}), sha256 := sha256({original}))) as varchar) end"
    )


def number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """The number that a query gives; 0 for none."""
    row = con.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def accounted(
    job: Job,
    ingestion: Ingestion,
    rules: Sequence[Rule],
    *,
    folder: Path,
    unreadable_lines: str | None,
    duplicates: int,
) -> Ingestion:
    """The ingestion with its counts, the written files' own where rows were written.

    Raises:
        ReconciliationError: the rows read are not the rows loaded, quarantined and duplicate.
    """
    con = job.con
    lines = 0 if unreadable_lines is None else number(con, f"select count(*) from {unreadable_lines}")
    quarantined = f"from read_parquet({path_literal(folder / 'quarantine.parquet')})"
    reasons = con.execute(f"select reason, count(*) {quarantined} group by reason order by reason").fetchall()
    counted = replace(
        ingestion,
        rows_read=number(con, f"select count(*) from {STAGE}_rows") + duplicates + lines,
        rows_loaded=number(
            con, f"select count(*) from read_parquet({path_literal(folder / 'rows.parquet')})"
        ),
        rows_quarantined=number(con, f"select count(*) {quarantined}"),
        rows_duplicate=duplicates,
        quarantined_by_reason={str(reason): int(rows) for reason, rows in reasons},
        future_from=_future_from(job, rules),
    )
    check_reconciliation(counted)
    return counted


def _future_from(job: Job, rules: Sequence[Rule]) -> str | None:
    positions = [index for index, rule in enumerate(rules) if rule.reason == "future_date"]
    if not positions:
        return None
    day = local_date(job.contract, job.time_zone)
    row = job.con.execute(f"select min({day}) from {STAGE}_mapped where _rule = {positions[0]}").fetchone()
    return None if row is None or row[0] is None else str(row[0])


def check_reconciliation(ingestion: Ingestion) -> None:
    """Checks that every row read was loaded, quarantined or a duplicate, and every quarantined one has a
    reason.

    Raises:
        ReconciliationError: naming the feed, the source and the counts.
    """
    total = ingestion.rows_loaded + ingestion.rows_quarantined + ingestion.rows_duplicate
    if ingestion.rows_read != total or ingestion.rows_quarantined != sum(
        ingestion.quarantined_by_reason.values()
    ):
        raise ReconciliationError(
            f"feed {ingestion.feed}, source {ingestion.source}: {ingestion.rows_read} rows read, but "
            f"{ingestion.rows_loaded} loaded + {ingestion.rows_quarantined} quarantined "
            f"({ingestion.quarantined_by_reason}) + {ingestion.rows_duplicate} duplicate"
        )
