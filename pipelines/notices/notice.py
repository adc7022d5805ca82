"""What a notice says, and what it leaves out: it goes to chats that everybody reads."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

Event = Literal["run_failed", "freshness_missed"]

ERROR_CHARACTERS = 300
_MASK = "…"

_EMAIL = re.compile(r"[^\s<>'\"(),;=:]+@[^\s<>'\"(),;=:]+")
# Seven digits or more, with what people write between them. Dates and times are none.
_NUMBER = re.compile(r"(?<![\w.-])\+?\(?\d(?:[ ().-]{0,2}\d){6,}(?![\w-])")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2})?")
_QUOTED = re.compile(r"(?P<quote>['\"`])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)")
# What names a thing of the project: a column, a table, a key, a file, a variable.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_.][a-z0-9_]+)*|\$\{\w+\}\S*|[\w.~${}-]*/[\w./*${}-]+")
# Engines write so what stood in a row.
_BEFORE_A_VALUE = re.compile(r"\b(?:value|string|entry|literal|text|row)s?:? ?\(?$", re.IGNORECASE)


@dataclass(frozen=True)
class Notice:
    """Something that a person should look at.

    Attributes:
        key: what it is about, such as the run's id: of one key one notice is sent.
        event: what kind of thing happened.
        profile: the shop.
        title: one line.
        error: the first error, shortened and without personal data (`shortened`).
        what_to_do: one or two sentences.
        occurred_at: when, in UTC.
        job: the job, if it is about a run.
        run_id: the run.
        step: where it failed.
        first_date: the run's first as-of date.
        last_date: and its last one.
        link: the run in the UI, if its address is known.
    """

    key: str
    event: Event
    profile: str
    title: str
    error: str
    what_to_do: str
    occurred_at: datetime
    job: str | None = None
    run_id: str | None = None
    step: str | None = None
    first_date: date | None = None
    last_date: date | None = None
    link: str | None = None

    @property
    def dates(self) -> str | None:
        """The as-of dates in words."""
        if self.first_date is None:
            return None
        if self.last_date in (None, self.first_date):
            return str(self.first_date)
        return f"{self.first_date} to {self.last_date}"

    def facts(self) -> list[tuple[str, str]]:
        """What is known beside title, error and remedy: a name and a value each, for people."""
        named = (("as-of dates", self.dates), ("step", self.step), ("run", self.run_id))
        return [(name, value) for name, value in named if value]

    def to_dict(self) -> dict[str, Any]:
        """The notice as JSON values: times and dates in ISO 8601."""
        values = asdict(self) | {"occurred_at": self.occurred_at.astimezone(UTC).isoformat()}
        return {
            name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()
        }


def shortened(message: str, *, is_ours: bool) -> str:
    """The first line of an error, at most 300 characters long, without what may be personal data.

    Addresses and long numbers are masked. So is what stands in quotation marks: an engine quotes the value
    of a row there. Of the errors that this project words itself, names of columns, tables, keys and files
    stay.

    Args:
        message: the error.
        is_ours: whether the project worded it.

    Example:
        >>> shortened("Could not convert string 'Wang Xiaoming' to INT32", is_ours=False)
        "Could not convert string '…' to INT32"
        >>> shortened("shop.yaml: 'department' is no column; call +49 170 1234567", is_ours=True)
        "shop.yaml: 'department' is no column; call …"
    """
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    text = lines[0] if lines else "no message"
    text = _QUOTED.sub(lambda match: _quoted(match, text, is_ours), text)
    text = _EMAIL.sub(_MASK, text)
    text = _NUMBER.sub(lambda match: match[0] if _DATE.match(match[0]) else _MASK, text)
    return text if len(text) <= ERROR_CHARACTERS else f"{text[: ERROR_CHARACTERS - 1]}{_MASK}"


def _quoted(match: re.Match[str], text: str, is_ours: bool) -> str:
    is_name = is_ours and _NAME.fullmatch(match["text"]) and not _BEFORE_A_VALUE.search(text[: match.start()])
    return match[0] if is_name else f"{match['quote']}{_MASK}{match['quote']}"


def one_line(words: Sequence[str]) -> str:
    """Words with commas, the first five of them.

    >>> one_line(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return f"{', '.join(words[:5])}{more}"
