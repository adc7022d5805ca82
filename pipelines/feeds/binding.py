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

  ecommerce_orders:
    source:                     # or `mysql`; every key of a source is described in `source_settings`
      type: postgres
      url: ${SHOP_DB_URL}
      table: sales.orders       # or `query:`, a select statement in the database's own SQL
      cursor: updated_at        # optional: from the second time on, only what has changed
      look_back: 3d
```

Every table has the column `_line`, the row's number in its file (from 1, the header not counted). A query
that groups should return one (`min(_line) as _line`); without it the rows are numbered in the order of their
values.

In `reject`, a bare name or `source.<name>` is the source's column; `mapped.<name>` is the value that
`columns` gives the contract's column, before type conversion. A contract column's name that no source column
has may be used bare too.

In a CSV, JSON Lines, Excel or database source every column is text: an expression that calculates casts with
`try_cast` (a value that cannot be cast is then null, and the row goes to quarantine), never with `cast`.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from pipelines.feeds.config import StrictModel
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import MappingError
from pipelines.feeds.source_settings import DatabaseSource, Source

RESERVED_COLUMNS = ("_line", "_row", "mapped")
_REASON = re.compile(r"[a-z][a-z0-9_]*")
# What the extraction itself writes; a profile's rule under the same name could not be told from it.
BUILT_IN_REASONS = (
    "unreadable_line",
    "wrong_type",
    "missing_value",
    "not_allowed",
    "out_of_range",
    "too_long",
    "future_date",
    "superseded_in_file",
    "erased",
    "expired",
)


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
    keep_days: int | None = Field(
        default=None,
        ge=30,
        description="days for which rows are kept after what they tell of, whole months; for ever by default",
    )

    def oldest_kept(self, today: date) -> date | None:
        """The first day that is kept: of a month, so that files are not written anew every day.

        Args:
            today: the shop's.
        """
        return None if self.keep_days is None else (today - timedelta(days=self.keep_days)).replace(day=1)

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
        for name, source in self.also.items():
            if isinstance(source, DatabaseSource) and source.cursor is not None:
                raise ValueError(f"also.{name}: a source that is only joined is read whole: it has no cursor")
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
