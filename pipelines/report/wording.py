"""Names and numbers as the report prints them, in English with the guide's Chinese class names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

DASH = "–"

STATES = ("active", "cooling", "dormant", "deep_dormant", "lost")
ASLEEP = ("dormant", "deep_dormant", "lost")
TIERS = ("high", "mid", "low")
CLASSES_ZH = {
    "important_value": "重要价值",
    "important_development": "重要发展",
    "important_retention": "重要保持",
    "general": "一般",
}
REASONS_ZH = {
    "bad_experience": "体验不佳",
    "need_satisfied": "需求已满足",
    "price_competition": "价格与竞争",
    "communication_failure": "沟通未触达",
    "communication_overload": "沟通过度",
    "brand_fade": "品牌淡忘",
    "unknown": "原因未知",
}
DECISIONS = ("send", "holdout", "deferred", "suppressed", "no_action")
_IRREGULAR = {"cant_lose": "Can't lose", "kpi": "KPI"}


def words(code: str) -> str:
    """A code as words: `deep_dormant` becomes `Deep dormant`."""
    return _IRREGULAR.get(code, code.replace("_", " ").capitalize())


def method_words(method: str) -> str:
    """A method as the evaluation names it, in words.

    >>> method_words("mbg_cnbd_2"), method_words("tuned_x")
    ('model, k = 2', 'best X days')
    """
    if method == "tuned_x":
        return "best X days"
    k = method.removeprefix("mbg_cnbd_")
    return words(method).lower() if k == method else f"model, k = {k}"


def ordered(rows: Iterable[dict[str, Any]], column: str, order: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in the order of a column's values; values that the order lacks come last, by name."""
    rank = {value: position for position, value in enumerate(order)}
    return sorted(rows, key=lambda row: (rank.get(row[column], len(order)), row[column]))


def number(value: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """A number with its noun: `1 customer`, `2 customers`."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def money(amount: Decimal, currency: str) -> str:
    """An amount in whole units, such as `GBP 1,234`."""
    return f"{currency} {whole(amount)}"


def whole(amount: Decimal) -> str:
    """An amount in whole units whose currency stands elsewhere: `1,234`."""
    return f"{amount:,.0f}"


def ratio(part: int | Decimal, whole: int | Decimal) -> float | None:
    """Part over whole; None when the whole is nothing or a loss, where a share says nothing."""
    return float(part) / float(whole) if whole > 0 else None


def percent(part: int | Decimal, whole: int | Decimal) -> str:
    """Part over whole such as `12.3%`; a dash where there is no share."""
    share = ratio(part, whole)
    return DASH if share is None else f"{share:.1%}"
