"""E-mail addresses: one mailbox, one form; the address stays as written; what is no address."""

import time

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.identity.emails import email_forms
from pipelines.identity.placeholders import DEFAULT_PLACEHOLDER_EMAILS


def read(spellings, *, placeholders=DEFAULT_PLACEHOLDER_EMAILS):
    """`(form, address)` by spelling."""
    with duckdb.connect() as con:
        con.register("given_spellings", pl.DataFrame({"spelling": spellings}, schema={"spelling": pl.String}))
        email_forms(con, spellings="given_spellings", into="forms", placeholders=placeholders)
        found = con.execute("select spelling, form, address from forms").fetchall()
        assert con.execute("select table_name from duckdb_tables()").fetchall() == [("forms",)]
    assert sorted(row[0] for row in found) == sorted(spellings)
    return {spelling: (form, address) for spelling, form, address in found}


@pytest.mark.parametrize(
    ("spelling", "form", "address"),
    [
        (" Li.Wei@QQ.com\n", "li.wei@qq.com", "li.wei@qq.com"),
        ("ｌｉ＠１６３．ｃｏｍ", "li@163.com", "li@163.com"),
        ("\u202ali@163.com\u202c", "li@163.com", "li@163.com"),
        ("J.Smith+shop@Gmail.com", "jsmith@gmail.com", "j.smith+shop@gmail.com"),
        ("jsmith@googlemail.com", "jsmith@gmail.com", "jsmith@googlemail.com"),
        ("j.smith+shop@outlook.com", "j.smith@outlook.com", "j.smith+shop@outlook.com"),
        ("j+a+b@hotmail.com", "j@hotmail.com", "j+a+b@hotmail.com"),
        ("j.smith@me.com", "j.smith@icloud.com", "j.smith@me.com"),
        # Apple says nothing of tags.
        ("j+shop@icloud.com", "j+shop@icloud.com", "j+shop@icloud.com"),
        ("j+shop@fastmail.com", "j@fastmail.com", "j+shop@fastmail.com"),
        ("j.s+shop@proton.me", "j.s@proton.me", "j.s+shop@proton.me"),
        ("j.s+shop@company.com", "j.s+shop@company.com", "j.s+shop@company.com"),
        ("jürgen@müller.de", "jürgen@müller.de", "jürgen@müller.de"),
        ("li@例子.公司", "li@例子.公司", "li@例子.公司"),
        ("o'brien_1@mail.example.com", "o'brien_1@mail.example.com", "o'brien_1@mail.example.com"),
        ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
    ],
)
def test_forms_and_addresses(spelling, form, address):
    assert read([spelling]) == {spelling: (form, address)}


@pytest.mark.parametrize(
    "spelling",
    [
        *("", " ", "@", "li", "li@", "@qq.com", "li@qq", "li@@qq.com", "li@qq@163.com", "li wei@qq.com"),
        *(
            "li@qq..com",
            "li@.com",
            "li@qq.com.",
            "li@-qq.com",
            "li@1.2.3.4",
            "li@qq.c",
            "\x00",
            "l\x00i@qq.com",
        ),
        *(
            "l\x07i@qq.com",
            "w***@163.com",
            "Li <li@qq.com>",
            "li@qq.com;wei@qq.com",
            "+shop@gmail.com",
            "...@gmail.com",
        ),
        *("😀@qq.com", f"{'x' * 250}@qq.com"),
    ],
)
def test_what_is_no_address(spelling):
    assert read([spelling]) == {spelling: (None, None)}


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "test@qq.com",
            "TEST@Test.com ",
            "none@none.com",
            "no-reply@shop.com",
            "t.e.s.t+1@gmail.com",
            "a@a.com",
        ),
        *("li@example.com", "li@EXAMPLE.org", "li@shop.test", "li@shop.invalid", "test@example.com"),
    ],
)
def test_placeholders(spelling):
    assert read([spelling]) == {spelling: (None, None)}


def test_own_placeholders_take_the_place_of_the_default_ones():
    found = read(
        ["shop@gmail.com", "test@qq.com", "till@qq.com"], placeholders=["S.hop+x@googlemail.com", "Till@*"]
    )
    assert [form for form, _ in found.values() if form] == ["test@qq.com"]


@pytest.mark.parametrize("placeholder", ["test", "@qq.com", "test@", ""])
def test_a_placeholder_that_is_no_address_is_named(placeholder):
    with pytest.raises(ValueError, match=f"placeholder_emails: '{placeholder}'.*accepted are"):
        read(["li@qq.com"], placeholders=[placeholder])


def test_no_spellings():
    assert read([]) == {}


def test_very_long_texts_take_no_time():
    texts = [
        "x" * 10_000_000,
        "x@" * 5_000_000,
        "ｘ" * 3_000_000,
        "a." * 500 + "@qq.com",
        "a@" + "b." * 500 + "com",
    ]
    started = time.monotonic()
    assert set(read(texts).values()) == {(None, None)}
    assert time.monotonic() - started < 5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.builds(
                "{}@{}".format, st.text(max_size=9), st.sampled_from(["gmail.com", "me.com", "qq.com"])
            ),
            st.emails(),
        ),
        unique=True,
        max_size=20,
    )
)
def test_a_form_is_its_own_form_and_the_address_has_the_same_one(texts):
    found = {form: address for form, address in read(texts).values() if form is not None}
    again = read(sorted({*found, *found.values()}))
    assert all(again[form] == (form, form) for form in found)
    assert all(again[address] == (form, address) for form, address in found.items())
