"""Phone numbers as E.164 text, as the library `phonenumbers` (Google's metadata, Apache-2.0) reads them.

The library takes some 40 microseconds per number, so the usual notations of the region's own numbers are
decided in SQL, with regular expressions from the library's metadata; everything else goes through the
library, once per distinct notation. Both ways give the same result: `_usual` says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import phonenumbers
import polars as pl
from phonenumbers import PhoneMetadata, PhoneNumberDesc

from pipelines.feeds.sql import literal
from pipelines.identity.spellings import compatible_texts

if TYPE_CHECKING:
    import duckdb

# No country has shorter numbers; E.164 allows 15 digits, before which there can be prefixes.
_MIN_LENGTH, _MAX_LENGTH = 4, 24
_TYPES = (
    *("mobile", "fixed_line", "voip", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "pager", "uan", "voicemail"),
)
# An extension's mark and number at the end of the text. A longer run of digits is no extension.
_EXTENSION = r"(?:;[a-z].*|(?:ext(?:ension|n)?|x|#|分机|转|轉)[^0-9]*[0-9]{1,7}[^0-9]*)$"
_SEVEN_DIGITS = r"(?:[0-9][^0-9,;/|、\n]*){7}"
_TWO_NUMBERS = rf"{_SEVEN_DIGITS}[,;/|、\n][^0-9]*{_SEVEN_DIGITS}"


def phone_forms(
    con: duckdb.DuckDBPyConnection, *, spellings: str, into: str, region: str, placeholders: Sequence[str]
) -> None:
    """Create the table `into` (spelling, form): the number in E.164, such as `+8613812345678`.

    The form is null for what is no valid number of any country, for a masked number (138****1234), for two
    numbers in one text, and for a placeholder: one of `placeholders`, or a number whose national digits are
    all equal, run up or down (1234567890), or end in eight zeros. An extension is dropped.

    Args:
        con: an open connection.
        spellings: a table, a view or a query in brackets, with a column `spelling` (distinct, not null).
        into: the table to create or replace.
        region: ISO 3166 code of the country whose numbers are written without a country code.
        placeholders: numbers that stand for none, in any notation that the region reads.

    Raises:
        ValueError: the library does not know the region.
    """
    plan = _numbering_plan(region)
    compatible_texts(con, spellings=spellings, into="_phone_text")
    con.execute(f"create or replace temp table _phone_dialled as {_DIALLED_SQL.format(**_dialling(plan))}")
    # A table in between: the filter would be pushed down, and compute the national digits many times.
    con.execute(f"create or replace temp table _phone_guess as {_usual(plan, region)}")
    con.execute(f"""
    create or replace temp table _phone_number as
    select dialled, '+{plan.country_code}' || national as form, national
    from _phone_guess
    where {_is_valid("national", plan, region)}
    """)
    _ask_library(con, region)
    stand_ins = [form for text in placeholders if (form := _read(text, region)[0]) is not None]
    con.execute(
        f"""
        create or replace table {into} as
        with real as (
            select dialled, form from _phone_number
            where form not in (select unnest($stand_ins::varchar[]))
            and national <> repeat(national[1], length(national))
            and not contains('0123456789012345678901234', national)
            and not contains('9876543210987654321098765', national)
            and not ends_with(national, '00000000')
        )
        select spelling, form from _phone_dialled left join real using (dialled)
        """,
        {"stand_ins": stand_ins},
    )
    con.execute("drop table _phone_text; drop table _phone_dialled")
    con.execute("drop table _phone_guess; drop table _phone_number")


def _ask_library(con: duckdb.DuckDBPyConnection, region: str) -> None:
    """Add to `_phone_number` (dialled, form, national) what is not in it and is a number for the library."""
    unusual = con.execute("""
    select distinct dialled from _phone_dialled
    where dialled is not null and dialled not in (select dialled from _phone_number)
    """).pl()["dialled"]
    answers = pl.DataFrame(
        [(dialled, *_read(dialled, region)) for dialled in unusual],
        schema=dict.fromkeys(("dialled", "form", "national"), pl.String),
        orient="row",
    )
    con.register("_phone_answer", answers)
    con.execute("insert into _phone_number from _phone_answer where form is not null")
    con.unregister("_phone_answer")


def _numbering_plan(region: str) -> PhoneMetadata:
    plan = PhoneMetadata.metadata_for_region(region) if region in phonenumbers.SUPPORTED_REGIONS else None
    if plan is None:
        accepted = ", ".join(sorted(phonenumbers.SUPPORTED_REGIONS))
        raise ValueError(f"no numbering plan for region {region!r}; accepted are ISO 3166 codes: {accepted}")
    return plan


def _read(text: str, region: str) -> tuple[str | None, str | None]:
    """E.164 and the national digits as the library has them; twice null for what is no valid number.

    A number that is only possible (its length is right) is none here: a wrong link of two customers is worse
    than a missed one.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None, None
    if not phonenumbers.is_valid_number(number):
        return None, None
    national = phonenumbers.national_significant_number(number)
    return f"+{number.country_code}{national}", national


# Leaves the digits and a leading plus; null where they are no single number. `00` before a country code is a
# plus in every region, also where people dial another prefix; but not where the region's own prefix begins
# with 00 and goes on (Brazil: 00 and the two digits of a carrier).
_DIALLED_SQL = r"""
with cut as (
    select
        spelling,
        case
            -- What is left of 138****1234 would be somebody else's number.
            when contains(text, '*') then null
            when regexp_matches(text, '[,;/|、\n]') and regexp_matches(text, {two_numbers}) then null
            else regexp_replace(lower(text), {extension}, '')
        end as text
    from _phone_text
),
kept as (
    select
        spelling, regexp_replace(regexp_replace(text, '[^\p{{Nd}}+]+', '', 'g'), '^\++', '+') as digits
    from cut
)
select
    spelling,
    case
        when length(digits) not between {min_length} and {max_length} or contains(digits[2:], '+') then null
        when regexp_matches(digits, '^\+?00[1-9]') and (
            starts_with(ltrim(digits, '+'), {own_code})
            or regexp_extract(ltrim(digits, '+'), {prefix}) in ('', '00')
        ) then '+' || ltrim(digits, '+0')
        else digits
    end as dialled
from kept
"""


def _dialling(plan: PhoneMetadata) -> dict[str, object]:
    return {
        "two_numbers": literal(_TWO_NUMBERS),
        "extension": literal(_EXTENSION),
        "min_length": _MIN_LENGTH,
        "max_length": _MAX_LENGTH,
        "own_code": literal(f"00{plan.country_code}"),
        "prefix": literal(f"^(?:{plan.international_prefix})"),
    }


def _usual(plan: PhoneMetadata, region: str) -> str:
    """SQL for (dialled, national): the national digits where the notation is a usual one of the region.

    Usual are, with N the national digits, 0 the national (trunk) prefix and 86 the country code: +86 N,
    +86 0 N, 86 N, N and 0 N. If N is a valid number of the region, the library gives N too:

    - After +86 it takes a national prefix off, if one matches, and only one.
    - Without a plus it looks for an international prefix; such texts are left to it.
    - It reads a leading 86 as the country code if the whole is too long for the plan, or does not match it;
      otherwise the whole is taken as national. N is valid, hence matches the plan.
    - It takes a national prefix off. What its pattern takes must be nothing, or just the prefix: patterns
      with carrier codes or rewriting rules (China, Brazil, Argentina) take more from some numbers.

    Where several regions share a country code, a number after the code is read with the main region's plan,
    whose pattern must leave it alone too.
    """
    general = plan.general_desc
    assert plan.country_code is not None and general is not None, "every region has both"
    main_region = phonenumbers.region_code_for_country_code(plan.country_code)
    own, own_behind = _national_prefix("dialled", plan), _national_prefix("behind", plan)
    main = _national_prefix("behind", _numbering_plan(main_region))
    trunk = _plain_prefix(plan)
    # With no prefix the comparison repeats the one before it and adds nothing.
    after_plus = trunk if region == main_region else ""
    return f"""
    with coded as (
        select distinct
            dialled,
            nullif(regexp_extract(dialled, '^\\+?{plan.country_code}(.+)$', 1), '') as behind
        from _phone_dialled
        where dialled is not null
    )
    select
        dialled,
        case
            when starts_with(dialled, '+') then case
                when {main} = '' then behind
                when {main} = {literal(after_plus)} then behind[{len(after_plus) + 1}:]
            end
            when regexp_matches(dialled, {literal(f"^(?:{plan.international_prefix})")}) then null
            when behind is not null and (
                length(dialled) > {max(general.possible_length)}
                or not regexp_full_match(dialled, {literal(general.national_number_pattern or "")})
            ) then if({own_behind} = '' and {main} = '', behind, null)
            when {own} = '' then dialled
            when {own} = {literal(trunk)} and behind is null then dialled[{len(trunk) + 1}:]
        end as national
    from coded
    """


def _national_prefix(digits: str, plan: PhoneMetadata) -> str:
    """SQL for what the library would take off the front of the digits; empty for nothing."""
    if not plan.national_prefix_for_parsing:
        return f"if({digits} is null, null, '')"
    return f"regexp_extract({digits}, {literal(f'^(?:{plan.national_prefix_for_parsing})')})"


def _plain_prefix(plan: PhoneMetadata) -> str:
    """The national prefix, if taking it off rewrites nothing else; empty for none."""
    prefix = plan.national_prefix or ""
    match = re.match(plan.national_prefix_for_parsing or "", prefix)
    if match is None or match.end() != len(prefix):
        return ""
    rewrites = plan.national_prefix_transform_rule and match.groups()[-1:] != (None,)
    return "" if rewrites else prefix


def _is_valid(digits: str, plan: PhoneMetadata, region: str) -> str:
    """SQL for the library's `is_valid_number` of national digits with the region's country code.

    True only for numbers of the region itself: it must be the region that the library finds for the number,
    so no region before it in the library's list may claim the leading digits.
    """
    assert plan.country_code is not None, "every region has one"
    conditions = [_matches(digits, plan.general_desc)]
    for other in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[plan.country_code]:
        leading = _numbering_plan(other).leading_digits
        if leading is not None:
            claimed = f"regexp_matches({digits}, {literal(f'^(?:{leading})')})"
            conditions.append(claimed if other == region else f"not {claimed}")
        if other == region:
            break
    types = [
        _matches(digits, description) for name in _TYPES if (description := getattr(plan, name)) is not None
    ]
    return f"{' and '.join(conditions)} and ({' or '.join(types)})"


def _matches(digits: str, description: PhoneNumberDesc | None) -> str:
    if description is None or not description.national_number_pattern:
        return "false"
    lengths = ", ".join(str(length) for length in description.possible_length)
    in_length = f"length({digits}) in ({lengths}) and " if lengths else ""
    return f"({in_length}regexp_full_match({digits}, {literal(description.national_number_pattern)}))"
