"""SQL that compares two people's names, or a name and an e-mail address.

The functions return the text of an expression. A name is a struct (or table alias) with the columns of
`name_forms`: form, han, family, given.
"""

from __future__ import annotations

from pipelines.feeds.sql import literal
from pipelines.identity.pinyin import COMMON_SURNAMES, COMPOUND_SURNAMES, SYLLABLE

_MIN_TYPO_LENGTH = 6
# Between a name in Chinese and one in Latin letters: pinyin without tones has many near neighbours.
_MIN_TYPO_LENGTH_ACROSS = 8


def name_agreement(a: str, b: str) -> str:
    """SQL for how two names agree: 'same', 'near', 'different', or null if one of them is unknown.

    - same: equal forms or equal characters.
    - near, both in Chinese characters: as many, the first one equal, and exactly one of the others not.
      With a given name of one character (王明, 王芳) they are two siblings, hence different.
    - near, otherwise: an initial for a word (`j smith`, `john smith`), one more initial (`john a smith`), or
      one letter wrong, missing, too many or swapped with the next, in 6 letters or more (8 if just one of the
      names is in Chinese). Not if the words that differ are single syllables of pinyin: `ming wang` and
      `ping wang` are two names, not a typing error.
    - different: everything else.

    The order of the two does not matter.

    Args:
        a: the prefix of one name's columns, such as `x.name`.
        b: the prefix of the other's.

    Example:
        >>> name_agreement("x.name", "y.name").startswith("case")
        True
    """
    initial = _initial(f"{a}.form", f"{b}.form")
    return f"""case
        when {a}.form is null or {b}.form is null then null
        when {a}.form = {b}.form or {a}.han = {b}.han then 'same'
        when {a}.han is not null and {b}.han is not null then
            if({_one_character_apart(f"{a}.han", f"{b}.han")}, 'near', 'different')
        when {initial} or {_one_letter_apart(a, b)} then 'near'
        else 'different'
    end"""


def email_name_agreement(email_form: str, name: str) -> str:
    """SQL for whether the local part of an e-mail address spells the given name; null if that is unknown.

    True if it contains, among whatever else, the given name in pinyin (`wang.xiaoming5x@…` and 王小明). Which
    word of a name in Latin letters is the given one is not known: all must be there but for frequent Chinese
    surnames, which a whole family has. Words of one or two letters are in most addresses and do not count; a
    name with no other word is unknown. It is weak evidence that an account whose typed name has an error
    belongs to the person of another account.

    Args:
        email_form: SQL of the address or its form.
        name: the prefix of the name's columns, such as `x.name`.
    """
    surnames = ", ".join(map(literal, COMMON_SURNAMES))
    letters = f"regexp_replace(split_part({email_form}, '@', 1), '[^a-z]+', '', 'g')"
    words = f"""list_filter(
        if({name}.given is null, string_split({name}.form, ' '), [{name}.given]),
        lambda word: regexp_full_match(word, '[a-z]{{3,}}')
        and ({name}.given is not null or word not in ({surnames}))
    )"""
    return f"""case
        when {email_form} is null or {name}.form is null or len({words}) = 0 then null
        else len(list_filter({words}, lambda word: not contains({letters}, word))) = 0
    end"""


def _one_character_apart(a: str, b: str) -> str:
    compound = ", ".join(map(literal, sorted(COMPOUND_SURNAMES)))
    # DuckDB's distances count bytes, of which a Chinese character has three.
    return f"""length({a}) >= if({a}[:2] in ({compound}) and {b}[:2] in ({compound}), 4, 3)
            and length({a}) = length({b}) and {a}[1] = {b}[1]
            and len(list_filter(range(2, length({a}) + 1), lambda place: {a}[place] <> {b}[place])) = 1"""


def _others(a: str, b: str) -> str:
    """SQL for the words of one form that the other does not have."""
    return (
        f"list_filter(string_split({a}, ' '), lambda word: not list_contains(string_split({b}, ' '), word))"
    )


def _initial(a: str, b: str) -> str:
    words = f"list_distinct(list_intersect(string_split({a}, ' '), string_split({b}, ' ')))"
    shared = f"len(list_filter({words}, lambda word: length(word) > 1))"
    of_a, of_b = _others(a, b), _others(b, a)
    for_word = f"""(
            {shared} >= 1 and len({of_a}) = 1 and len({of_b}) = 1
            and least(length({of_a}[1]), length({of_b}[1])) = 1 and {of_a}[1][1] = {of_b}[1][1]
        )"""
    one_more = f"""(
            {shared} >= 2 and len({of_a}) + len({of_b}) = 1 and length(coalesce({of_a}[1], {of_b}[1])) = 1
        )"""
    return f"({for_word} or {one_more})"


def _one_letter_apart(a: str, b: str) -> str:
    letters_a, letters_b = (f"replace({name}.form, ' ', '')" for name in (a, b))
    of_a, of_b = _others(f"{a}.form", f"{b}.form"), _others(f"{b}.form", f"{a}.form")
    is_across = f"({a}.han is null) <> ({b}.han is null)"
    return f"""(
            least(length({letters_a}), length({letters_b}))
                >= if({is_across}, {_MIN_TYPO_LENGTH_ACROSS}, {_MIN_TYPO_LENGTH})
            and abs(length({letters_a}) - length({letters_b})) <= 1
            and damerau_levenshtein({letters_a}, {letters_b}) = 1
            and not (
                len({of_a}) = 1 and len({of_b}) = 1
                and regexp_full_match({of_a}[1], '{SYLLABLE}') and regexp_full_match({of_b}[1], '{SYLLABLE}')
            )
        )"""
