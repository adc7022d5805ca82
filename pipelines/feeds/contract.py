"""Feed contracts: which columns a feed has, of which type, and what makes a row a bad row.

One YAML file per feed lies in `pipelines/feeds/contracts/`. A contract says nothing about where the data
comes from: that is a profile's binding (`pipelines.feeds.binding`).
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from pipelines.feeds.config import StrictModel, config_error, read_yaml
from pipelines.feeds.errors import ConfigError

CONTRACTS_DIR = Path(__file__).parent / "contracts"

ColumnType = Literal["text", "integer", "decimal", "boolean", "date", "timestamp"]
PersonalClass = Literal["none", "identifier", "contact", "quasi", "free_text"]

_SQL_TYPES: dict[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Column(StrictModel):
    """One column of a feed.

    Attributes:
        name: snake_case name in the lake and in `raw`.
        type: text, integer, decimal, boolean, date or timestamp (an instant).
        scale: digits after the point of a decimal, 2 (money) or 4 (quantities, unit prices).
        required: a row in which the value is null is quarantined as `missing_value`.
        minimum, maximum: inclusive bounds; a row outside is quarantined as `out_of_range`. For a timestamp
            a date, meaning its midnight in UTC.
        allowed: the only values a text may have; others are quarantined as `not_allowed`.
        default: the value used where the profile does not map the column or the source value is null.
        personal: none; identifier (an id or name that stands for one person); contact (phone, e-mail,
            push token); quasi (identifies in combination: birth date, sex, city); free_text.
        description: what the value means, for an analyst.
    """

    name: str
    type: ColumnType
    scale: Literal[2, 4] | None = None
    required: bool = False
    minimum: int | float | date | None = None
    maximum: int | float | date | None = None
    allowed: tuple[str, ...] | None = Field(default=None, min_length=1)
    default: bool | int | float | str | None = None
    personal: PersonalClass = "none"
    description: str = Field(min_length=10)

    @field_validator("name")
    @classmethod
    def _is_snake_case(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a column name has lower-case letters, digits and underscores, a letter first")
        return name

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if (self.scale is not None) != (self.type == "decimal"):
            raise ValueError(
                f"column {self.name}: scale (2 or 4) belongs to the type decimal, and only there"
            )
        if self.allowed is not None and self.type != "text":
            raise ValueError(f"column {self.name}: allowed belongs to the type text, not {self.type}")
        for key in ("minimum", "maximum"):
            bound = getattr(self, key)
            if bound is not None and not self._accepts_bound(bound):
                raise ValueError(f"column {self.name}: {key} {bound!r} does not fit the type {self.type}")
        if self.default is not None and not self._accepts_default(self.default):
            raise ValueError(
                f"column {self.name}: default {self.default!r} does not fit the type {self.type}"
            )
        return self

    def _accepts_bound(self, bound: int | float | date) -> bool:
        if self.type in ("integer", "decimal"):
            return isinstance(bound, int | float) and not isinstance(bound, bool)
        return self.type in ("date", "timestamp") and isinstance(bound, date)

    def _accepts_default(self, default: bool | int | float | str) -> bool:
        match self.type:
            case "text":
                return isinstance(default, str) and (self.allowed is None or default in self.allowed)
            case "boolean":
                return isinstance(default, bool)
            case "integer":
                return isinstance(default, int) and not isinstance(default, bool)
            case "decimal":
                return isinstance(default, int | float) and not isinstance(default, bool)
            case _:
                return False

    @property
    def sql_type(self) -> str:
        """The column's DuckDB type.

        Example:
            >>> Column(name="amount", type="decimal", scale=2, description="Money paid.").sql_type
            'DECIMAL(18,2)'
        """
        return f"DECIMAL(18,{self.scale})" if self.type == "decimal" else _SQL_TYPES[self.type]


class FeedContract(StrictModel):
    """What one row of a feed is, and when it is a good one.

    Attributes:
        feed: the feed's name, the same as the file's.
        description: what one row stands for.
        key: the columns that tell rows apart. A null counts as a value here.
        event_time: the column that says when the thing happened, if the feed is about events.
        version: the column that tells which of two rows with one key is newer; `event_time` if not given.
        references: column to `feed.column` in which its values should be found. A row without its parent is
            kept and reported (`pipelines.feeds.orphans`): the parent may still come.
        any_of: groups of columns of which at least one must be filled, such as the customer keys.
        columns: in the order in which they stand in the lake.
    """

    feed: str
    description: str = Field(min_length=10)
    key: tuple[str, ...] = Field(min_length=1)
    event_time: str | None = None
    version: str | None = None
    references: dict[str, str] = Field(default_factory=dict)
    any_of: tuple[tuple[str, ...], ...] = ()
    columns: tuple[Column, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = self.column_names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"columns given twice: {', '.join(repeated)}")
        for key, name in self._named_columns():
            if name not in names:
                raise ValueError(f"{key} names {name!r}; accepted columns: {', '.join(names)}")
        if not any(self.column(name).required for name in self.key) and not self.any_of:
            raise ValueError(f"key {', '.join(self.key)}: at least one key column must be required")
        for key, time in (("event_time", self.event_time), ("version", self.version)):
            if time is not None and self.column(time).type not in ("date", "timestamp", "integer"):
                raise ValueError(f"{key} names {time!r}, which is no date, timestamp or integer")
        return self

    def _named_columns(self) -> Iterator[tuple[str, str]]:
        yield from (("key", name) for name in self.key)
        yield from (("any_of", name) for group in self.any_of for name in group)
        yield from (("references", name) for name in self.references)
        if self.event_time is not None:
            yield "event_time", self.event_time
        if self.version is not None:
            yield "version", self.version

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in contract order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; raises KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"feed {self.feed} has no column {name!r}; it has {', '.join(self.column_names)}")


def load_contract(file: Path) -> FeedContract:
    """The contract in one YAML file.

    Raises:
        ConfigError: the file is no valid contract, or its `feed` is not its file name.
    """
    data = read_yaml(file)
    try:
        contract = FeedContract.model_validate(data)
    except ValidationError as error:
        raise config_error(file, error) from error
    if contract.feed != file.stem:
        raise ConfigError(f"{file}: feed: {contract.feed!r} must be the file's name, {file.stem!r}")
    return contract


@cache
def _loaded(file: Path, modified_ns: int) -> FeedContract:  # noqa: ARG001 - part of the key
    return load_contract(file)


def load_contracts(folder: Path = CONTRACTS_DIR) -> dict[str, FeedContract]:
    """All contracts of a folder by feed name, in alphabetical order.

    Raises:
        ConfigError: a file is no valid contract, or the folder has none.
    """
    contracts = {file.stem: _loaded(file, file.stat().st_mtime_ns) for file in sorted(folder.glob("*.yaml"))}
    if not contracts:
        raise ConfigError(f"{folder}: holds no feed contract (<feed>.yaml)")
    for contract in contracts.values():
        for column, parent in contract.references.items():
            feed, _, name = parent.partition(".")
            if feed not in contracts or name not in contracts[feed].column_names:
                raise ConfigError(
                    f"{folder / contract.feed}.yaml: references.{column}: {parent!r} is no column of a feed; "
                    f"accepted: <feed>.<column>, feeds: {', '.join(contracts)}"
                )
    return contracts
