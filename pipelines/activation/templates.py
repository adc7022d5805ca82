"""Message templates: plain text with variables, compiled to one SQL expression that renders every customer.

`{{ name }}` stands for a variable, `{{ name | dear customer }}` for a variable and what is written when it is
empty. There is no logic in a template: which template is sent is the policy's choice.
"""

from __future__ import annotations

import html as markup
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.feeds.sql import literal

VARIABLES = (
    "name",
    "shop",
    "offer",
    "coupon_code",
    "offer_until",
    "minimum_spend",
    "product",
    "products",
    "category",
    "points",
    "tier",
    "store",
    "days_silent",
    "link",
)
"""What a template may name."""

OPTIONAL = frozenset(VARIABLES) - {"shop", "link"}
"""Variables that may be empty, and so need a default; those of an offer are full where the step has one."""

_MARKS = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# As html.escape does it; & first, or it would escape the others' escapes.
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"))


class TemplateError(ValueError):
    """A template that cannot be read; the message says what is accepted."""


@dataclass(frozen=True)
class Text:
    """What stands in a template as it is."""

    text: str


@dataclass(frozen=True)
class Variable:
    """A variable, and what is written when it is empty (None: nothing, and the template named no default)."""

    name: str
    default: str | None = None


def parse(text: str) -> list[Text | Variable]:
    """The parts of a template in their order; neighbouring texts are one part, empty ones none.

    Raises:
        TemplateError: an unknown variable, an empty default, or braces that do not pair.
    """
    parts: list[Text | Variable] = []
    end = 0
    for mark in _MARKS.finditer(text):
        _append_text(parts, text[end : mark.start()])
        parts.append(_variable(mark.group(1)))
        end = mark.end()
    _append_text(parts, text[end:])
    return parts


def without_default(text: str) -> list[str]:
    """Names of the `OPTIONAL` variables that the template uses without a default, in order, each once.

    Raises:
        TemplateError: as `parse`.
    """
    names = [
        part.name
        for part in parse(text)
        if isinstance(part, Variable) and part.default is None and part.name in OPTIONAL
    ]
    return list(dict.fromkeys(names))


def to_sql(text: str, columns: Mapping[str, str], html: bool = False) -> str:
    """One DuckDB expression of type varchar, never null, that renders the template for a row.

    Args:
        text: a template.
        columns: SQL expression by variable. Null and '' are empty.
        html: escape `& < > " '`, in the template's own text (it is plain text) and in the values.

    Raises:
        TemplateError: as `parse`.
        ValueError: the template names a variable that `columns` has no expression for.
    """
    terms = [_term(part, columns, html) for part in parse(text)]
    return "(" + " || ".join(terms or ["''"]) + ")"


def html_sql(expression: str) -> str:
    """SQL that escapes a varchar expression for HTML text and quoted attributes."""
    for plain, escaped in _ESCAPES:
        expression = f"replace({expression}, {literal(plain)}, {literal(escaped)})"
    return expression


def _append_text(parts: list[Text | Variable], text: str) -> None:
    for braces in ("{{", "}}"):
        if braces in text:
            raise TemplateError(
                f"{braces!r} without its pair near {text[:40]!r}; accepted is '{{{{ variable }}}}' or "
                "'{{ variable | text when empty }}'"
            )
    if text:
        parts.append(Text(text))


def _variable(inside: str) -> Variable:
    name, bar, default = (piece.strip() for piece in inside.partition("|"))
    if name not in VARIABLES:
        raise TemplateError(f"unknown variable {name!r}; accepted are {', '.join(VARIABLES)}")
    if "{{" in default:
        raise TemplateError(f"a default may not hold a variable: {default!r}")
    if bar and not default:
        raise TemplateError(f"the default of {name!r} is empty; write a text after the bar, or no bar")
    return Variable(name, default or None)


def _term(part: Text | Variable, columns: Mapping[str, str], html: bool) -> str:
    if isinstance(part, Text):
        return literal(markup.escape(part.text) if html else part.text)
    if part.name not in columns:
        raise ValueError(f"no column for variable {part.name!r}; there are {', '.join(sorted(columns))}")
    value = f"cast({columns[part.name]} as varchar)"
    default = part.default or ""
    if html:
        value, default = html_sql(value), markup.escape(default)
    return f"coalesce(nullif({value}, ''), {literal(default)})"
