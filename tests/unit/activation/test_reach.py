"""The dry run: whom each rule of the edited playbook reaches, counted in a real warehouse."""

import csv
import shutil
from datetime import date

import duckdb
import pytest

from pipelines.activation.policy import checked_policy
from pipelines.activation.reach import NothingComputed, formatted, reach_report
from pipelines.feeds.errors import ConfigError
from pipelines.settings import PROJECT_DIR

POLICY = PROJECT_DIR / "dbt_project" / "seeds" / "policy"
DAY = date(2025, 6, 30)
EARLIER = date(2025, 6, 29)

# customer, kind, state, tier, reason, class, trigger, reachable channels
PEOPLE = [
    ("value_1", "buyer", "dormant", "mid", "unknown", "important_value", None, "email"),
    ("value_2", "buyer", "dormant", "mid", "unknown", "important_value", None, "sms"),
    # Nobody can write to this one on a channel of the first step: it has no call.
    ("value_3", "buyer", "deep_dormant", "low", "unknown", "important_value", None, "phone"),
    ("wronged", "buyer", "dormant", "mid", "bad_experience", "general", "birthday", "email"),
    ("born", "buyer", "active", "mid", None, "general", "birthday", "email,sms"),
    ("awake", "buyer", "active", "mid", None, "general", None, "email"),
    ("browser", "buyer", "lost", "low", "unknown", "general", "browsed", ""),
    ("gone", "buyer", "lost", "low", "unknown", "general", None, "crm"),
    ("newcomer", "registrant", "dormant", "low", "unknown", None, None, "crm"),
]


@pytest.fixture
def policy(tmp_path):
    return shutil.copytree(POLICY, tmp_path / "policy")


@pytest.fixture
def warehouse():
    """Tables as the models leave them, with one customer alone on the day before."""
    with duckdb.connect() as con:
        con.execute("create schema marts; create schema core; create schema activation")
        con.execute(
            """
            create table marts.customer_dormancy (
                as_of_date date, customer_id varchar, customer_kind varchar, dormancy_state varchar,
                value_tier varchar, primary_reason varchar
            );
            create table marts.customer_rfm (as_of_date date, customer_id varchar, guide_class varchar);
            create table core.customer (
                customer_id varchar, reachable_email boolean, reachable_sms boolean, reachable_push boolean,
                reachable_social boolean, reachable_phone boolean, reachable_crm boolean
            );
            create table activation.int_decision_trigger (
                as_of_date date, customer_id varchar, trigger varchar
            );
            insert into marts.customer_dormancy
            values ('2025-06-29', 'awake', 'buyer', 'dormant', 'mid', 'brand_fade');
            """
        )
        for customer, kind, state, tier, reason, guide_class, trigger, channels in PEOPLE:
            con.execute(
                "insert into marts.customer_dormancy values (?, ?, ?, ?, ?, ?)",
                [DAY, customer, kind, state, tier, reason],
            )
            if guide_class:
                con.execute("insert into marts.customer_rfm values (?, ?, ?)", [DAY, customer, guide_class])
            if trigger:
                con.execute(
                    "insert into activation.int_decision_trigger values (?, ?, ?)", [DAY, customer, trigger]
                )
            flags = [
                name in channels.split(",") for name in ("email", "sms", "push", "social", "phone", "crm")
            ]
            con.execute("insert into core.customer values (?, ?, ?, ?, ?, ?, ?)", [customer, *flags])
        yield con


def reached(report):
    """Customers and reachable ones of the rules that have any."""
    return {rule.rule: (rule.customers, rule.reachable) for rule in report.rules if rule.customers}


def edit(policy, name, change):
    file = policy / f"{name}.csv"
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        change(row)
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_every_customer_is_counted_under_the_rule_that_wins(warehouse):
    report = reach_report(warehouse, POLICY, DAY)

    assert reached(report) == {
        "value": (3, 2),
        "repair": (1, 1),
        "birthday": (1, 1),
        "awake": (1, 0),
        "browsed": (1, 0),
        "lost": (1, 0),
        "registrant": (1, 1),
    }
    assert sum(rule.customers for rule in report.rules) == len(PEOPLE)


def test_rules_without_customers_are_shown_in_the_order_of_asking(warehouse):
    report = reach_report(warehouse, POLICY, DAY)

    assert [rule.rule for rule in report.rules] == [row["rule"] for row in checked_policy(POLICY).playbook]
    assert [rule.priority for rule in report.rules] == sorted(rule.priority for rule in report.rules)
    assert ("gentle", 0) in [(rule.rule, rule.customers) for rule in report.rules]


def test_the_edited_seeds_count_not_the_loaded_ones(warehouse, policy):
    """The rule of important value goes first for those with a birthday and a bad experience too."""

    def put_first(row):
        if row["rule"] == "value":
            row.update(priority="1", guide_class="important_value|general", dormancy_state="dormant")
        elif row["rule"] == "general":
            row.update(guide_class="general|none|important_value")

    edit(policy, "playbook", put_first)
    edit(policy, "offer", lambda row: row.update(eligible_classes="*"))

    report = reach_report(warehouse, policy, DAY)

    assert reached(report)["value"] == (3, 3)
    assert reached(report)["general"] == (1, 0)
    assert "repair" not in reached(report)


def test_totals_by_journey_add_up_to_all_customers(warehouse):
    journeys = reach_report(warehouse, POLICY, DAY).journeys

    assert journeys["win_back_value"] == (3, 2)
    assert journeys[""] == (2, 0)
    assert journeys["gentle"] == (0, 0)
    assert sum(customers for customers, _ in journeys.values()) == len(PEOPLE)


def test_without_a_date_it_is_the_newest(warehouse):
    assert reach_report(warehouse, POLICY, None).as_of_date == DAY
    assert reached(reach_report(warehouse, POLICY, EARLIER)) == {"brand": (1, 1)}


def test_before_the_first_activation_nobody_has_a_trigger(warehouse):
    warehouse.execute("drop table activation.int_decision_trigger")

    report = reach_report(warehouse, POLICY, DAY)

    assert reached(report)["awake"] == (2, 0)
    assert "nobody has a trigger" in formatted(report)


def test_a_date_that_is_not_computed_is_named_with_those_that_are(warehouse):
    with pytest.raises(
        NothingComputed, match=r"2025-07-01 is not computed; .* between 2025-06-29 and 2025-06-30"
    ):
        reach_report(warehouse, POLICY, date(2025, 7, 1))


@pytest.mark.parametrize("statement", ["delete from marts.customer_dormancy", "drop schema marts cascade"])
def test_a_warehouse_without_customers_says_what_to_do(warehouse, statement):
    warehouse.execute(statement)

    with pytest.raises(NothingComputed, match="no date is computed yet; `winback run` computes one"):
        reach_report(warehouse, POLICY, None)


def test_a_slip_in_the_seeds_is_told_before_anything_is_counted(warehouse, policy):
    edit(policy, "playbook", lambda row: row.update(value_tier=row["value_tier"].replace("mid", "middle")))

    with pytest.raises(ConfigError, match=r"value_tier: 'middle' in 'middle\|low' is not allowed"):
        reach_report(warehouse, policy, DAY)


def test_the_table_names_rules_journeys_and_figures(warehouse):
    lines = formatted(reach_report(warehouse, POLICY, DAY)).splitlines()

    assert lines[0] == "who the playbook is for on 2025-06-30 (before caps, budget and holdout)"
    assert ["value", "80", "win_back_value", "3", "2"] in [line.split() for line in lines]
    assert ["lost", "100", "-", "(lost)", "1", "-"] in [line.split() for line in lines]
    assert ["none", "2", "-"] in [line.split() for line in lines]
    assert lines[-1].split() == ["all", "9", "5"]
