"""The size of an SMS: the limits of the standard, and SQL that counts as Python does."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.activation.sms import _BASIC, _EXTENSION, SmsSize, count, lint, size_sql

CON = duckdb.connect()
SIZE = size_sql("given.text")


def in_sql(texts):
    CON.execute("create or replace temp table given (place integer, text varchar)")
    CON.executemany("insert into given values (?, ?)", list(enumerate(texts)))
    rows = CON.execute(
        f"select {SIZE.encoding}, {SIZE.units}, {SIZE.parts} from given order by place"
    ).fetchall()
    return [SmsSize(*row) for row in rows]


CASES = [
    ("", "GSM-7", 0, 1),
    ("a" * 160, "GSM-7", 160, 1),
    ("a" * 161, "GSM-7", 161, 2),
    ("a" * 306, "GSM-7", 306, 2),
    ("a" * 307, "GSM-7", 307, 3),
    ("a" * 153 * 5, "GSM-7", 765, 5),
    ("a" * (153 * 5 + 1), "GSM-7", 766, 6),
    ("€" * 80, "GSM-7", 160, 1),
    ("€" * 81, "GSM-7", 162, 2),
    # 76 pairs are 152 septets of a part; the 77th does not fit into the 153rd.
    ("€" * 152, "GSM-7", 304, 2),
    ("€" * 153, "GSM-7", 306, 3),
    ("a" * 152 + "[" + "a" * 152, "GSM-7", 306, 3),
    ("a" * 151 + "[" + "a" * 153, "GSM-7", 306, 2),
    ("a" * 152 + "[" + "a" * 151, "GSM-7", 305, 2),
    ("line\r\n", "GSM-7", 6, 1),
    ("\r\n" * 80, "GSM-7", 160, 1),
    ("\r\n" * 80 + "a", "GSM-7", 161, 2),
    ("ΔΦ@£ß\f^{}\\[~]|", "GSM-7", 24 - 1, 1),
    ("你" * 70, "UCS-2", 70, 1),
    ("你" * 71, "UCS-2", 71, 2),
    ("你" * 134, "UCS-2", 134, 2),
    ("你" * 135, "UCS-2", 135, 3),
    ("你" * 67 * 6, "UCS-2", 402, 6),
    ("你" * (67 * 6 + 1), "UCS-2", 403, 7),
    ("😀" * 35, "UCS-2", 70, 1),
    ("😀" * 36, "UCS-2", 72, 2),
    # 33 emoji are 66 units of a part; half of the next would be the 67th.
    ("😀" * 66, "UCS-2", 132, 2),
    ("😀" * 67, "UCS-2", 134, 3),
    ("你" * 66 + "😀" + "你" * 66, "UCS-2", 134, 3),
    ("你" * 67 + "😀" + "你" * 65, "UCS-2", 134, 2),
    # In UCS-2 the euro sign is one unit.
    ("你€" * 35, "UCS-2", 70, 1),
    ("你\r\n", "UCS-2", 3, 1),
    ("`", "UCS-2", 1, 1),
    ("ç", "UCS-2", 1, 1),
    ("e\u0301", "UCS-2", 2, 1),
    ("\x1b", "UCS-2", 1, 1),
]


@pytest.mark.parametrize(("text", "encoding", "units", "parts"), CASES)
def test_sizes_at_the_limits(text, encoding, units, parts):
    assert count(text) == SmsSize(encoding, units, parts)


def test_sql_sizes_at_the_limits():
    assert in_sql([text for text, *_ in CASES]) == [SmsSize(*size) for _, *size in CASES]


pieces = st.one_of(
    st.text(st.sampled_from("aZé@€[]^\n\r\f你😀🙂`"), max_size=12),
    st.builds(str.__mul__, st.sampled_from(["a", "€", "你", "😀", "\r\n"]), st.integers(0, 160)),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
texts = st.lists(pieces, max_size=6).map("".join)
gsm_texts = st.lists(
    st.builds(str.__mul__, st.sampled_from(["a", "€", "[", "b\n"]), st.integers(0, 90)), max_size=8
).map("".join)


@settings(deadline=None)
@given(st.lists(st.one_of(texts, gsm_texts), min_size=1, max_size=8))
def test_sql_counts_as_python(given_texts):
    assert in_sql(given_texts) == [count(text) for text in given_texts]


@given(st.one_of(texts, gsm_texts))
def test_parts_hold_the_text(text):
    size = count(text)
    single, joined = (160, 153) if size.encoding == "GSM-7" else (70, 67)
    if size.units <= single:
        assert size.parts == 1
    else:
        # A part wastes one place at most.
        assert size.units / joined <= size.parts <= size.units / (joined - 1) + 1


@pytest.mark.parametrize(
    ("text", "language", "warning"),
    [
        ("Act now! Reply STOP to opt out", "en", "wording 'Act now': carrier filters"),
        ("Hello, bit.ly/x1 STOP", "en", "shared link shortener 'bit.ly'"),
        ("Hello from the shop", "en", "no opt-out text"),
        ("a" * 460 + " STOP", "en", "4 parts (GSM-7, 465 units)"),
        ("【店】最佳好礼，拒收请回复R", "zh", "wording '最佳': advertising law, article 9"),
        ("【店】欢迎回来", "zh", "no opt-out text"),
        ("【店】加微信领礼品 退订回T", "zh", "wording '加微信'"),
    ],
)
def test_what_providers_object_to_is_told(text, language, warning):
    (told,) = lint(text, language)
    assert told.startswith(warning)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Shop: Dear Ann, we miss you. https://shop.example.com/a?x=1 Reply STOP to opt out", "en"),
        ("Shop: see rabbit.lyon.example.com or abit.ly.example.com. Text STOP to end", "en"),
        ("【店】您好，您有一张优惠券，查看 https://shop.example.com/a 拒收请回复R", "zh"),
    ],
)
def test_plain_messages_have_no_warnings(text, language):
    assert lint(text, language) == []


def test_the_alphabet_has_every_place_of_its_table():
    assert len(set(_BASIC)) == len(_BASIC) == 127  # 128 places, one of which is the escape
    assert len(set(_EXTENSION)) == len(_EXTENSION) == 10
