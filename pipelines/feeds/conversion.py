"""SQL that turns a source value into a contract value, and the rules that make a row a bad one.

A conversion gives null for a value that cannot be converted; since a null source value gives null too, the
rule `wrong_type` compares both. Numbers with more digits than the contract's scale are rounded half away
from zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pipelines.feeds.contract import Column, FeedContract
from pipelines.feeds.source_settings import AnySource
from pipelines.feeds.sql import identifier, literal

MAX_TEXT_BYTES = 1024 * 1024
"""A longer text is no value of a customer's record: its row is quarantined as `too_long`."""

_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
_HAS_BLANKS = r"'^[ \t\n\r\x{A0}]|[ \t\n\r\x{A0}]$'"
# A time of day, then an offset or Z: the text says its own zone.
_ZONED = r"\d{1,2}:\d{2}.*([zZ]|[+-]\d{2}(:?\d{2})?)$"
_TRUE = "('true', 't', 'yes', 'y', '1')"
_FALSE = "('false', 'f', 'no', 'n', '0')"


@dataclass(frozen=True)
class Rule:
    """A condition under which a row is quarantined: the reason, and the column it is about, if one."""

    reason: str
    column: str | None
    condition: str


def present(reference: str, sql_type: str) -> str:
    """The source value with blanks around a text taken off, and null for a text of blanks only."""
    if sql_type in ("VARCHAR", "JSON"):
        text = f"cast({reference} as varchar)"
        # Hardly any value has blanks at its ends, and taking off a set of characters is slow.
        has_blanks = f"regexp_matches({text}, {_HAS_BLANKS})"
        return f"nullif(case when {has_blanks} then trim({text}, {_BLANKS}) else {text} end, '')"
    return reference


def converted(column: Column, value: str, sql_type: str, source: AnySource, time_zone: str) -> str:
    """A SQL expression of the contract column's type, null where the value cannot be converted.

    Args:
        column: the contract's column.
        value: SQL that gives the value as `present` does.
        sql_type: the DuckDB type of the source value.
        source: says how numbers and dates are written, and the zone of timestamps without one.
        time_zone: the profile's zone: default for the source's, and the zone whose date a timestamp has.
    """
    match column.type:
        case "text":
            return _text(value, sql_type)
        case "integer":
            return _integer(value, sql_type, source)
        case "decimal":
            return f"try_cast({_number(value, sql_type, source)} as {column.sql_type})"
        case "boolean":
            return _boolean(value, sql_type)
        case "date":
            return _date(value, sql_type, source, time_zone)
        case "timestamp":
            return _timestamp(value, sql_type, source, source.time_zone or time_zone)


def _text(value: str, sql_type: str) -> str:
    if sql_type in ("DOUBLE", "FLOAT"):
        # An id that a spreadsheet has made a number is 13085, not 13085.0.
        return (
            f"case when {value} = trunc({value}) and abs({value}) < 1e15 "
            f"then cast(cast({value} as bigint) as varchar) else cast({value} as varchar) end"
        )
    return f"cast({value} as varchar)"


def _number(value: str, sql_type: str, source: AnySource) -> str:
    if sql_type not in ("VARCHAR", "JSON"):
        return value if _is_number(sql_type) else f"cast({value} as varchar)"
    if source.thousands_separator is not None:
        value = f"replace({value}, {literal(source.thousands_separator)}, '')"
    if source.decimal_separator == ",":
        # A point that is no thousands separator is not a number of this file.
        value = f"case when not contains({value}, '.') then replace({value}, ',', '.') end"
    return value


def _is_number(sql_type: str) -> bool:
    return sql_type.startswith("DECIMAL") or sql_type in (
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    )


def _integer(value: str, sql_type: str, source: AnySource) -> str:
    if _is_number(sql_type) and not sql_type.startswith(("DECIMAL", "FLOAT", "DOUBLE")):
        return f"try_cast({value} as bigint)"
    # A cast from 12.5 to an integer rounds; here it is no integer. 12.0 is one.
    number = _number(value, sql_type, source)
    exact = f"try_cast({number} as decimal(38, 10))"
    whole = f"when {exact} = trunc({exact}) then try_cast({exact} as bigint)"
    if sql_type in ("VARCHAR", "JSON"):
        # Nearly all are plain digits; the exact way takes six times as long.
        whole = f"when regexp_full_match({number}, '-?\\d{{1,18}}') then try_cast({number} as bigint) {whole}"
    return f"case {whole} end"


def _boolean(value: str, sql_type: str) -> str:
    if sql_type == "BOOLEAN":
        return value
    text = f"lower(cast({value} as varchar))"
    return f"case when {text} in {_TRUE} then true when {text} in {_FALSE} then false end"


def _date(value: str, sql_type: str, source: AnySource, time_zone: str) -> str:
    if sql_type == "DATE":
        return value
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        return f"cast(timezone({literal(time_zone)}, {value}) as date)"
    if sql_type.startswith("TIMESTAMP"):
        return f"cast({value} as date)"
    text = f"cast({value} as varchar)"
    if source.date_formats:
        formats = ", ".join(literal(pattern) for pattern in source.date_formats)
        return f"cast(try_strptime({text}, [{formats}]) as date)"
    instant = f"timezone({literal(time_zone)}, try_cast({text} as timestamp with time zone))"
    return (
        f"case when regexp_matches({text}, '{_ZONED}') then cast({instant} as date) "
        f"when regexp_matches({text}, '^\\d') then try_cast({text} as date) end"
    )


def _timestamp(value: str, sql_type: str, source: AnySource, zone: str) -> str:
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        return value
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return f"timezone({literal(zone)}, cast({value} as timestamp))"
    text = f"cast({value} as varchar)"
    if source.timestamp_formats:
        parsed = (_parsed(text, pattern, zone) for pattern in source.timestamp_formats)
        return f"coalesce({', '.join(parsed)})"
    return (
        f"case when regexp_matches({text}, '{_ZONED}') then try_cast({text} as timestamp with time zone) "
        f"when regexp_matches({text}, '^\\d') "
        f"then timezone({literal(zone)}, try_cast({text} as timestamp)) end"
    )


def _parsed(text: str, pattern: str, zone: str) -> str:
    parsed = f"try_strptime({text}, {literal(pattern)})"
    # With an offset in the pattern DuckDB gives an instant already.
    return parsed if "%z" in pattern or "%Z" in pattern else f"timezone({literal(zone)}, {parsed})"


def default_literal(column: Column) -> str:
    """The column's default as SQL of its type; null when it has none."""
    if column.default is None:
        return f"cast(null as {column.sql_type})"
    text = str(column.default).lower() if isinstance(column.default, bool) else str(column.default)
    return f"cast({literal(text)} as {column.sql_type})"


def wrong_type_rules(contract: FeedContract, names: Iterable[str]) -> list[Rule]:
    """A rule per mapped column: there is a source value, and it could not be converted (to text all can).

    Args:
        contract: the feed's contract.
        names: the mapped columns. The rules' conditions refer to `given.<column>`, the source value as
            `present` gives it, and `<column>`, the converted one (before any default).
    """
    return [
        Rule(
            "wrong_type",
            name,
            f"given.{identifier(name)} is not null and {identifier(name)} is null",
        )
        for name in names
        if contract.column(name).type != "text"
    ]


def value_rules(contract: FeedContract) -> list[Rule]:
    """The contract's rules about converted values, in the order in which the first reason wins."""
    required = [
        Rule("missing_value", column.name, f"{identifier(column.name)} is null")
        for column in contract.columns
        if column.required
    ]
    any_of = [
        Rule("missing_value", None, " and ".join(f"{identifier(name)} is null" for name in group))
        for group in contract.any_of
    ]
    allowed = [
        Rule(
            "not_allowed",
            column.name,
            f"{identifier(column.name)} not in ({', '.join(map(literal, column.allowed))})",
        )
        for column in contract.columns
        if column.allowed is not None
    ]
    short = [
        Rule("too_long", column.name, f"strlen({identifier(column.name)}) > {MAX_TEXT_BYTES}")
        for column in contract.columns
        if column.type == "text"
    ]
    in_range = [
        Rule("out_of_range", column.name, " or ".join(conditions))
        for column in contract.columns
        if (conditions := _outside(column))
    ]
    return [*required, *any_of, *allowed, *in_range, *short]


def future_rule(contract: FeedContract, latest_event: date, time_zone: str) -> list[Rule]:
    """The rule about events after the last day on which there can be one; none for a feed without events."""
    name = contract.event_time
    if name is None or contract.column(name).type not in ("date", "timestamp"):
        return []
    is_later = f"{local_date(contract, time_zone)} > date '{latest_event}'"
    if contract.column(name).type == "timestamp":
        # No zone is a day ahead of UTC: only times after that need the zone's calendar, which is slow.
        near = f"timestamptz '{latest_event} 00:00:00+00'"
        is_later = f"{identifier(name)} >= {near} and {is_later}"
    return [Rule("future_date", name, is_later)]


def expired_rule(contract: FeedContract, reason: str, oldest_event: date, time_zone: str) -> list[Rule]:
    """The rule about events before the first day that is kept; none for a feed without events."""
    if contract.event_time is None:
        return []
    return [Rule(reason, None, f"{local_date(contract, time_zone)} < date '{oldest_event}'")]


def local_date(contract: FeedContract, time_zone: str) -> str:
    """SQL for the day of a row's event in the profile's zone."""
    name = contract.event_time
    assert name is not None, "only for feeds about events"
    if contract.column(name).type == "date":
        return identifier(name)
    return f"cast(timezone({literal(time_zone)}, {identifier(name)}) as date)"


def _outside(column: Column) -> list[str]:
    bounds = (("<", column.minimum), (">", column.maximum))
    return [
        f"{identifier(column.name)} {sign} {_bound(column, bound)}"
        for sign, bound in bounds
        if bound is not None
    ]


def _bound(column: Column, bound: float | date) -> str:
    if isinstance(bound, date):
        text = f"{bound.isoformat()} 00:00:00+00" if column.type == "timestamp" else bound.isoformat()
        return f"cast({literal(text)} as {column.sql_type})"
    if bound == int(bound) and abs(bound) < 10**9:
        # Of the column's own type, for which no value has to be cast.
        return f"cast({literal(str(int(bound)))} as {column.sql_type})"
    return f"cast({literal(str(bound))} as decimal(38, 10))"
