"""Fuzzy links on generated people: what is found, what is not, and that nothing else changes."""

import json
import logging
import math
import random
import sys
from datetime import date, timedelta

import duckdb
import pytest
import yaml

from pipelines.feeds.errors import ConfigError
from pipelines.identity.fuzzy import SETTINGS_FILE, FuzzyError, fuzzy_links, load_fuzzy_settings

COMPARISONS = ["first_name", "surname", "birth_date", "city", "email", "phone"]
FIRST_NAMES = ("Alice", "Bruno", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ingrid", "Katya", "Liam")
FIRST_NAMES += ("Nadia", "Oscar", "Petra", "Quentin", "Rosa", "Stefan", "Ursula", "Viktor", "Xenia", "Yusuf")
SURNAMES = (
    "Abbott",
    "Becker",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fontaine",
    "Goldberg",
    "Hartmann",
    "Ivanova",
)
SURNAMES += ("Jankowski", "Kowalski", "Lindqvist", "Moretti", "Novak", "Okafor", "Petrovic", "Quigley")
SURNAMES += ("Rasmussen", "Schneider", "Takahashi", "Umarov", "Vasquez", "Whitfield", "Yilmaz", "Zhang")
CITIES = ("Lisbon", "Oslo", "Prague", "Turin", "Vienna", "Zagreb")


@pytest.fixture(scope="module")
def splink(require_absent):
    """Splink, or a skipped test."""
    try:
        import splink  # noqa: PLC0415
    except ImportError:
        require_absent("splink is not installed: pip install winback[fuzzy]")
    return splink


def mistyped(text, draw):
    """The text with two neighbouring letters exchanged, neither of them the first."""
    place = draw.randrange(1, len(text) - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def people(count=120):
    """`(records, true pairs)`: everybody has two accounts, of which the second has slips of its own kind."""
    draw = random.Random(5)
    names = draw.sample([(first, last) for first in FIRST_NAMES for last in SURNAMES], count)
    records, pairs = [], set()
    for number, (first, last) in enumerate(names):
        born = date(1950, 1, 1) + timedelta(days=draw.randrange(20_000))
        city, phone = draw.choice(CITIES), f"+4479{draw.randrange(10**8):08d}"
        email = f"{first}.{last}{number}@{draw.choice(['post', 'mail', 'office'])}.example".lower()
        one, other = f"a{number:03d}", f"b{number:03d}"
        records.append((one, first, last, born, city, email, phone))
        records.append(
            (
                (other, first, last, born, city, email, None),
                (other, mistyped(first, draw), last, born, city, None, phone),
                (other, last, first, born, city, email.replace("example", "exmaple"), None),
                (other, first, mistyped(last, draw), None, None, email, phone),
                (other, None, last.upper(), born.replace(day=1 + born.day % 28), city, email, None),
                (other, first, last, born, mistyped(city, draw), None, None),
            )[number % 6]
        )
        pairs.add((one, other))
    return records, pairs


# Two who live together: what they share is the household's.
HOUSEHOLD = [
    ("h1", "Marta", "Sandoval", date(1971, 4, 9), "Oslo", None, "+447911112222"),
    ("h2", "Igor", "Sandoval", date(1969, 11, 30), "Oslo", None, "+447911112222"),
    ("h3", None, "Sandoval", None, "Oslo", None, "+447911112222"),
]


def connect(records, **config):
    con = duckdb.connect(config={"threads": 1, **config})
    con.execute(
        "create table account (account_id varchar, first_name varchar, surname varchar, birth_date date, "
        "city varchar, email varchar, phone varchar)"
    )
    if records:
        con.executemany("insert into account values (?, ?, ?, ?, ?, ?, ?)", records)
    return con


def quick(**changes):
    """The product's settings with less training."""
    settings = load_fuzzy_settings()
    training = settings.training.model_copy(update={"rounds": 2, "sample_pairs": 20_000})
    return settings.model_copy(update={"training": training, **changes})


def link(con, settings=None, **more):
    result = fuzzy_links(con, records="account", into="link", settings=settings or quick(), **more)
    return result, con.execute("from link").fetchall()


@pytest.fixture(scope="module")
def linked(splink):
    """`(result, rows, true pairs)` of people and a household."""
    records, pairs = people()
    with connect(records + HOUSEHOLD) as con:
        result, rows = link(con)
    return result, rows, pairs


def test_links_slips_and_no_strangers(linked):
    result, rows, pairs = linked
    found = {row[:2] for row in rows}
    assert len(found) == len(rows) == result.links
    assert found <= pairs
    assert len(found) >= 0.95 * len(pairs)
    assert result.records == 2 * len(pairs) + len(HOUSEHOLD)
    assert result.expected_false_links < 0.02 * len(found)


def test_rows_are_ordered_and_above_the_threshold(linked):
    _, rows, _ = linked
    assert rows == sorted(rows)
    assert all(one < other and 0.95 <= probability <= 1 for one, other, probability, _, _ in rows)


def test_evidence_explains_each_weight(linked):
    result, rows, _ = linked
    labels = {(level.comparison, level.label) for level in result.levels}
    prior_weight = math.log2(result.prior / (1 - result.prior))
    for _, _, probability, match_weight, text in rows:
        evidence = json.loads(text)
        assert list(evidence) == COMPARISONS
        for comparison, entry in evidence.items():
            assert (comparison, entry["level"]) in labels or (
                entry["level"].startswith("no value") and entry["weight"] == 0
            )
        total = prior_weight + sum(entry["weight"] for entry in evidence.values())
        assert total == pytest.approx(match_weight, abs=1e-3)
        assert probability == pytest.approx(1 / (1 + 2**-match_weight), abs=1e-5)


def test_evidence_names_the_level(linked):
    _, rows, _ = linked
    by_account = {row[0]: json.loads(row[4]) for row in rows}
    level = {
        account: {name: entry["level"] for name, entry in evidence.items()}
        for account, evidence in by_account.items()
    }
    assert level["a002"]["first_name"] == "exchanged with the surname"
    assert level["a002"]["surname"] == "no value, or exchanged"
    assert level["a002"]["email"] == "same user"
    assert level["a003"]["surname"].startswith("Jaro-Winkler")
    assert level["a003"]["phone"] == "equal"
    assert level["a003"]["birth_date"] == "no value"
    assert level["a004"]["surname"] == "equal", "case makes no difference"
    assert level["a004"]["birth_date"].startswith("up to")


def test_order_of_records_and_threads_make_no_difference(linked):
    result, rows, _ = linked
    records = people()[0] + HOUSEHOLD
    random.Random(1).shuffle(records)
    with connect(records, threads=3) as con:
        again, again_rows = link(con)
    assert again_rows == rows
    assert again == result


def test_a_household_is_not_one_person(splink):
    # Nothing tells them by first name, birth date or e-mail, whatever the rest weighs.
    records, _ = people()
    with connect(records + HOUSEHOLD) as con:
        _, rows = link(con, quick(individual=("surname", "city", "phone"), threshold=0.8))
        joined = {row[:2] for row in rows}
        con.execute("drop table link")
        _, rows = link(con, quick(threshold=0.8))
    assert {("h1", "h3"), ("h2", "h3")} <= joined
    assert not any(row[0].startswith("h") for row in rows)


def objects(con):
    return con.execute(
        """
        select database_name, schema_name, table_name from duckdb_tables()
        union all select database_name, schema_name, view_name from duckdb_views() where not internal
        union all select database_name, '', '' from duckdb_databases()
        union all select current_database(), current_schema(), current_setting('threads')
        order by all
        """
    ).fetchall()


def test_leaves_nothing_behind(splink, capfd, caplog, tmp_path):
    level = logging.getLogger("splink").level
    with duckdb.connect(tmp_path / "shop.duckdb") as con, connect(people(30)[0]) as source:
        con.register("given", source.execute("from account").to_arrow_table())
        con.execute("create schema core")
        con.execute("create temp view person as select * from given")
        before = objects(con)
        fuzzy_links(con, records="person", into="core.fuzzy_link", settings=quick())
        assert con.execute("select count(*) from core.fuzzy_link").fetchone()[0] > 0
        con.execute("drop table core.fuzzy_link")
        assert objects(con) == before
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert logging.getLogger("splink").level == level


def test_leaves_nothing_behind_after_an_error(splink):
    with connect(people(30)[0]) as con:
        con.execute("create table link (taken integer)")
        before = objects(con)
        with pytest.raises(duckdb.CatalogException, match="link"):
            link(con)
        with pytest.raises(duckdb.CatalogException, match="nobody"):
            fuzzy_links(con, records="nobody", into="other", settings=quick())
        assert objects(con) == before


@pytest.mark.parametrize("records", [[], people(1)[0][:1], [row[:1] + (None,) * 6 for row in people(3)[0]]])
def test_nothing_to_learn_from_gives_no_links(splink, records):
    with connect(records) as con:
        result, rows = link(con)
        columns = con.execute("describe link").fetchall()
    assert rows == []
    assert (result.records, result.links, result.prior, result.levels) == (len(records), 0, 0.0, ())
    assert [column[:2] for column in columns] == [
        ("account_a", "VARCHAR"),
        ("account_b", "VARCHAR"),
        ("probability", "DOUBLE"),
        ("match_weight", "DOUBLE"),
        ("evidence", "VARCHAR"),
    ]


def test_an_empty_column_weighs_nothing(splink):
    records, pairs = people(60)
    with connect([(*row[:6], None) for row in records]) as con:
        result, rows = link(con)
    assert result.untrained == ("phone",)
    assert {level.weight for level in result.levels if level.comparison == "phone"} == {0.0}
    assert {row[:2] for row in rows} <= pairs
    assert len(rows) >= 0.8 * len(pairs)


def test_large_blocks_are_left_out_and_counted(splink):
    records, _ = people(60)
    settings = quick()
    rules = (("birth_date",), ("city",))
    few = settings.blocking.model_copy(update={"rules": rules, "max_block": 5})
    with connect(records) as con:
        result, _ = link(con, settings.model_copy(update={"blocking": few}))
        blocks = con.execute(
            "select count(*) from "
            "(select 1 from account where city is not null group by lower(city) having count(*) > 5)"
        ).fetchone()[0]
        con.execute("drop table link")
        none = few.model_copy(update={"max_pairs": 1})
        nothing, rows = link(con, settings.model_copy(update={"blocking": none}))
    assert result.blocks_left_out == blocks > 0
    assert 0 < result.pairs < 60
    assert nothing.pairs == 0
    assert rows == []


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "splink", None)
    with connect([]) as con:
        with pytest.raises(FuzzyError, match=r"pip install winback\[fuzzy\]"):
            link(con)
        assert len(con.execute("from duckdb_databases()").fetchall()) == 3


def changed(path, value):
    """The product's settings with one key changed; without a value, taken out."""
    data = yaml.safe_load(SETTINGS_FILE.read_text(encoding="utf-8"))
    *parents, last = path.split(".")
    place = data
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("treshold", 0.9, ["unknown key 'treshold'", "threshold", "comparisons"]),
        ("comparisons.nickname", {}, ["comparisons", "unknown key 'nickname'", "birth_date"]),
        ("comparisons.city.similiar", [0.9], ["comparisons.city", "unknown key 'similiar'", "similar"]),
        ("threshold", 1.5, ["threshold", "less than 1", "1.5"]),
        ("threshold", None, ["threshold", "required"]),
        ("comparisons.name.similar", [0.8, 0.9], ["comparisons.name.similar", "lower", "0.9"]),
        ("comparisons.birth_date.within_days", [30, 30], ["comparisons.birth_date.within_days", "higher"]),
        ("comparisons.phone.typing_errors", [0], ["comparisons.phone.typing_errors.0", "greater", "0"]),
        ("comparisons.email", None, ["individual", "email is not compared", "first_name"]),
        ("individual", [], ["individual", "at least 1"]),
        ("blocking.rules", [["shoe_size"]], ["blocking.rules.0.0", "shoe_size", "any_name_start"]),
        ("blocking.rules", [[]], ["blocking.rules.0", "at least 1"]),
        ("blocking.max_block", 1, ["blocking.max_block", "2", "1"]),
        ("prior.recall", 0, ["prior.recall", "greater than 0"]),
        ("training.rules", [["email_user"]], ["training.rules.0.0", "email_user", "birth_date"]),
        ("training.rounds", "many", ["training.rounds", "integer", "many"]),
    ],
)
def test_a_bad_setting_is_named(tmp_path, path, value, said):
    file = tmp_path / "fuzzy.yaml"
    file.write_text(yaml.safe_dump(changed(path, value)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_fuzzy_settings(file)
    assert str(file) in str(caught.value)
    for word in said:
        assert word in str(caught.value)


def test_missing_settings_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml: there is no such file"):
        load_fuzzy_settings(tmp_path / "nothing.yaml")


def test_the_product_compares_all_columns():
    settings = load_fuzzy_settings()
    assert list(settings.comparisons.columns) == COMPARISONS
