"""Names in a form that Chinese characters, pinyin and either order of first and last name share.

王小明, "Wang Xiaoming", "Xiao-Ming WANG" and "Wang Xiao Ming" all have the form `wang xiaoming`. Chinese
names go through Python (a look-up per character), all others through SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipelines.feeds.sql import literal
from pipelines.identity.pinyin import COMMON_SURNAMES, SYLLABLE, read_name
from pipelines.identity.spellings import compatible_texts

if TYPE_CHECKING:
    import duckdb

# Texts that name nobody, as they are when folded: without digits and signs, and in lower case.
_PLACEHOLDERS = (
    *("test", "test test", "test user", "user test", "tester", "testing", "user", "new user", "guest"),
    *("guest user", "customer", "new customer", "client", "buyer", "member", "admin", "unknown", "anonymous"),
    *("unknown unknown", "anon", "none", "null", "nil", "n a", "no name", "noname", "name", "first last"),
    *("john doe", "jane doe", "asdf", "abc", "xxx"),
    *("匿名", "匿名用户", "未知", "测试", "測試", "测试用户", "用户", "用戶", "新用户", "手机用户"),
    *("微信用户", "淘宝用户", "游客", "遊客", "访客", "訪客", "散客", "客户", "客戶", "新客户", "顾客"),
    *("顧客", "会员", "會員", "新会员", "无名", "无名氏", "佚名", "不详", "暂无", "保密", "未填写", "某某"),
)
_TITLES = ("mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "madam")
_HAN_TITLES = (
    *("先生", "女士", "小姐", "太太", "老师", "老師", "同学", "同學", "阿姨", "师傅", "師傅"),
    *("医生", "醫生", "教授"),
)
_HAN_TITLE = rf"(?:{'|'.join(_HAN_TITLES)})(\P{{Han}}|$)"
# Apostrophes and hyphens join (O'Brien, Xiao-Ming), and so do marks of direction and width without a picture.
_JOINED = r"[\p{Cf}'’‘ʼ`‐‑‒–—―-]"
# Masked, or a formula, a tag or a link.
_NO_NAME = "[*=<>{}|]|://"
_MIDDLE_DOTS = "•‧∙・"


def name_forms(con: duckdb.DuckDBPyConnection, *, spellings: str, into: str) -> None:
    """Create the table `into` (spelling, form, han, family, given).

    - `form`: the name's words, folded, sorted and with a blank between. Folded is: lower case, no accents, no
      titles, digits, signs or emoji. Chinese names are in pinyin, the surname as one word and the given name
      as another; so are three syllables of pinyin whose first or last is a frequent surname. Null for what
      names nobody: nothing left, a placeholder, a masked name (王*), a formula or a link, an initial, a
      surname alone (王, Mr Wu).
    - `han`: the Chinese characters of a name written in them, else null.
    - `family`, `given`: the pinyin of a Chinese name's parts; null for others, whose order nobody knows.

    Args:
        con: an open connection.
        spellings: a table, a view or a query in brackets, with a column `spelling` (distinct, not null).
        into: the table to create or replace.
    """
    compatible_texts(con, spellings=spellings, into="_name_text")
    con.execute(f"create or replace temp table _name_kept as {_KEPT_SQL}")
    _read_han(con)
    con.execute(f"""
    create or replace table {into} as
    select spelling, form, if(form is null, null, replace(han, '·', '')) as han, family, given
    from _name_kept
    left join _name_reading using (han)
    where han is not null
    union all
    select spelling, form, null, null, null from ({_LATIN_SQL})
    """)
    con.execute("drop table _name_text; drop table _name_kept; drop table _name_reading")


def _read_han(con: duckdb.DuckDBPyConnection) -> None:
    """Create the temporary table `_name_reading` (han, form, family, given) of the Chinese names."""
    names = con.execute("select distinct han from _name_kept where han is not null").pl()["han"]
    readings = [(name, reading) for name in names if (reading := read_name(name)) is not None]
    rows = [(name, reading.form, reading.family, reading.given) for name, reading in readings]
    columns = ("han", "form", "family", "given")
    con.register("_readings", pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"))
    con.execute("create or replace temp table _name_reading as from _readings")
    con.unregister("_readings")


def _rank(word: str) -> str:
    """SQL for the place of a word among the frequent surnames, null for others."""
    return f"nullif(list_position([{_words(COMMON_SURNAMES)}], {word}), 0)"


def _words(texts: tuple[str, ...]) -> str:
    return ", ".join(map(literal, texts))


# In these queries a text that is dropped becomes null, not a filter: DuckDB would push the filter down and
# compute what it depends on many times.
#
# Letters, and the dot between the parts of a transcribed name. `han` for names in Chinese characters: also
# beside Latin letters (the same name in pinyin, mostly), if there are two characters at least.
_KEPT_SQL = f"""
with joined as (
    -- Of an acute accent used as an apostrophe NFKC makes a blank and an accent.
    select
        spelling,
        translate(
            regexp_replace(replace(lower(text), ' ' || chr(769), ''), {literal(_JOINED)}, '', 'g'),
            '{_MIDDLE_DOTS}', '{"·" * len(_MIDDLE_DOTS)}'
        ) as text
    from (select spelling, if(regexp_matches(text, {literal(_NO_NAME)}), null, text) as text from _name_text)
),
lettered as (
    select spelling, trim(regexp_replace(text, '[^\\p{{L}}\\p{{M}}·]+', ' ', 'g'), ' ·') as text from joined
),
untitled as (
    select
        spelling,
        trim(regexp_replace(text, {literal(_HAN_TITLE)}, '\\1', 'g')) as text,
        regexp_matches(text, {literal(_HAN_TITLE)}) as had_title
    from lettered
),
named as (
    select * replace (if(text in ({_words(_PLACEHOLDERS)}), null, text) as text) from untitled
)
select
    spelling,
    text,
    had_title,
    case
        when strlen(text) = length(text) or regexp_matches(text, '[^\\p{{Han}}\\p{{Latin}}· ]') then null
        when not regexp_matches(text, '\\p{{Latin}}') or regexp_matches(text, '\\p{{Han}}.*\\p{{Han}}')
        then trim(regexp_replace(text, '[^\\p{{Han}}·]', '', 'g'), '·')
    end as han
from named
"""

# The ü of a word in pinyin is v; elsewhere it loses its dots (Müller). Other alphabets keep their marks: they
# can be vowels.
_LATIN_SQL = f"""
with plain as (
    select spelling, had_title, case
        when strlen(text) = length(text) then text
        when not regexp_matches(text, '\\p{{Latin}}')
        then regexp_replace(text, '[\\x{{FE00}}-\\x{{FE0F}}]', '', 'g')
        else strip_accents(translate(replace(replace(replace(
            if(
                regexp_matches(text, '[üǖǘǚǜ]'),
                array_to_string(list_transform(string_split(text, ' '), lambda word: if(
                    regexp_full_match(strip_accents(translate(word, 'üǖǘǚǜ', 'vvvvv')), '{SYLLABLE}+'),
                    translate(word, 'üǖǘǚǜ', 'vvvvv'), word
                )), ' '),
                text
            ),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'øłđı', 'oldi'))
    end as text
    from _name_kept
    where han is null
),
titled as (
    select
        spelling,
        -- The passports' spelling of lü and nü.
        regexp_replace(trim(regexp_replace(
            replace(' ' || replace(text, '·', ' ') || ' ', ' ', '  '), ' (?:{"|".join(_TITLES)}) ', ' ', 'g'
        )), '\\b([ln])yu\\b', '\\1v', 'g') as text,
        had_title or regexp_matches(text, '\\b(?:{"|".join(_TITLES)})\\b') as had_title
    from plain
),
worded as (
    select
        spelling,
        string_split(regexp_replace(text, ' +', ' ', 'g'), ' ') as words,
        regexp_full_match(text, '{SYLLABLE} +{SYLLABLE} +{SYLLABLE}') as is_pinyin,
        -- A surname alone with a title is a family, not a person; an initial alone is nobody.
        not regexp_matches(text, '\\p{{L}}[\\p{{L}}\\p{{M}}]')
        or (had_title and not contains(text, ' ')) as is_nobody
    from titled
),
ranked as (
    select
        spelling,
        words,
        is_nobody,
        if(is_pinyin, {_rank("words[1]")}, null) as first_rank,
        if(is_pinyin, {_rank("words[3]")}, null) as last_rank
    from worded
)
select
    spelling,
    if(is_nobody, null, array_to_string(list_sort(case
        when first_rank is null and last_rank is null then words
        when last_rank is null or first_rank <= last_rank then [words[1], words[2] || words[3]]
        else [words[3], words[1] || words[2]]
    end), ' ')) as form
from ranked
"""
