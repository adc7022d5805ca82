"""How far two accounts' names agree, and what their e-mail addresses say of the names: DuckDB macros."""

import duckdb

from pipelines.feeds.sql import literal
from pipelines.identity.pinyin import SYLLABLE, syllables

# A slip in a shorter word makes another word as easily.
_MIN_LENGTH = 5
_MIN_EMAIL_LENGTH = 3
_MIN_RUN_ON_LENGTH = 5


def create_agreement_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the temporary macros.

    `names_agree(a, b)`, of two structs as `pipelines.identity.names` makes them (form, han, family, given):
        same: one name, in whatever notation;
        near: a slip of the pen apart: one of several characters or syllables of the given name, one letter of
            a longer word, or a first name and its initial;
        weak: the same surname, and two given names of a single syllable, or two short words a letter apart:
            as often a slip as two siblings;
        different; null where one is not known.
    It is symmetric.

    `email_names(email, name)`: true where the part before the @ has the given name (of at least three
        letters) in it; false where it has the surname without it, beside another word in pinyin: the address
        is named after somebody else; else null.

    Example:
        >>> con = duckdb.connect()
        >>> create_agreement_macros(con)
        >>> name = "{{'form': '{}', 'han': {}, 'family': {}, 'given': {}}}".format
        >>> a = name("minghua wang", "'王明华'", "'wang'", "'minghua'")
        >>> b = name("minghui wang", "null", "null", "null")
        >>> con.sql(f"select names_agree({a}, {b}), email_names('minghua.wang8@example.org', {a})").fetchone()
        ('near', True)
    """
    # The longest first: hao is one syllable, not ha and o.
    longest = f"(?:{'|'.join(sorted(syllables(), key=lambda each: (-len(each), each)))})"
    con.execute(
        f"create or replace temp macro name_syllables(word) as regexp_extract_all(word, {literal(longest)})"
    )
    con.execute(
        f"create or replace temp macro is_name_pinyin(word) as "
        f"regexp_full_match(word, {literal(f'(?:{SYLLABLE}){{1,3}}')})"
    )
    # How many places differ in lists of one length.
    con.execute(
        "create or replace temp macro places_apart(one, other) as "
        "len(list_filter(list_zip(one, other), lambda pair: pair[1] <> pair[2]))"
    )
    con.execute(
        """
        create or replace temp macro pinyin_agree(one, other) as
        case
            when len(one) <> len(other) then 'different'
            when len(one) = 1 then 'weak'
            when places_apart(one, other) = 1 then 'near'
            else 'different'
        end
        """
    )
    con.execute(
        f"""
        create or replace temp macro words_agree(one, other) as
        case
            when one = other then 'same'
            when one = '' or other = '' then if(length(one || other) = 1, 'near', 'different')
            when is_name_pinyin(one) and is_name_pinyin(other)
                then pinyin_agree(name_syllables(one), name_syllables(other))
            when least(length(one), length(other)) = 1 and one[1] = other[1] then 'near'
            when damerau_levenshtein(one, other) > 1 then 'different'
            when least(length(one), length(other)) >= {_MIN_LENGTH} then 'near'
            else 'weak'
        end
        """
    )
    # Of the words of a name what is left without those that the other one has too.
    con.execute(
        """
        create or replace temp macro words_left(one, other) as array_to_string(
            list_filter(
                string_split(one, ' '), lambda word: not list_contains(string_split(other, ' '), word)
            ),
            ''
        )
        """
    )
    con.execute(
        """
        create or replace temp macro names_agree(a, b) as
        case
            when a.form is null or b.form is null then null
            when a.form = b.form or a.han = b.han then 'same'
            when a.han is not null and b.han is not null then case
                when a.family <> b.family or length(a.han) <> length(b.han) then 'different'
                when len(name_syllables(a.given)) = 1 then 'weak'
                when places_apart(string_split(a.han, ''), string_split(b.han, '')) = 1 then 'near'
                else 'different'
            end
            when replace(a.form, ' ', '') = replace(b.form, ' ', '') then 'same'
            when not list_has_any(string_split(a.form, ' '), string_split(b.form, ' ')) then case
                when least(length(a.form), length(b.form)) >= 8
                    and damerau_levenshtein(replace(a.form, ' ', ''), replace(b.form, ' ', '')) = 1
                    then 'near'
                else 'different'
            end
            -- The word that a Chinese name shares with one in pinyin must be its surname.
            when coalesce(not list_contains(string_split(b.form, ' '), a.family), false)
                or coalesce(not list_contains(string_split(a.form, ' '), b.family), false) then 'different'
            else words_agree(words_left(a.form, b.form), words_left(b.form, a.form))
        end
        """
    )
    con.execute(
        "create or replace temp macro email_words(email) as "
        "string_split_regex(split_part(email, '@', 1), '[^a-z]+')"
    )
    # Whole words; but a longer one may have letters of another kind run on to it.
    con.execute(
        f"""
        create or replace temp macro email_has(email, word) as
        list_contains(email_words(email), word) or (
            length(word) >= {_MIN_RUN_ON_LENGTH}
            and len(list_filter(email_words(email), lambda each: starts_with(each, word))) > 0
        )
        """
    )
    con.execute(
        f"""
        create or replace temp macro email_names(email, name) as
        case
            when email is null or name.form is null then null
            when name.given is not null and length(name.given) >= {_MIN_EMAIL_LENGTH}
                and email_has(email, name.given) then true
            when name.given is null and length(name.form) >= {2 * _MIN_EMAIL_LENGTH} and len(list_filter(
                string_split(name.form, ' '), lambda word: not email_has(email, word)
            )) = 0 then true
            when len(list_intersect(email_words(email), string_split(name.form, ' '))) = 1
                and not list_contains(email_words(email), coalesce(name.given, ''))
                and len(list_filter(
                    email_words(email),
                    lambda word: is_name_pinyin(word)
                        and not list_contains(string_split(name.form, ' '), word)
                )) > 0
                then false
        end
        """
    )
