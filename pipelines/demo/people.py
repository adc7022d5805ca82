"""True people in their households: table `person`, one row per customer of the demo shop.

`person_no` counts from 0 through all batches. Times ending in `_s` are seconds since the first day's
midnight, local time, and may be negative (before the world's first day).
"""

import duckdb

from pipelines.demo import rates, words
from pipelines.demo.draws import DAY_SECONDS, one_of, texts


def create_people(con: duckdb.DuckDBPyConnection, first: int, count: int) -> None:
    """Creates `person` for the numbers `first` … `first + count - 1`; `first` is a multiple of the block."""
    patterns = "[" + ", ".join(str(list(pattern)) for pattern in rates.HOUSEHOLD_PATTERNS) + "]"
    size = rates.BLOCK_PEOPLE
    con.execute(f"""
    create or replace table person as
    with numbered as (
        select {first} + range as person_no from range({count})
    ),
    housed as (
        select
            person_no,
            person_no // {size} * {size} + pick({patterns}, 'household', person_no // {size})[
                1 + person_no % {size}
            ] as household_no
        from numbered
    ),
    headed as (
        select *, min(person_no) over (partition by household_no) as head_no from housed
    ),
    drawn as (
        select
            *,
            {one_of(rates.KIND_SHARES, "u('kind', person_no)")} as kind,
            {one_of(rates.SEGMENT_SHARES, "u('segment', person_no)")} as segment,
            u('english', household_no) < {rates.ENGLISH_NAME_SHARE} as is_english,
            if(u('own surname', person_no) < {rates.OWN_SURNAME_SHARE}, person_no, head_no) as surname_of,
            if(u('sex', person_no) < {rates.FEMALE_SHARE}, 'female', 'male') as sex,
            date '1955-01-01' + cast(below(18000, 'birth', person_no) as integer) as birth_date,
            pick({texts(words.CITIES)}, 'city', household_no) as city,
            u('moved', person_no) < {rates.MOVED_SHARE} as has_moved,
            u('changed phone', person_no) < {rates.CHANGED_PHONE_SHARE} as has_changed_phone,
            cast(if(
                u('joined before', person_no) < {rates.JOINED_BEFORE_SHARE},
                -u('joined', person_no) * {rates.JOINED_BEFORE_MAX_DAYS},
                u('joined', person_no) * {rates.JOINED_WITHIN_DAYS}
            ) * {DAY_SECONDS} as bigint) as joined_s
        from headed
    ),
    named as (
        select
            *,
            1 + below({len(words.SURNAMES)}, 'surname', surname_of) as surname_i,
            1 + below({len(words.GIVEN)}, 'given 1', person_no) as given_1,
            -- One name in four has a single character: 0 adds nothing.
            greatest(0, below({len(words.GIVEN)}, 'given 2', person_no) * 4 // 3 - {len(words.GIVEN) // 3})
                as given_2
        from drawn
    ),
    spelled as (
        select
            *,
            if(
                is_english,
                pick({texts(words.ENGLISH_LAST)}, 'surname', surname_of),
                {texts(words.SURNAMES_PINYIN)}[surname_i]
            ) as family_latin,
            if(
                is_english,
                pick({texts(words.ENGLISH_FIRST)}, 'given', person_no),
                {texts(tuple(word.capitalize() for word in words.GIVEN_PINYIN))}[given_1]
                || coalesce({texts(words.GIVEN_PINYIN)}[nullif(given_2, 0)], '')
            ) as given_latin,
            {texts(words.SURNAMES)}[surname_i] || {texts(words.GIVEN)}[given_1]
            || coalesce({texts(words.GIVEN)}[nullif(given_2, 0)], '') as hanzi
        from named
    )
    select
        * exclude (surname_of, surname_i, given_1, given_2, hanzi),
        if(is_english, given_latin || ' ' || family_latin, hanzi) as full_name,
        if(has_moved, pick({texts(words.CITIES)}, 'new city', person_no), city) as new_city,
        cast(greatest(joined_s, 0) + u('moved at', person_no) * 300 * {DAY_SECONDS} as bigint) as moved_s,
        pick({texts(words.PHONE_PREFIXES)}, 'prefix', person_no) || phone_digits(person_no * 2) as phone,
        pick({texts(words.PHONE_PREFIXES)}, 'old prefix', person_no) || phone_digits(person_no * 2 + 1)
            as old_phone,
        -- The head's number is the one that a household shares.
        pick({texts(words.PHONE_PREFIXES)}, 'prefix', head_no) || phone_digits(head_no * 2)
            as household_phone,
        lower(replace(replace(family_latin, '''', ''), 'ü', 'v')) || '.' || lower(given_latin)
            || to_base(cast(scrambled(person_no, 1) as bigint), 36)
            || '@' || pick({texts(words.EMAIL_DOMAINS)}, 'domain', person_no) as email,
        lower(given_latin) || to_base(cast(scrambled(person_no, 2) as bigint), 36)
            || '@' || pick({texts(words.EMAIL_DOMAINS)}, 'second domain', person_no) as second_email
    from spelled
    order by person_no
    """)
