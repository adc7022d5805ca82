"""Templates: what is accepted, and that the SQL renders what the template says, whatever it holds."""

import html as markup

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.activation.templates import (
    OPTIONAL,
    VARIABLES,
    TemplateError,
    Text,
    Variable,
    parse,
    to_sql,
    without_default,
)

CON = duckdb.connect()
COLUMNS = {name: f'row."{name}"' for name in VARIABLES}

# DuckDB's texts are UTF-8: no lone surrogates. Quotes, dollars and comment signs more often than by chance.
characters = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0{}"),
    st.sampled_from(list("'\"$-;/*\\&<>?:|% \n")),
)
plain_texts = st.text(characters, max_size=20)
defaults = st.text(characters, max_size=12).map(str.strip)
values = st.one_of(st.none(), st.text(characters, max_size=12))
variables = st.builds(Variable, st.sampled_from(VARIABLES), defaults.map(lambda text: text or None))
templates = st.lists(st.one_of(plain_texts.map(Text), variables), max_size=6)


def written(parts):
    texts = []
    for part in parts:
        if isinstance(part, Text):
            texts.append(part.text)
        else:
            texts.append("{{ " + part.name + (f" | {part.default}" if part.default else "") + " }}")
    return "".join(texts)


def rendered(parts, row, html):
    def escape(text):
        return markup.escape(text) if html else text

    return "".join(
        escape(part.text if isinstance(part, Text) else row[part.name] or part.default or "")
        for part in parts
    )


def in_sql(template, row, html=False):
    columns = ", ".join(f'"{name}" varchar' for name in VARIABLES)
    CON.execute(f"create or replace temp table row ({columns})")
    CON.execute(
        f"insert into row values ({', '.join('?' * len(VARIABLES))})", [row.get(name) for name in VARIABLES]
    )
    return CON.execute(f"select {to_sql(template, COLUMNS, html=html)} from row").fetchall()


@settings(deadline=None)
@given(templates, st.fixed_dictionaries(dict.fromkeys(VARIABLES, values)), st.booleans())
def test_sql_renders_what_the_template_says(parts, row, html):
    assert in_sql(written(parts), row, html) == [(rendered(parts, row, html),)]


@settings(deadline=None)
@given(templates)
def test_what_is_parsed_is_what_was_written(parts):
    texts = []
    for part in parts:  # neighbouring texts are one part
        if isinstance(part, Text) and texts and isinstance(texts[-1], Text):
            texts[-1] = Text(texts[-1].text + part.text)
        elif part != Text(""):
            texts.append(part)
    assert parse(written(parts)) == texts


def test_an_empty_value_gives_the_default():
    template = "Hello {{ name | dear customer }}, {{points|0}} points."
    assert in_sql(template, {"name": "Ann", "points": "12"}) == [("Hello Ann, 12 points.",)]
    assert in_sql(template, {"name": "", "points": None}) == [("Hello dear customer, 0 points.",)]


def test_an_empty_value_without_a_default_leaves_the_rest():
    assert in_sql("A{{ name }}B", {}) == [("AB",)]
    assert in_sql("", {}) == [("",)]


def test_numbers_are_written_as_sql_writes_them():
    assert CON.execute(f"select {to_sql('{{ points }}', {'points': '1200::decimal(18, 2)'})}").fetchone() == (
        "1200.00",
    )


def test_a_value_is_no_template():
    assert in_sql("{{ name }}", {"name": "{{ shop }}", "shop": "S"}) == [("{{ shop }}",)]


def test_quotes_do_not_end_the_literal():
    CON.execute("create or replace temp table kept as select 1 as one")
    for template in ("'; drop table kept; --", "{{ name | '); drop table kept; -- }}"):
        assert len(in_sql(template, {})) == 1
    assert CON.execute("select one from kept").fetchall() == [(1,)]


def test_html_escapes_text_values_and_defaults():
    template = "<b> & {{ name | a 'b' }} {{ tier }}"
    assert in_sql(template, {"tier": '<script>"'}, html=True) == [
        ("&lt;b&gt; &amp; a &#x27;b&#x27; &lt;script&gt;&quot;",)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ nmae }}", "unknown variable 'nmae'; accepted are name, shop, offer"),
        ("{{ name | }}", "default of 'name' is empty"),
        ("{{ }}", "unknown variable ''"),
        ("{{ name", "'{{' without its pair"),
        ("name }} there", "'}}' without its pair"),
        ("{{ name | {{ shop }} }}", "a default may not hold a variable"),
    ],
)
def test_what_is_no_template_is_refused(text, message):
    with pytest.raises(TemplateError, match=message):
        parse(text)


def test_single_braces_are_text():
    assert parse("{a} {{ name }} }") == [Text("{a} "), Variable("name"), Text(" }")]


def test_a_variable_without_a_column_is_refused():
    with pytest.raises(ValueError, match="no column for variable 'name'; there are shop"):
        to_sql("{{ name }}", {"shop": "'S'"})


def test_optional_variables_without_default_are_told_once():
    text = "{{ name }} {{ shop }} {{ offer | a gift }} {{ name }} {{ tier }} {{ link }}"
    assert without_default(text) == ["name", "tier"]
    assert set(VARIABLES) - OPTIONAL == {"shop", "link"}
