"""Feed bindings: where a profile takes a feed from, and how its columns become the contract's.

```yaml
feeds:
  pos_sales:
    source: {type: file, path: "${TILL_EXPORT}/*.csv", delimiter: ";", time_zone: Europe/Berlin}
    also:                       # further sources that the query may join
      shops: {type: file, path: data/landing/shops.csv}
    query: |                    # its result replaces the source; its tables: `source`, those under `also`
      select source.*, shops.city from source left join shops using (shop_no)
    columns:                    # contract column: a source column's name, or a SQL expression over them
      receipt_id: Bon-Nr
      amount: "try_cast(net as decimal(18, 2)) + try_cast(vat as decimal(18, 2))"
    reject:                     # rows that are none of this feed's: to quarantine; the first match wins
      - {when: "quantity = 0", reason: zero_quantity}
    max_quarantine_share: 0.05  # more bad rows than this fail the gate
```

Every table has the column `_line`, the row's number in its file (from 1, the header not counted). A query
that groups should return one (`min(_line) as _line`); without it the rows are numbered in the order of their
values.

In `reject`, a bare name or `source.<name>` is the source's column; `mapped.<name>` is the value that
`columns` gives the contract's column, before type conversion. A contract column's name that no source column
has may be used bare too.

In a CSV, JSON Lines or Excel source every column is text: an expression that calculates casts with `try_cast`
(a value that cannot be cast is then null, and the row goes to quarantine), never with `cast`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from pipelines.feeds.config import StrictModel
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import MappingError

FileFormat = Literal["parquet", "csv", "tsv", "jsonl", "xlsx"]
_SUFFIX_FORMATS: dict[str, FileFormat] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
}
RESERVED_COLUMNS = ("_line", "_row", "_copies", "mapped")
_REASON = re.compile(r"[a-z][a-z0-9_]*")
# What the extraction itself writes; a profile's rule under the same name could not be told from it.
BUILT_IN_REASONS = (
    "unreadable_line",
    "wrong_type",
    "missing_value",
    "not_allowed",
    "out_of_range",
    "superseded_in_file",
)


class FileSource(StrictModel):
    """Files that hold a feed's rows. Each file is one source: taken in, and superseded, on its own.

    Attributes:
        path: a path, a glob (`*`, `?`, `[…]`, `**`) or a list of them. `${NAME}` is the environment variable,
            `package://<package>/<path>` lies in an installed package, a relative path in the project's
            folder.
        hint: where to get the data; part of the error when the path leads nowhere.
        format: parquet, csv, tsv, jsonl or xlsx; by default what the file's suffix says. csv, tsv and jsonl
            may be gzipped (suffix .gz).
        time_zone: the zone of timestamps that carry none; by default the profile's.
        delimiter: one character; by default a comma, for tsv a tab.
        quote: the character around values that contain the delimiter; "" for none.
        null_values: texts that mean "no value", in CSV and TSV; the empty text always does.
        decimal_separator, thousands_separator: how numbers are written in text columns.
        date_formats, timestamp_formats: how dates are written in text columns, as strptime patterns, tried in
            order; by default ISO 8601. A value that fits none is quarantined as `wrong_type`.
        sheet: the sheet or sheets of a workbook; by default all, which then must have the same columns.
    """

    type: Literal["file"]
    path: str | tuple[str, ...]
    hint: str | None = None
    format: FileFormat | None = None
    time_zone: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    null_values: tuple[str, ...] = ()
    decimal_separator: Literal[".", ","] = "."
    thousands_separator: str | None = Field(default=None, min_length=1, max_length=1)
    date_formats: tuple[str, ...] = ()
    timestamp_formats: tuple[str, ...] = ()
    sheet: str | tuple[str, ...] | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                raise ValueError(
                    "not a time zone; accepted: IANA names such as Europe/London or UTC"
                ) from None
        return name

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not self.paths or not all(self.paths):
            raise ValueError("path is empty; accepted: a path, a glob or a list of them")
        if self.thousands_separator == self.decimal_separator:
            raise ValueError("thousands_separator and decimal_separator must differ")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """The configured paths, unexpanded, as a tuple."""
        return (self.path,) if isinstance(self.path, str) else self.path

    def format_of(self, file: Path) -> FileFormat | None:
        """The configured format, or what the file's suffix (before .gz) says; None if that is unknown.

        Example:
            >>> FileSource(type="file", path="a.csv.gz").format_of(Path("a.csv.gz"))
            'csv'
        """
        if self.format is not None:
            return self.format
        suffixes = [suffix.lower() for suffix in file.suffixes]
        if suffixes and suffixes[-1] == ".gz":
            suffixes.pop()
        return _SUFFIX_FORMATS.get(suffixes[-1]) if suffixes else None


# With a second kind of source this becomes a union that pydantic tells apart by `type`.
Source = FileSource


class RejectRule(StrictModel):
    """Rows that are none of this feed's: a SQL condition and the reason they are quarantined with."""

    when: str = Field(min_length=1)
    reason: str

    @field_validator("reason")
    @classmethod
    def _is_reason(cls, reason: str) -> str:
        if not _REASON.fullmatch(reason) or reason in BUILT_IN_REASONS:
            raise ValueError(
                "a reason has lower-case letters, digits and underscores, a letter first, and is none of "
                + ", ".join(BUILT_IN_REASONS)
            )
        return reason


class FeedBinding(StrictModel):
    """Where a profile takes one feed from. The module's docstring shows an example of every key."""

    source: Source
    also: dict[str, Source] = Field(default_factory=dict)
    query: str | None = Field(default=None, min_length=1)
    columns: dict[str, str] = Field(min_length=1)
    reject: tuple[RejectRule, ...] = ()
    max_quarantine_share: float = Field(default=0.05, ge=0, le=1)

    @field_validator("columns", mode="before")
    @classmethod
    def _literals_are_sql(cls, columns: Any) -> Any:
        if not isinstance(columns, Mapping):
            return columns
        # YAML reads `points: 0` and `active: true` as a number and a boolean; both are SQL literals as they
        # stand.
        return {
            name: str(value).lower() if isinstance(value, bool | int | float) else value
            for name, value in columns.items()
        }

    @field_validator("also")
    @classmethod
    def _are_table_names(cls, also: dict[str, Source]) -> dict[str, Source]:
        for name in also:
            if not _REASON.fullmatch(name) or name == "source":
                raise ValueError(
                    f"{name!r} cannot name a table; accepted: lower-case letters, digits and underscores, "
                    "a letter first, and not 'source'"
                )
        return also

    @model_validator(mode="after")
    def _also_needs_query(self) -> Self:
        if self.also and self.query is None:
            raise ValueError("also names further sources, but there is no query that could join them")
        return self


def check_columns(contract: FeedContract, binding: FeedBinding, *, profile_file: Path) -> None:
    """Checks that a binding maps only columns of the contract, and all that the contract requires.

    Raises:
        MappingError: naming the profile file, the feed, the column and what is accepted.
    """
    where = f"{profile_file}: feeds.{contract.feed}.columns"
    for name in binding.columns:
        if name not in contract.column_names:
            raise MappingError(
                f"{where}: unknown column {name!r}; "
                f"the contract's columns: {', '.join(contract.column_names)}"
            )
    for column in contract.columns:
        if column.required and column.default is None and column.name not in binding.columns:
            raise MappingError(
                f"{where}: the required column {column.name!r} is not mapped ({column.description}); "
                "give it a source column's name or a SQL expression"
            )
    for group in contract.any_of:
        if not any(name in binding.columns for name in group):
            raise MappingError(f"{where}: at least one of {', '.join(group)} must be mapped")
