"""Seeds that people edit, read with a check of every cell.

dbt loads a seed as it is: a typing error would match nothing, and nobody would notice. So each seed is
checked before dbt sees it, and a slip is named with file, row, column, value and what is accepted.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pipelines.feeds.errors import ConfigError

ANY = "*"
"""Of a list cell: every value."""


@dataclass(frozen=True)
class Place:
    """A cell, for messages."""

    file: Path
    row: str
    column: str
    value: str

    def error(self, accepted: str) -> ConfigError:
        """The value is not allowed; says what is."""
        return self.fault(f"{self.value!r} is not allowed; accepted: {accepted}")

    def fault(self, what: str) -> ConfigError:
        """Something else is wrong here."""
        return ConfigError(f"{self.file}: row {self.row}: {self.column}: {what}")

    def unknown(self, word: str, accepted: Collection[str]) -> ConfigError:
        """The cell, or `word` of its list, is none of the accepted words; the nearest one is suggested."""
        what = f"{self.value!r} is not allowed"
        if word != self.value:
            what = f"{word!r} in {self.value!r} is not allowed"
        return self.fault(f"{what}; accepted: {', '.join(accepted)}{suggestion(word, accepted)}")


Check = Callable[[Place], object]
"""Raises when the cell is wrong."""


@dataclass(frozen=True)
class Row:
    """A row of a seed.

    Attributes:
        number: as a spreadsheet counts (the heading is 1), with the line as a text editor counts where cells
            of several lines make them differ.
    """

    file: Path
    number: str
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def place(self, column: str) -> Place:
        """The cell, for a message."""
        return Place(self.file, self.number, column, self.cells[column])

    def values(self, column: str, closed: tuple[str, ...]) -> frozenset[str]:
        """What a cell checked by `list_of` stands for: `*` is all of `closed`."""
        cell = self.cells[column]
        return frozenset(closed if cell == ANY else cell.split("|"))


def read_seed(file: Path, columns: Mapping[str, Check]) -> list[Row]:
    """Rows of a seed, each cell checked by itself.

    Args:
        file: CSV in UTF-8 with a heading.
        columns: check by column, in the order of the heading.

    Raises:
        ConfigError: the file is missing or not UTF-8, has other columns, or a cell is wrong.
    """
    try:
        return list(_rows(file, columns))
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: there is no such seed") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: it is not UTF-8; save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise ConfigError(f"{file}: it is no CSV: {error}") from error


def _rows(file: Path, columns: Mapping[str, Check]) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, strict=True)
        heading = next(reader, [])
        if heading != list(columns):
            raise ConfigError(
                f"{file}: row 1: the columns are {','.join(heading)}; accepted: {','.join(columns)}"
            )
        line, number = reader.line_num + 1, 1
        for cells in reader:
            number += 1
            shown = str(number) if number == line else f"{number} (line {line})"
            line = reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(columns):
                raise ConfigError(
                    f"{file}: row {shown}: it has not {len(columns)} cells; "
                    "a text with a comma stands in quotes"
                )
            row = Row(file, shown, dict(zip(heading, cells, strict=True)))
            for column, check in columns.items():
                check(row.place(column))
            yield row


def once(rows: Iterable[Row], *columns: str) -> None:
    """Each value, or combination of values, stands in one row.

    Raises:
        ConfigError: names the later row.
    """
    seen: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row[column] for column in columns)
        first = seen.setdefault(key, row)
        if first is not row and len(columns) == 1:
            raise row.place(columns[0]).error(f"each value once; row {first.number} has it too")
        if first is not row:
            raise row.place(columns[-1]).fault(
                f"{', '.join(key)} stands once in {', '.join(columns)}; row {first.number} has it too"
            )


def suggestion(word: str, accepted: Iterable[str]) -> str:
    """The nearest accepted word as the end of a message, or nothing.

    >>> suggestion("brithday", ["birthday", "browsed"])
    "; did you mean 'birthday'?"
    """
    near = difflib.get_close_matches(word, list(accepted), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def one_of(values: tuple[str, ...]) -> Check:
    """One of a closed list."""

    def check(place: Place) -> None:
        if place.value not in values:
            raise place.unknown(place.value, values)

    return check


def list_of(values: tuple[str, ...], *, wildcard: bool = True) -> Check:
    """`a|b|c` of a closed list, each once; with `wildcard` also `*` alone."""

    def check(place: Place) -> None:
        if wildcard and place.value == ANY:
            return
        words = place.value.split("|")
        for word in words:
            if word not in values:
                raise place.unknown(word, (*values, ANY) if wildcard else values)
        if len(set(words)) != len(words):
            raise place.error("each value once")

    return check


def number(low: Decimal, high: Decimal, decimals: int = 4) -> Check:
    """A number between two others, both included."""

    def check(place: Place) -> None:
        written = {2: "two", 4: "four"}.get(decimals, str(decimals))
        accepted = f"a number from {low} to {high}, with {written} decimals at most"
        try:
            value = Decimal(place.value)
        except InvalidOperation:
            raise place.error(accepted) from None
        if not value.is_finite() or not low <= value <= high or round(value, decimals) != value:
            raise place.error(accepted)

    return check


def whole(low: int, high: int) -> Check:
    """A whole number between two others, both included."""

    def check(place: Place) -> None:
        digits = place.value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or not low <= int(place.value) <= high:
            raise place.error(f"a whole number from {low} to {high}")

    return check


def optional(check: Check) -> Check:
    """As `check`, or empty."""
    return lambda place: check(place) if place.value else None


def matching(pattern: str, accepted: str) -> Check:
    """A text of a form, which `accepted` describes."""
    compiled = re.compile(pattern)

    def check(place: Place) -> None:
        if not compiled.fullmatch(place.value):
            raise place.error(accepted)

    return check


def iso_date(place: Place) -> None:
    """A day."""
    try:
        day = date.fromisoformat(place.value)
    except ValueError:
        raise place.error("a day as YYYY-MM-DD") from None
    if day.isoformat() != place.value:
        raise place.error("a day as YYYY-MM-DD")


def text(place: Place) -> None:
    """Not blank."""
    if not place.value.strip():
        raise place.error("a text")


def anything(place: Place) -> None:
    """Whatever it is."""
    del place
