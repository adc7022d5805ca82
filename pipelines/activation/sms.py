"""How large an SMS is, in Python and in SQL, and what in its wording makes providers refuse it.

A text is sent in the GSM 7-bit alphabet if all of its characters are in it (3GPP TS 23.038, formerly GSM
03.38, 6.2.1 and 6.2.1.1), else in UCS-2, counted in UTF-16 units. One part holds 160 septets or 70 units;
each part of a longer text 153 or 67, for the header that joins them takes six octets (3GPP TS 23.040,
9.2.3.24.1). A character of the extension table is two septets and a character beyond the Basic Multilingual
Plane two units; such a pair is never split over two parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.feeds.sql import literal

GSM_7, UCS_2 = "GSM-7", "UCS-2"

# ESC (0x1B) is no character of its own: it announces one of the extension table.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
_SINGLE = {GSM_7: 160, UCS_2: 70}
_JOINED = {GSM_7: 153, UCS_2: 67}

MOST_PARTS = 3
"""Longer messages get a warning: providers bill each part, and some cut or refuse long chains."""

# Wordings that providers say they refuse or filter, as regular expressions.
_REFUSED = {
    "en": {
        # support.kangaroorewards.com/knowledge/sms-guidelines, its list of wordings that get blocked.
        r"\b100\s?% free\b|\bfree gift\b|\bact now\b|\bno purchase necessary\b": "carrier filters",
        r"\bdouble your income\b|\bearn (extra )?(cash|\$)|\beliminate debt\b|\bmake \$": "carrier filters",
        r"\$\$|!!!|\b[a-z]( [a-z]){4,}\b": "carrier filters",
        # CTIA Messaging Principles, 5.2: unlawful or age-bound content (S.H.A.F.T.).
        r"\b(tobacco|vape|cbd|cannabis|firearms?|casino)\b": "carriers do not deliver this content",
    },
    "zh": {
        # Advertising Law of the PRC, article 9 (3): no superlatives.
        r"国家级|最高级|最佳|世界级|独一无二|第一品牌|全网最低": "advertising law, article 9",
        # help.aliyun.com/document_detail/463290: a promotion must not send readers to a private account.
        r"加微信|加\s?[vV](信)?|薇信|扣扣": "SMS providers' template rules",
        r"彩票|赌博|棋牌|发票|贷款|股票|代币": "SMS providers' template rules",
        r"★|☆|￥￥|！！！": "SMS providers' template rules",
    },
}
# textp2p.zendesk.com 10293677048212 and help.activecampaign.com 360021662720: shared link shorteners.
_SHORTENERS = re.compile(
    r"(?<![\w.-])(bit\.ly|bitly\.com|tinyurl\.com|t\.co|goo\.gl|ow\.ly|is\.gd|buff\.ly|rb\.gy|cutt\.ly|rebrand\.ly|"
    r"t\.cn|url\.cn|dwz\.cn|suo\.im|suo\.yt)(?![\w-]|\.\w)",
    re.IGNORECASE,
)
# help.aliyun.com/document_detail/463290 (T, TD, N), CTIA Messaging Principles, 5.1.3 (STOP and its synonyms).
_OPT_OUT = {
    "en": r"\b(stop|unsubscribe|opt[ -]?out|quit|cancel)\b",
    "zh": r"退订|拒收|拒絕|回复?\s?(TD|T|N|R)\b",
}


@dataclass(frozen=True)
class SmsSize:
    """Encoding of a text (`GSM-7` or `UCS-2`), its septets or UTF-16 units, and the parts it is billed as."""

    encoding: str
    units: int
    parts: int


@dataclass(frozen=True)
class SizeSql:
    """SQL expressions of the same three."""

    encoding: str
    units: str
    parts: str


def count(text: str) -> SmsSize:
    r"""The size of a text as it is sent; an empty one is one part.

    Example:
        >>> count("5 €")
        SmsSize(encoding='GSM-7', units=4, parts=1)
        >>> count("你好\r\n")
        SmsSize(encoding='UCS-2', units=4, parts=1)
    """
    in_gsm = all(character in _BASIC or character in _EXTENSION for character in text)
    encoding = GSM_7 if in_gsm else UCS_2
    widths = [
        2 if (character in _EXTENSION if in_gsm else ord(character) > 0xFFFF) else 1 for character in text
    ]
    units = sum(widths)
    if units <= _SINGLE[encoding]:
        return SmsSize(encoding, units, 1)
    parts, filled = 1, 0
    for width in widths:
        if filled + width > _JOINED[encoding]:
            parts, filled = parts + 1, 0
        filled += width
    return SmsSize(encoding, units, parts)


def size_sql(text: str) -> SizeSql:
    r"""DuckDB expressions for the size of a varchar expression; exact, in one pass over the column.

    Pairs at the end of a part are counted by a regular expression over the text with each pair written as
    `PQ` and each other character as `s`: a greedy match of up to 153 (67) characters whose last is not `P`
    is a part, for a part is as long as it can be and does not end within a pair. It runs only on texts that
    have pairs and several parts; for all others the division suffices.
    """
    characters = f"length({text})"
    basic, extension = _class(_BASIC), _class(_EXTENSION)
    in_gsm = f"regexp_full_match({text}, {literal(f'[{basic}{extension}]*')})"
    narrow = {GSM_7: f"[^{extension}]", UCS_2: r"[^\x{10000}-\x{10FFFF}]"}
    units = {
        encoding: f"(2 * {characters} - length(regexp_replace({text}, {literal(wide)}, '', 'g')))"
        for encoding, wide in ((GSM_7, f"[{extension}]"), (UCS_2, r"[\x{10000}-\x{10FFFF}]"))
    }
    parts = {
        encoding: f"""case
            when {units[encoding]} <= {_SINGLE[encoding]} then 1
            when {units[encoding]} = {characters} then ceil({characters} / {_JOINED[encoding]})
            else len(regexp_extract_all(
                regexp_replace(
                    regexp_replace({text}, {literal(narrow[encoding])}, 's', 'g'), '[^s]', 'PQ', 'g'
                ),
                '.{{0,{_JOINED[encoding] - 1}}}[^P]'
            ))
        end"""
        for encoding in (GSM_7, UCS_2)
    }
    return SizeSql(
        encoding=f"if({in_gsm}, '{GSM_7}', '{UCS_2}')",
        units=f"cast(if({in_gsm}, {units[GSM_7]}, {units[UCS_2]}) as integer)",
        parts=f"cast(if({in_gsm}, {parts[GSM_7]}, {parts[UCS_2]}) as integer)",
    )


def lint(text: str, language: str) -> list[str]:
    """What providers may object to in a whole SMS (with signature and opt-out text); empty for nothing.

    The lists are short and no promise: each provider has its own, and reads templates before they are used.

    Args:
        text: as it is sent.
        language: `zh` or `en`; others are read as `en`.
    """
    known = language if language in _REFUSED else "en"
    warnings = []
    for pattern, why in _REFUSED[known].items():
        found = re.search(pattern, text, re.IGNORECASE)
        if found is not None:
            warnings.append(f"wording {found.group(0)!r}: {why}")
    shortener = _SHORTENERS.search(text)
    if shortener is not None:
        warnings.append(f"shared link shortener {shortener.group(0)!r}: carriers refuse these")
    if re.search(_OPT_OUT[known], text, re.IGNORECASE) is None:
        warnings.append("no opt-out text")
    size = count(text)
    if size.parts > MOST_PARTS:
        warnings.append(f"{size.parts} parts ({size.encoding}, {size.units} units), more than {MOST_PARTS}")
    return warnings


def _class(characters: str) -> str:
    """The characters for a bracket expression of RE2, each by its number."""
    return "".join(f"\\x{{{ord(character):X}}}" for character in characters)
