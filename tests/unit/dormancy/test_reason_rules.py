"""The seeds of the reasons: what is accepted, and what each slip is answered with."""

import csv
import re
import shutil

import pytest

from pipelines.dormancy.reason_rules import FACTS, check_reason_seeds
from pipelines.feeds.errors import ConfigError
from pipelines.settings import PROJECT_DIR

POLICY = PROJECT_DIR / "dbt_project" / "seeds" / "policy"
SEEDS = ("reason.csv", "reason_rule.csv", "survey_answer.csv")


@pytest.fixture
def policy(tmp_path):
    """A copy of the project's seeds, to be spoilt."""
    for name in SEEDS:
        shutil.copy(POLICY / name, tmp_path / name)
    return tmp_path


def rows(file):
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def change(file, key, **values):
    """Changes cells of the row whose first cell is `key`; returns its number."""
    found = rows(file)
    (number,) = [number for number, row in enumerate(found, start=2) if next(iter(row.values())) == key]
    found[number - 2].update(values)
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    return number


def test_the_seeds_of_the_project_are_right():
    check_reason_seeds(POLICY)


def test_every_fact_is_made_by_a_model_and_used_by_a_rule():
    used = {row["fact"] for row in rows(POLICY / "reason_rule.csv")}
    models = sorted((PROJECT_DIR / "dbt_project" / "models" / "marts").glob("int_fact_*.sql"))
    made = {
        fact
        for model in models
        for fact in re.findall(
            r"'(\w+)'",
            " ".join(re.findall(r"[^\n]* as fact,|case [^\n]*end as fact,", model.read_text("utf-8"))),
        )
    }
    assert used == set(FACTS)
    assert made == set(FACTS)


@pytest.mark.parametrize(
    ("slip", "accepted"),
    [
        (("reason.csv", "brand_fade", "reason", "brand_fading"), "bad_experience, need_satisfied"),
        (("reason.csv", "brand_fade", "reason", "bad_experience"), "each value once; row 2 has it too"),
        (("reason.csv", "brand_fade", "min_score", "35 %"), "a number from 0 to 1"),
        (("reason.csv", "brand_fade", "min_score", "0"), "above 0 for every reason but unknown"),
        (("reason.csv", "brand_fade", "max_inferred_score", "1.2"), "a number from 0 to 1"),
        (("reason.csv", "brand_fade", "precedence", "first"), "a whole number from 1 to 99"),
        (("reason.csv", "brand_fade", "description", " "), "a text"),
        (("reason_rule.csv", "complaint", "rule", ""), "a text"),
        (("reason_rule.csv", "complaint", "rule", "low_rating"), "each value once"),
        (("reason_rule.csv", "complaint", "reason", "unknown"), "bad_experience, need_satisfied"),
        (("reason_rule.csv", "complaint", "fact", "complaints"), "survey_answer, complaint, ticket_rating"),
        (("reason_rule.csv", "complaint", "from_days", "30"), "a whole number from -3650 to 0"),
        (("reason_rule.csv", "complaint", "from_days", "-1.5"), "a whole number from -3650 to 0"),
        (("reason_rule.csv", "complaint", "until_event", "today"), "last_purchase, asleep"),
        (
            ("reason_rule.csv", "coupons", "until_days", "5"),
            "0 or less when the window ends by the last purchase",
        ),
        (("reason_rule.csv", "coupons", "until_days", "-301"), "-300 (from_days) to 0"),
        (("reason_rule.csv", "complaint", "threshold", ""), "a number for the fact complaint"),
        (("reason_rule.csv", "complaint", "threshold", "nan"), "a number from 0 to 100000"),
        (("reason_rule.csv", "complaint", "min_count", "0"), "a whole number from 1 to 1000"),
        (("reason_rule.csv", "bounces", "min_share", "50"), "a number from 0 to 1"),
        (("reason_rule.csv", "complaint", "weight", "0"), "above 0 and up to 1; remove the row instead"),
        (("reason_rule.csv", "complaint", "weight", "5"), "a number from 0 to 1"),
        (("reason_rule.csv", "complaint", "weight", "0.12345"), "four decimals at most"),
        (("reason_rule.csv", "complaint", "cap", "0.4"), "0.5 (the weight) to 1"),
        (("reason_rule.csv", "complaint", "loss_per_day", "1"), "a number from 0 to 0.3"),
        (
            ("reason_rule.csv", "survey_brand_fade", "weight", "0.8"),
            "above 0.8 (the largest max_inferred_score",
        ),
        (("reason_rule.csv", "survey_brand_fade", "threshold", "1"), "nothing: an answer has no threshold"),
        (("survey_answer.csv", "price", "reason", "price"), "bad_experience, need_satisfied"),
        (("survey_answer.csv", "price", "reason_code", "Price"), "the shop's code in lower case"),
        (("survey_answer.csv", "price", "reason_code", "price_rise"), "each value once"),
    ],
)
def test_a_slip_is_named_with_its_place_and_what_is_accepted(policy, slip, accepted):
    file, key, column, value = slip
    number = change(policy / file, key, **{column: value})

    with pytest.raises(ConfigError) as caught:
        check_reason_seeds(policy)

    message = str(caught.value)
    assert f"{policy / file}: row " in message
    # Of two rows with one value the later one is the slip.
    assert "has it too" in message or f"row {number}: {column}: {value!r}" in message
    assert accepted in message


def test_a_reason_that_is_missing_is_named(policy):
    file = policy / "reason.csv"
    file.write_text(
        "".join(line for line in file.read_text("utf-8").splitlines(True) if "unknown" not in line), "utf-8"
    )

    with pytest.raises(ConfigError, match=r"reason\.csv: reason: unknown is missing"):
        check_reason_seeds(policy)


def test_other_columns_are_refused(policy):
    file = policy / "reason_rule.csv"
    file.write_text(file.read_text("utf-8").replace("until_event", "until", 1), "utf-8")

    with pytest.raises(ConfigError, match=r"row 1: the columns are .*until,.*; accepted: rule,.*until_event"):
        check_reason_seeds(policy)


def test_a_text_with_a_comma_and_no_quotes_is_noticed(policy):
    file = policy / "survey_answer.csv"
    file.write_text(file.read_text("utf-8") + "late,bad_experience,delivery,slow\n", "utf-8")

    with pytest.raises(ConfigError, match=r"survey_answer\.csv: row 25: it has not 3 cells"):
        check_reason_seeds(policy)


def test_a_seed_that_is_not_there_is_named(policy):
    (policy / "reason_rule.csv").unlink()

    with pytest.raises(ConfigError, match=r"reason_rule\.csv: there is no such seed"):
        check_reason_seeds(policy)
