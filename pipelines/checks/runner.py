"""Validates suites with Great Expectations inside an open DuckDB connection.

A verdict never shows personal data. Verdicts of the raw stage give counts and the columns in `RAW_SHOWN`
(where the row came from), never values; the others leave out what their suite calls `private`. Error
messages are passed on only from DuckDB errors that speak of names, not of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.checks.stages import Stage
from pipelines.checks.suites import UNEXPECTED_ROWS, ExpectationSpec, Suite, render_sql

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

    from pipelines.checks.duckdb_datasource import DuckDBDatasource

EXAMPLES = 10
"""Unexpected rows shown per expectation."""

RAW_POINTERS = ("_source", "_line")

RAW_SHOWN = (
    *RAW_POINTERS,
    "_ingestion_id",
    "rows",
    "rows_read",
    "rows_loaded",
    "rows_loaded_before",
    "rows_quarantined",
    "rows_duplicate",
    "allowed_share",
)
"""All that a verdict of the raw stage shows of an unexpected row."""

_NAMING_ERROR = re.compile(
    r"(?:Binder|Catalog|Parser|IO) Error: .*|The column \S+ in BatchData does not exist.*"
)


@dataclass(frozen=True)
class Finding:
    """One expectation that was not met, or could not be evaluated (`error` is set)."""

    expectation: str
    type: str
    column: str | None
    severity: str
    reason: str
    remedy: str
    observed: str
    unexpected_rows: int | None = None
    examples: tuple[Mapping[str, Any], ...] = ()
    error: str | None = None

    @property
    def fails_gate(self) -> bool:
        """A warning does not, unless it could not even be evaluated."""
        return self.error is not None or self.severity == "critical"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, without the fields that are empty."""
        return {key: value for key, value in asdict(self).items() if value not in (None, ())}


@dataclass(frozen=True)
class SuiteVerdict:
    """What came out of one suite for one as-of date (None in unpartitioned stages).

    `failed`, `errored` and `warnings` count expectations; the first two fail the gate.
    """

    stage: Stage
    suite: str
    table: str
    as_of_date: date | None
    passed: bool
    expectations: int
    failed: int
    errored: int
    warnings: int
    details: tuple[Finding, ...]


def run_suite(con: duckdb.DuckDBPyConnection, suite: Suite, as_of_date: date | None = None) -> SuiteVerdict:
    """Validate one suite; see `run_suites`."""
    return next(iter(run_suites(con, [suite], [as_of_date])))


def run_suites(
    con: duckdb.DuckDBPyConnection, suites: Iterable[Suite], dates: Sequence[date | None] = (None,)
) -> list[SuiteVerdict]:
    """Validate suites of one stage, each on every date, on committed rows.

    Args:
        con: an open connection to the warehouse; nothing else is opened, and nothing stays open.
        suites: suites as `load_suites` gives them.
        dates: as-of dates for a dated stage, `(None,)` for an unpartitioned one.

    Returns:
        One verdict per suite and date, in that order. A missing table, a missing column or a query that
        cannot run is a failed verdict (`errored`), not an exception.

    Raises:
        ValueError: a date is given for an unpartitioned stage, or missing for a dated one.
    """
    from pipelines.checks.duckdb_datasource import warehouse_datasource  # noqa: PLC0415 - slow import

    with warehouse_datasource(con) as datasource:
        return [_run_suite(con, datasource, suite, day) for suite in suites for day in dates]


def _run_suite(
    con: duckdb.DuckDBPyConnection, datasource: DuckDBDatasource, suite: Suite, as_of_date: date | None
) -> SuiteVerdict:
    if suite.stage.dated != (as_of_date is not None):
        need = "needs an as-of date" if suite.stage.dated else "has no as-of date"
        raise ValueError(f"suite {suite.table}: stage {suite.stage} {need}, given: {as_of_date}")
    query = f"select * from {suite.table}"
    if as_of_date is not None:
        query += f" where {suite.date_column} = date '{as_of_date.isoformat()}'"
    try:
        con.execute(f"{query} limit 0")
    except duckdb.Error as error:
        return _verdict(suite, as_of_date, [_unreadable(suite, error)])
    if suite.stage is Stage.RAW and not _was_taken_in(con, suite.name):
        return _verdict(suite.model_copy(update={"expectations": ()}), None, [])
    asset = datasource.add_query_asset(name=f"{suite.table}_{as_of_date}", query=query)
    batch = asset.add_batch_definition_whole_table("rows").get_batch()
    return _verdict(suite, as_of_date, list(_findings(batch, suite, as_of_date)))


def _was_taken_in(con: duckdb.DuckDBPyConnection, feed: str) -> bool:
    """Whether any file of the feed is current. Of a feed that the profile does not bind there is nothing."""
    return bool(con.execute("select 1 from quality.ingestions where feed = ? and current", [feed]).fetchone())


def _verdict(suite: Suite, as_of_date: date | None, findings: Sequence[Finding]) -> SuiteVerdict:
    errored = sum(finding.error is not None for finding in findings)
    failed = sum(finding.fails_gate and finding.error is None for finding in findings)
    return SuiteVerdict(
        stage=suite.stage,
        suite=suite.name,
        table=suite.table,
        as_of_date=as_of_date,
        passed=not (failed or errored),
        expectations=len(suite.expectations),
        failed=failed,
        errored=errored,
        warnings=len(findings) - failed - errored,
        details=tuple(findings),
    )


def _unreadable(suite: Suite, error: duckdb.Error) -> Finding:
    return Finding(
        expectation="table_is_readable",
        type="table_is_readable",
        column=None,
        severity="critical",
        reason=f"The suite guards {suite.table}; what cannot be read has not been checked.",
        remedy=f"Materialise {suite.table}, then run the gate again.",
        observed="the table cannot be read",
        error=_safe_message(str(error)),
    )


def _findings(batch: Batch, suite: Suite, as_of_date: date | None) -> Iterator[Finding]:
    """Findings in the suite's order.

    Queries are validated apart from the rest, since Great Expectations shows their rows in the result format
    COMPLETE only, which for the others collects every unexpected value of the table. Their rows are counted
    first, and asked for where there are any.
    """
    from pipelines.checks.counted_rows import CountedUnexpectedRows  # noqa: PLC0415 - slow import

    queries = [spec for spec in suite.expectations if spec.type == UNEXPECTED_ROWS]
    others = [spec for spec in suite.expectations if spec.type != UNEXPECTED_ROWS]
    pointers = [*RAW_POINTERS] if suite.stage is Stage.RAW else [*suite.pointers]
    summary = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": EXAMPLES,
        "unexpected_index_column_names": pointers,
    }
    results = _validate(batch, others, summary, as_of_date)
    counted = {"result_format": "BOOLEAN_ONLY"}
    results |= _validate(batch, queries, counted, as_of_date, query=CountedUnexpectedRows)
    not_met = [spec for spec in queries if not results[spec.name].success]
    results |= _validate(batch, not_met, {"result_format": "COMPLETE"}, as_of_date)
    for spec in suite.expectations:
        result = results[spec.name]
        if not result.success:
            yield _finding(suite, spec, result)


def _validate(
    batch: Batch,
    specs: Sequence[ExpectationSpec],
    result_format: dict[str, Any],
    as_of_date: date | None,
    *,
    query: type[Expectation] | None = None,
) -> dict[str, ExpectationValidationResult]:
    """Results by expectation name; `query` is the class of queries, Great Expectations' own by default."""
    from great_expectations import ExpectationSuite  # noqa: PLC0415 - slow import

    from pipelines.checks.duckdb_datasource import get_expectation_impl  # noqa: PLC0415 - slow import

    if not specs:
        return {}
    expectations = []
    for spec in specs:
        if spec.type == UNEXPECTED_ROWS:
            implementation = query or get_expectation_impl("unexpected_rows_expectation")
            kwargs: Mapping[str, Any] = {"unexpected_rows_query": _gx_query(spec, as_of_date)}
        else:
            implementation = get_expectation_impl(spec.type)
            kwargs = spec.kwargs
        expectations.append(implementation(**kwargs, meta={"name": spec.name}, severity=spec.severity))
    outcome = batch.validate(
        ExpectationSuite(name="gate", expectations=expectations), result_format=result_format
    )
    return {result.expectation_config.meta["name"]: result for result in outcome.results}


def _gx_query(spec: ExpectationSpec, as_of_date: date | None) -> str:
    """The query with its rows named `batch` by a CTE.

    Great Expectations replaces its own {batch} by a subquery, with an alias or without one depending on
    whether the query has a join; behind a CTE the query reads the same either way, and any number of times.
    It also formats the query with str.format, so that literal braces are doubled.
    """
    day = None if as_of_date is None else f"date '{as_of_date.isoformat()}'"
    query = render_sql(spec.sql or "", batch="batch", as_of_date=day)
    query = query.strip().rstrip(";").replace("{", "{{").replace("}", "}}")
    return f"with batch as (select * from {{batch}})\nselect * from (\n{query}\n)"


def _finding(suite: Suite, spec: ExpectationSpec, result: ExpectationValidationResult) -> Finding:
    outcome = result.result or {}
    error = _error_of(result)
    unexpected = outcome.get("unexpected_count")
    if error is not None:
        observed = "could not be evaluated"
    elif spec.type == UNEXPECTED_ROWS:
        unexpected = outcome["observed_value"]
        observed = f"{unexpected} unexpected rows"
    elif unexpected is not None:
        observed = f"{unexpected} of {outcome['element_count']} rows unexpected"
    else:
        observed = "hidden" if suite.stage is Stage.RAW else str(outcome.get("observed_value"))
    return Finding(
        expectation=spec.name,
        type=spec.type,
        column=spec.column,
        severity=spec.severity,
        reason=spec.reason,
        remedy=spec.remedy,
        observed=observed,
        unexpected_rows=unexpected,
        examples=() if error is not None else _examples(suite, spec, outcome),
        error=error,
    )


def _examples(suite: Suite, spec: ExpectationSpec, outcome: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Up to `EXAMPLES` distinct unexpected rows, reduced to what may be shown, ordered by their content."""
    if spec.type == UNEXPECTED_ROWS:
        rows = outcome.get("details", {}).get("unexpected_rows", [])
    else:
        rows = outcome.get("partial_unexpected_index_list") or [
            row if isinstance(row, dict) else {spec.column: row}
            for row in outcome.get("partial_unexpected_list", [])
        ]
    shown = (
        {
            str(name): _plain(value)
            for name, value in row.items()
            if (name in RAW_SHOWN if suite.stage is Stage.RAW else name not in suite.private)
        }
        for row in rows
    )
    distinct = {repr(sorted(row.items())): row for row in shown if row}
    return tuple(distinct[key] for key in sorted(distinct))[:EXAMPLES]


def _plain(value: Any) -> Any:
    """A JSON value; exact numbers and times become text."""
    if isinstance(value, Decimal | date | datetime):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _error_of(result: ExpectationValidationResult) -> str | None:
    """Why an expectation could not be evaluated, or None.

    The information is either one exception or a mapping of failed metrics to theirs.
    """
    info = result.exception_info or {}
    exceptions = [info] if "raised_exception" in info else [*info.values()]
    messages = [str(e.get("exception_message")) for e in exceptions if e.get("raised_exception")]
    return _safe_message("\n".join(messages)) if messages else None


def _safe_message(message: str) -> str:
    """The part of an error message that speaks of names; conversion errors and the like quote values."""
    naming = _NAMING_ERROR.search(message)
    if naming:
        return naming.group(0).strip()
    kind = re.search(r"\w+(?: \w+)? Error(?=:)", message)
    return f"{kind.group(0) if kind else 'error'} (the message may quote values and is not kept)"
