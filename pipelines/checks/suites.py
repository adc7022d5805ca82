"""Suites are data: `expectations/<stage>/<table>.yaml` says what must be true of one table, and why.

A suite file gives `table` (`<stage>.<file name>`), `owner`, `description` and `expectations`; a suite of a
dated stage also gives `date_column`, and is validated on the rows of one as-of date. Each expectation has a
`name` (unique in its suite), a `type`, a `severity`, a `reason` and a `remedy`. A type is either one of
`GX_TYPES` with its `kwargs`, or `unexpected_rows` with `sql`, a query that must return no row. In `sql`,
`{batch}` stands for the rows under validation and `{as_of_date}` for their date; every other brace is meant
literally (`\\d{4}`). Great Expectations' regex types do not know DuckDB: write `regexp_matches` in `sql`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.checks.stages import Stage
from pipelines.feeds.config import SafeLoader

EXPECTATIONS_DIR = Path(__file__).resolve().parents[2] / "expectations"

UNEXPECTED_ROWS = "unexpected_rows"

_BOUNDS = frozenset({"min_value", "max_value"})
_STRICT_BOUNDS = _BOUNDS | {"strict_min", "strict_max"}
_PAIR_MODES = frozenset({"ignore_row_if"})

GX_TYPES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "expect_column_values_to_not_be_null": (frozenset({"column"}), frozenset({"mostly"})),
    "expect_column_values_to_be_unique": (frozenset({"column"}), frozenset({"mostly"})),
    "expect_column_values_to_be_between": (frozenset({"column"}), _STRICT_BOUNDS | {"mostly"}),
    "expect_column_values_to_be_in_set": (frozenset({"column", "value_set"}), frozenset({"mostly"})),
    "expect_column_values_to_not_be_in_set": (frozenset({"column", "value_set"}), frozenset({"mostly"})),
    "expect_column_value_lengths_to_be_between": (frozenset({"column"}), _BOUNDS | {"mostly"}),
    "expect_column_pair_values_a_to_be_greater_than_b": (
        frozenset({"column_A", "column_B"}),
        _PAIR_MODES | {"or_equal", "mostly"},
    ),
    "expect_compound_columns_to_be_unique": (frozenset({"column_list"}), _PAIR_MODES | {"mostly"}),
    "expect_column_mean_to_be_between": (frozenset({"column"}), _STRICT_BOUNDS),
    "expect_column_sum_to_be_between": (frozenset({"column"}), _STRICT_BOUNDS),
    "expect_table_row_count_to_be_between": (frozenset(), _STRICT_BOUNDS),
}
"""Accepted Great Expectations types: the arguments each requires and those it may have."""

_PLACEHOLDER = re.compile(r"\{(batch|as_of_date)\}")


class SuiteError(ValueError):
    """A suite file is wrong; the message names file, key, value and what is accepted."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Line = Annotated[str, Field(min_length=1, pattern=r"^[^\n]+$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ExpectationSpec(_Strict):
    """One thing that must be true of a table."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: str
    kwargs: dict[str, Any] = {}
    sql: str | None = None
    severity: Literal["critical", "warning"]
    reason: Line
    remedy: Line

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if value != UNEXPECTED_ROWS and value not in GX_TYPES:
            raise ValueError(f"unknown type; accepted: {', '.join([UNEXPECTED_ROWS, *sorted(GX_TYPES)])}")
        return value

    @model_validator(mode="after")
    def _arguments_fit_type(self) -> ExpectationSpec:
        if self.type == UNEXPECTED_ROWS:
            if self.kwargs:
                raise ValueError(f"{UNEXPECTED_ROWS} takes sql, no kwargs")
            if self.sql is None or not self.sql.strip():
                raise ValueError(f"{UNEXPECTED_ROWS} needs sql: a query that must return no row")
            return self
        if self.sql is not None:
            raise ValueError(f"{self.type} takes kwargs, no sql (only {UNEXPECTED_ROWS} does)")
        required, optional = GX_TYPES[self.type]
        unknown = sorted(set(self.kwargs) - required - optional)
        missing = sorted(required - set(self.kwargs))
        if unknown or missing:
            accepted = ", ".join([*sorted(required), *(f"{name} (optional)" for name in sorted(optional))])
            problem = f"unknown {', '.join(unknown)}" if unknown else f"missing {', '.join(missing)}"
            raise ValueError(f"kwargs of {self.type}: {problem}; accepted: {accepted}")
        if (
            optional & _BOUNDS
            and self.kwargs.get("min_value") is None
            and self.kwargs.get("max_value") is None
        ):
            raise ValueError(
                f"kwargs of {self.type}: give min_value, max_value or both, else nothing can fail"
            )
        return self

    @property
    def column(self) -> str | None:
        """The column or columns the expectation is about; None for the table or for `unexpected_rows`."""
        names = [
            *(self.kwargs[key] for key in ("column", "column_A", "column_B") if key in self.kwargs),
            *self.kwargs.get("column_list", []),
        ]
        return ", ".join(names) or None


class Suite(_Strict):
    """What must be true of one table, as read from its suite file.

    `pointers` are columns that lead to a bad row; `private` columns never appear in a verdict. Verdicts of
    the raw stage never show values at all (see `pipelines.checks.runner`).
    """

    stage: Stage
    name: Identifier
    table: str = Field(pattern=r"^[a-z_]+\.[a-z][a-z0-9_]*$")
    owner: Line
    description: Line
    date_column: Identifier | None = None
    pointers: tuple[Identifier, ...] = ()
    private: tuple[Identifier, ...] = ()
    expectations: tuple[ExpectationSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> Suite:
        if self.table != f"{self.stage}.{self.name}":
            raise ValueError(
                f"table is {self.table!r}; a suite stands in the file of its table, accepted: "
                f"{f'{self.stage}.{self.name}'!r}"
            )
        if self.stage.dated and self.date_column is None:
            raise ValueError(
                f"date_column is missing; suites of stage {self.stage} are checked per as-of date"
            )
        if not self.stage.dated and self.date_column is not None:
            raise ValueError(f"date_column is not accepted; stage {self.stage} has no as-of date")
        names = [expectation.name for expectation in self.expectations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"expectations: name {', '.join(twice)} is used more than once; names are unique"
            )
        if not self.stage.dated:
            dated = [e.name for e in self.expectations if e.sql is not None and "{as_of_date}" in e.sql]
            if dated:
                raise ValueError(
                    f"expectations: {dated[0]} uses {{as_of_date}}, but {self.stage} has no date"
                )
        return self


def render_sql(sql: str, *, batch: str, as_of_date: str | None) -> str:
    """Fill the placeholders of an `unexpected_rows` query; all other braces stay as they are.

    >>> render_sql(r"select * from {batch} where k !~ '\\d{4}'", batch="rows", as_of_date=None)
    "select * from rows where k !~ '\\\\d{4}'"
    """
    values = {"batch": batch, "as_of_date": as_of_date}
    return _PLACEHOLDER.sub(lambda match: str(values[match.group(1)]), sql)


def load_suite(file: Path, stage: Stage) -> Suite:
    """Read one suite file.

    Raises:
        SuiteError: the file is unreadable, empty, or not a valid suite.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SuiteError(f"{file}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise SuiteError(
            f"{file}: is {'empty' if content is None else type(content).__name__}; accepted: a mapping with "
            "table, owner, description and expectations"
        )
    taken = sorted({"stage", "name"} & set(content))
    if taken:
        raise SuiteError(
            f"{file}: {taken[0]}: comes from the file's place and name, it is not accepted as a key"
        )
    try:
        return Suite(stage=stage, name=file.stem, **content)
    except ValidationError as error:
        raise SuiteError(_explain(file, error, content)) from error


def load_suites(stage: Stage | str, directory: Path | None = None) -> list[Suite]:
    """All suites of a stage, ordered by name.

    Args:
        stage: a stage or its name.
        directory: the folder that holds a folder per stage; the project's `expectations/` by default.

    Raises:
        SuiteError: the stage has no suite file, or one is not valid.
    """
    stage = Stage(stage)
    folder = (directory or EXPECTATIONS_DIR) / stage
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise SuiteError(
            f"{folder}: holds no suite (*.yaml); a stage without a suite has a gate that never closes"
        )
    return [_loaded(file, stage, file.stat().st_mtime_ns) for file in files]


@cache
def _loaded(file: Path, stage: Stage, modified_ns: int) -> Suite:  # noqa: ARG001 - part of the key
    """A run asks for the same suites again and again: before each stage, and at each door after it."""
    return load_suite(file, stage)


def _explain(file: Path, error: ValidationError, content: Mapping[str, Any]) -> str:
    """One line per problem: file, key, value, what is accepted."""
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "suite"
        value = _value_at(content, problem["loc"])
        given = "" if isinstance(value, dict | list) or value is None else f" is {value!r}"
        lines.append(f"{file}: {key}{given}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


def _value_at(content: Any, path: Sequence[str | int]) -> Any:
    """The value at a pydantic error location; None when the location is not in the file."""
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content
