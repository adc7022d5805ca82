"""Names: what they have in common in Chinese, pinyin and any order."""

import time

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypinyin.constants import PINYIN_DICT
from pypinyin.contrib.tone_convert import to_normal

from pipelines.demo import words
from pipelines.identity.names import name_forms
from pipelines.identity.pinyin import COMMON_SURNAMES, read_name, syllables


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        yield con


def read(con, spellings):
    """`(form, han, family, given)` by spelling."""
    con.register("given_spellings", pl.DataFrame({"spelling": spellings}, schema={"spelling": pl.String}))
    name_forms(con, spellings="given_spellings", into="forms")
    found = con.execute("select spelling, form, han, family, given from forms").fetchall()
    assert con.execute("select table_name from duckdb_tables()").fetchall() == [("forms",)]
    assert sorted(row[0] for row in found) == sorted(spellings)
    return {spelling: reading for spelling, *reading in found}


def form(con, spelling):
    return read(con, [spelling])[spelling][0]


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "王小明",
            " 王 小明 ",
            "王小明先生",
            "王小明(13800)",
            "😀王小明",
            "王\u200b小明",
            "王小明 Wang Xiaoming",
            "王曉明",
        ),
        *(
            "Wang Xiaoming",
            "Xiaoming WANG",
            "wang, xiaoming",
            "Xiao-Ming Wang",
            "Wang Xiao Ming",
            "Xiao Ming Wang",
        ),
        *(
            "ＷＡＮＧ　Ｘｉａｏｍｉｎｇ",
            "Wáng Xiǎomíng",
            "Mr. Wang Xiaoming",
            "Wang Xiaoming 1985",
            "Wang_Xiao'ming",
        ),
    ],
)
def test_spellings_of_one_chinese_name(con, spelling):
    assert form(con, spelling) == "wang xiaoming"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("John Smith", "john smith"),
        ("Dr. John  SMITH", "john smith"),
        ("Smith, J.", "j smith"),
        ("Anne-Marie Müller", "annemarie muller"),
        ("Lübeck Jörg", "jorg lubeck"),
        ("Conan O’Brien", "conan obrien"),
        ("Conan O´Brien", "conan obrien"),
        ("Łukasz Øst Straße", "lukasz ost strasse"),
        ("John Smith Jr", "john jr smith"),
        ("Иван Иванов", "иван иванов"),
        ("김철수", "김철수"),
        ("田中 さくら", "さくら 田中"),
        ("momo", "momo"),
    ],
)
def test_other_names(con, spelling, expected):
    assert read(con, [spelling])[spelling] == [expected, None, None, None]


@pytest.mark.parametrize(
    ("spelling", "family", "given"),
    [
        *(("欧阳锋", "ouyang", "feng"), ("司马光", "sima", "guang"), ("尉迟恭", "yuchi", "gong")),
        *(("曾国藩", "zeng", "guofan"), ("单田芳", "shan", "tianfang"), ("解晓东", "xie", "xiaodong")),
        *(("朴树", "piao", "shu"), ("吕绿", "lv", "lv"), ("查长晟", "zha", "changsheng")),
    ],
)
def test_surnames_have_readings_of_their_own(con, spelling, family, given):
    expected = [" ".join(sorted((family, given))), spelling, family, given]
    assert read(con, [spelling]) == {spelling: expected}


def test_transcribed_names_have_no_surname(con):
    assert read(con, ["阿依古丽•买买提"])["阿依古丽•买买提"] == [
        "ayiguli maimaiti",
        "阿依古丽买买提",
        None,
        None,
    ]
    assert form(con, "欧阳·锋") == "feng ouyang"


@pytest.mark.parametrize("spelling", ["Lü Bu", "Lǚ Bù", "lv bu", "LYU BU", "Bu Lü", "吕布"])
def test_the_u_with_dots(con, spelling):
    assert form(con, spelling) == "bu lv"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        # Both can be surnames: the more frequent one is taken, in either order.
        *(("Wang Xiao Wei", "wang xiaowei"), ("Xiao Wei Wang", "wang xiaowei")),
        # No frequent surname, or not pinyin.
        *(
            ("Ou Xiao Mou", "mou ou xiao"),
            ("Wang Xiao Ming Li", "li ming wang xiao"),
            ("Li Mary Ann", "ann li mary"),
        ),
    ],
)
def test_three_syllables(con, spelling, expected):
    assert form(con, spelling) == expected


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "",
            " ",
            "\x00",
            "123",
            "😀",
            "❤️",
            "-",
            "***",
            "王",
            "王先生",
            "李女士",
            "小姐",
            "欧阳",
            "Mr Smith",
            "Dr.",
            "J",
            "A B",
        ),
        *(
            "王*",
            "王*明",
            "w***g",
            "test",
            "TEST 123",
            "N/A",
            "n.a.",
            "unknown",
            "guest",
            "Customer",
            "匿名",
            "未知",
            "测试",
        ),
        *("用户1234", "微信用户", "no name", "x" * 10_000_000, "王" * 1_000_000),
    ],
)
def test_what_names_nobody(con, spelling):
    assert read(con, [spelling]) == {spelling: [None, None, None, None]}


def test_the_demo_shop_s_names_are_read_as_it_spells_them():
    family = dict(zip(words.SURNAMES, words.SURNAMES_PINYIN, strict=True))
    given_name = dict(zip(words.GIVEN, words.GIVEN_PINYIN, strict=True))
    for character, spelled in family.items():
        assert read_name(character + "明").family == spelled.lower().replace("ü", "v")
    for character, spelled in given_name.items():
        assert read_name("王" + character).given == spelled


def test_syllables_are_those_of_the_dictionary():
    readings = {reading for each in PINYIN_DICT.values() for reading in each.split(",")}
    known = {to_normal(reading, v_to_u=False) for reading in readings}
    ours = syllables()
    assert len(ours) == len(set(ours))
    assert set(ours) <= known
    # Dialect, interjections and Cantonese are no names' syllables.
    assert {each for each in known - set(ours) if len(each) > 2} <= {
        *(
            "biang",
            "bong",
            "cei",
            "chua",
            "dei",
            "den",
            "din",
            "fiao",
            "hng",
            "kei",
            "len",
            "nia",
            "nou",
            "nun",
        ),
        *("rua", "shei", "shuan", "tei", "wong", "zei", "zhei"),
    }
    assert set(COMMON_SURNAMES) <= set(ours)
    assert len(COMMON_SURNAMES) == len(set(COMMON_SURNAMES))


def test_no_spellings(con):
    assert read(con, []) == {}


def test_very_long_texts_take_no_time(con):
    started = time.monotonic()
    read(con, ["x " * 5_000_000, "王" * 3_000_000, "ü" * 400, "li " * 340, "· " * 300])
    assert time.monotonic() - started < 5


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=30), unique=True, max_size=20))
def test_any_text_has_a_form_or_none(con, texts):
    for found, han, family, given_name in read(con, texts).values():
        assert found is None or found == " ".join(sorted(found.split(" ")))
        assert found is not None or (han, family, given_name) == (None, None, None)
