"""Phone numbers: notations, what is no number, and that the fast way is the library's."""

import random
import time

import duckdb
import phonenumbers
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from pipelines.identity import phones
from pipelines.identity.phones import phone_forms
from pipelines.identity.placeholders import DEFAULT_PLACEHOLDER_PHONES

MOBILE = "+8613912345679"


def forms(spellings, *, region="CN", placeholders=DEFAULT_PLACEHOLDER_PHONES):
    with duckdb.connect() as con:
        con.register("given_spellings", pl.DataFrame({"spelling": spellings}, schema={"spelling": pl.String}))
        phone_forms(con, spellings="given_spellings", into="forms", region=region, placeholders=placeholders)
        found = dict(con.execute("from forms").fetchall())
        assert con.execute("select table_name from duckdb_tables()").fetchall() == [("forms",)]
    assert set(found) == set(spellings)
    return found


@pytest.mark.parametrize(
    "spelling",
    [
        *("13912345679", "139 1234 5679", "139-1234-5679", "(139) 12345679", "013912345679", "8613912345679"),
        *(
            "+8613912345679",
            "+86 139 1234 5679",
            "(+86) 139 12345679",
            "+86-139-1234-5679",
            "++8613912345679",
        ),
        *("008613912345679", "0086 139 1234 5679", "+0086 13912345679", "+86 (0)139 1234 5679"),
        *("１３９１２３４５６７９", "＋８６１３９１２３４５６７９", "٠١٣٩١٢٣٤٥٦٧٩", "𝟏𝟑𝟗12345679"),
        *(
            "tel:+86-139-1234-5679",
            "Tel. 13912345679",
            "手机：13912345679",
            "13912345679（妈妈）",
            "😀13912345679",
        ),
        *("13912345679 x12", "13912345679 ext. 12", "13912345679转12", "tel:+8613912345679;ext=12"),
        *("\u202a+86 139 1234 5679\u202c", "13912\u200b345679", "139\u00a01234\u00a05679", "1391234\x005679"),
        *("13912345679\n", "13912345679,", "139/12345679"),
    ],
)
def test_notations_of_one_number(spelling):
    assert forms([spelling]) == {spelling: MOBILE}


@pytest.mark.parametrize(
    "spelling",
    [
        *("", " ", "+", "x", "😀", "\x00", "abc", "110", "10086", "95588", "1391234567", "139123456790"),
        # The length is right, but nobody has such a number.
        *("12012345679", "+1 555 123 4567", "+999 12345678"),
        *("139****5679", "139xxxx5679", "138+139", "13912345679 / 13812345670", "13912345679;13812345670"),
    ],
)
def test_what_is_no_number(spelling):
    assert forms([spelling]) == {spelling: None}


def test_fixed_lines_and_other_countries():
    assert forms(["010-6234 5679", "021 6234 5679 转 123", "+1 (212) 555-1234", "001 212 555 1234"]) == {
        "010-6234 5679": "+861062345679",
        "021 6234 5679 转 123": "+862162345679",
        "+1 (212) 555-1234": "+12125551234",
        "001 212 555 1234": "+12125551234",
    }


def test_two_zeros_are_a_plus_where_another_prefix_is_dialled():
    assert forms(["008613912345679", "011 86 13912345679", "(212) 555-1234"], region="US") == {
        "008613912345679": MOBILE,
        "011 86 13912345679": MOBILE,
        "(212) 555-1234": "+12125551234",
    }
    # Brazil dials a carrier between the zeros and the country code.
    brazilian = {"0055 11 96123-4567": "+5511961234567", "00 15 1 212 555 1234": "+12125551234"}
    assert forms(list(brazilian), region="BR") == brazilian


def test_zeros_that_belong_to_the_number_stay():
    assert forms(["06 698 12345", "+39 06 698 12345"], region="IT") == {
        "06 698 12345": "+390669812345",
        "+39 06 698 12345": "+390669812345",
    }


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "13800000000",
            "+86 138 0013 8000",
            "１３８００１３８０００",
            "138-8888-8888",
            "00000000000",
            "18900000000",
        )
    ],
)
def test_placeholders(spelling):
    assert forms([spelling, "13912345679"]) == {spelling: None, "13912345679": MOBILE}


def test_placeholders_are_read_as_numbers_are():
    assert forms(["+8613912345679", "139 1234 5670"], placeholders=["139-1234-5679", "none", ""]) == {
        "+8613912345679": None,
        "139 1234 5670": "+8613912345670",
    }


@pytest.mark.parametrize(
    ("spelling", "region", "form"),
    [
        ("2222222222", "MX", None),
        ("9876543210", "IN", None),
        ("030 1234567", "DE", "+49301234567"),
        ("98765 43219", "IN", "+919876543219"),
    ],
)
def test_equal_digits_and_runs_are_placeholders(spelling, region, form):
    assert phonenumbers.is_valid_number(phonenumbers.parse(spelling, region))
    assert forms([spelling], region=region) == {spelling: form}


@pytest.mark.parametrize("region", ["cn", "China", "XX", ""])
def test_an_unknown_region_is_named(region):
    with pytest.raises(ValueError, match=rf"region '{region}'.* CN, "):
        forms(["13912345679"], region=region)


def test_no_spellings():
    assert forms([]) == {}


def test_very_long_texts_take_no_time():
    texts = [
        "1" * 10_000_000,
        "x" * 10_000_000,
        "１" * 5_000_000,
        "+" * 1000,
        "1,2" * 300,
        "13912345679 " + "x" * 900,
    ]
    started = time.monotonic()
    found = forms(texts)
    assert time.monotonic() - started < 5
    assert set(found.values()) == {None, MOBILE}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), unique=True, max_size=20))
def test_any_text_has_a_form_or_none(texts):
    assert all(form is None or form.startswith("+") for form in forms(texts).values())


def notations(region, count, draw):
    """Numbers of the region, valid ones and near misses, as people write them."""
    plan = PhoneMetadata.metadata_for_region(region)
    code, trunk = str(plan.country_code), plan.national_prefix or "0"
    examples = [
        phonenumbers.national_significant_number(example)
        for kind in range(11)
        if (example := phonenumbers.example_number_for_type(region, kind))
    ]
    written = set()
    while len(written) < count:
        example = draw.choice(examples)
        kept = draw.choice((1, 2, 3, 4, 5, len(example)))
        number = example[:kept] + "".join(draw.choice("0123456789") for _ in example[kept:])
        number = draw.choice((number,) * 8 + (number[:-1], number + "7", str(draw.randrange(10**12))))
        before = (
            "",
            trunk,
            "0",
            f"+{code}",
            code,
            f"+{code}{trunk}",
            code + trunk,
            f"00{code}",
            f"00{code}{trunk}",
        )
        written.add(draw.choice(before) + number)
    return sorted(written)


def library_form(text, region):
    code = PhoneMetadata.metadata_for_region(region).country_code
    try:
        number = phonenumbers.parse(f"+{text[2:]}" if text.startswith(f"00{code}") else text, region)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164 if phonenumbers.is_valid_number(number) else None


def is_stand_in(form):
    national = phonenumbers.national_significant_number(phonenumbers.parse(form))
    return (
        len(set(national)) == 1
        or national.endswith("00000000")
        or national in "0123456789" * 3
        or national in "9876543210" * 3
    )


# Italy's numbers begin with zeros, Russia and Canada share their country codes.
@pytest.mark.parametrize(
    ("region", "least_share"),
    [
        *(("CN", 0.85), ("GB", 0.85), ("US", 0.75), ("DE", 0.9), ("FR", 0.85), ("JP", 0.85), ("BR", 0.85)),
        *(("MX", 0.85), ("AR", 0.85), ("IT", 0.85), ("RU", 0.5), ("CA", 0.4), ("KZ", 0.2)),
    ],
)
def test_the_fast_way_gives_what_the_library_gives(region, least_share, monkeypatch):
    asked = []
    ask = phones._read
    monkeypatch.setattr(phones, "_read", lambda text, region: (asked.append(text), ask(text, region))[1])
    texts = notations(region, 2000, random.Random(region))

    found = forms(texts, region=region, placeholders=())

    expected = {
        text: form for text in texts if (form := library_form(text, region)) and not is_stand_in(form)
    }
    assert {text: form for text, form in found.items() if form} == expected
    assert len(expected) > 400
    in_sql = [text for text in expected if text not in asked and f"+{text[2:]}" not in asked]
    assert len(in_sql) > least_share * len(expected)
