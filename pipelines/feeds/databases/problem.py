"""What went wrong with a database, in the terms of a profile."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "time", "instant", "other"]
"""Of a column's values: a number, a date or a timestamp without zone, an instant, anything else."""


@dataclass(frozen=True)
class Problem:
    """An error of a driver.

    Attributes:
        key: the source's key in the profile that it is about.
        message: what is wrong and what to do.
        text: what the driver says; it may hold a password.
        is_transient: whether the same may work a little later.
    """

    key: str
    message: str
    text: str
    is_transient: bool = False
