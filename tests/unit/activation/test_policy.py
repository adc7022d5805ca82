"""The seeds of the policy: what is accepted, what each slip is answered with, and that one rule decides."""

import csv
import re
import shutil

import pytest

from pipelines.activation.policy import check_policy_seeds, checked_policy, words
from pipelines.activation.policy.rules import classes_reached, combinations, rules_of, winner
from pipelines.feeds.errors import ConfigError
from pipelines.settings import PROJECT_DIR

POLICY = PROJECT_DIR / "dbt_project" / "seeds" / "policy"
# Words that text-message carriers in China hold back, and superlatives that the advertising law forbids.
HELD_BACK = ("最", "第一", "免费", "中奖", "抽奖", "赌", "贷", "发票", "返利", "特价")


@pytest.fixture
def policy(tmp_path):
    """A copy of the project's seeds, to be spoilt."""
    return shutil.copytree(POLICY, tmp_path / "policy")


@pytest.fixture(scope="module")
def tables():
    return checked_policy(POLICY)


def read(file):
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def write(file, rows):
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def change(file, key, **values):
    """Changes cells of the first row whose first cells are `key`; returns its number."""
    rows = read(file)
    position = next(n for n, row in enumerate(rows) if tuple(row.values())[: len(key)] == key)
    rows[position].update(values)
    write(file, rows)
    return position + 2


def message_of(policy):
    with pytest.raises(ConfigError) as caught:
        check_policy_seeds(policy)
    return str(caught.value)


def test_the_seeds_of_the_project_are_right():
    check_policy_seeds(POLICY)


def test_exactly_one_rule_wins_for_every_combination(tables):
    rules = rules_of(tables.playbook)
    for combination in combinations():
        fitting = [rule for rule in rules if rule.fits(combination)]
        best = min(rule.priority for rule in fitting)
        winners = [rule for rule in fitting if rule.priority == best]
        assert len(winners) == 1, combination
        assert winner(rules, combination) is winners[0]


def test_every_rule_wins_somewhere(tables):
    rules = rules_of(tables.playbook)
    won = {winner(rules, combination).name for combination in combinations()}
    assert won == {rule.name for rule in rules}


@pytest.mark.parametrize(
    ("customer", "journey"),
    [
        ({"guide_class": "important_value"}, "win_back_value"),
        ({"guide_class": "important_development"}, "win_back_development"),
        ({"guide_class": "important_retention"}, "win_back_retention"),
        ({}, "win_back_general"),
        ({"dormancy_state": "deep_dormant", "value_tier": "low"}, "win_back_light"),
        ({"primary_reason": "bad_experience"}, "repair"),
        ({"primary_reason": "bad_experience", "value_tier": "high"}, "repair_value"),
        # An apology comes before good wishes.
        ({"primary_reason": "bad_experience", "trigger": "birthday"}, "repair"),
        ({"primary_reason": "price_competition"}, "price"),
        ({"primary_reason": "price_competition", "value_tier": "low"}, "price_light"),
        ({"primary_reason": "price_competition", "trigger": "browsed"}, "browse_offer"),
        ({"primary_reason": "need_satisfied"}, "content"),
        ({"primary_reason": "communication_overload"}, "gentle"),
        ({"primary_reason": "communication_overload", "trigger": "member_day"}, "gentle"),
        ({"primary_reason": "communication_failure"}, "rewarm"),
        ({"primary_reason": "brand_fade"}, "brand"),
        ({"value_tier": "high"}, "ask"),
        ({"value_tier": "high", "primary_reason": "brand_fade"}, "brand"),
        ({"trigger": "browsed"}, "browse_reminder"),
        ({"trigger": "browsed", "dormancy_state": "active", "primary_reason": "none"}, "browse_reminder"),
        ({"trigger": "birthday"}, "birthday"),
        ({"trigger": "birthday", "dormancy_state": "active", "primary_reason": "none"}, "birthday"),
        ({"trigger": "birthday", "dormancy_state": "lost"}, ""),
        ({"trigger": "birthday", "dormancy_state": "lost", "value_tier": "high"}, "birthday"),
        ({"trigger": "woken", "dormancy_state": "active", "primary_reason": "none"}, "retain"),
        ({"customer_kind": "registrant", "guide_class": "none"}, "welcome"),
        ({"customer_kind": "enquirer", "guide_class": "none"}, "first_purchase"),
        ({"dormancy_state": "lost"}, ""),
        ({"dormancy_state": "lost", "value_tier": "high"}, "last_call"),
        ({"dormancy_state": "cooling", "primary_reason": "none"}, ""),
        ({"dormancy_state": "active", "primary_reason": "none"}, ""),
    ],
)
def test_the_guides_say_what_to_do_with_whom(tables, customer, journey):
    usual = {
        "trigger": "none",
        "customer_kind": "buyer",
        "dormancy_state": "dormant",
        "value_tier": "mid",
        "primary_reason": "unknown",
        "guide_class": "general",
    }

    assert winner(rules_of(tables.playbook), usual | customer).journey == journey


def test_content_and_quiet_words_carry_no_offer(tables):
    without = {row["journey"] for row in tables.journeys if row["kind"] in ("content", "gentle")}
    assert without
    assert not [row for row in tables.steps if row["journey"] in without and row["offer_id"]]


def test_only_customers_worth_a_call_are_called(tables):
    called = {row["journey"] for row in tables.steps if "phone" in row["channels"].split("|")}
    rules = rules_of(tables.playbook)
    for combination in combinations():
        rule = winner(rules, combination)
        if rule.journey in called:
            assert combination["value_tier"] == "high" or combination["guide_class"] in (
                "important_value",
                "important_development",
            ), rule.name


def test_every_step_can_go_through_the_crm(tables):
    """A shop without addresses has no other channel."""
    assert {row["channels"].split("|")[-1] for row in tables.steps} == {"crm"}


def test_all_kinds_of_offers_and_journeys_are_in_use(tables):
    assert {row["kind"] for row in tables.offers} == set(words.OFFER_KINDS)
    assert {row["kind"] for row in tables.journeys} == set(words.JOURNEY_KINDS)
    assert {row["condition"] for row in tables.steps} == set(words.CONDITIONS)


def test_text_messages_are_short_and_say_code_and_deadline(tables):
    offers = {row["template_id"] for row in tables.steps if row["offer_id"]}
    for row in tables.templates:
        if row["channel"] != "sms":
            continue
        # A name, an offer or a link takes its place.
        length = len(re.sub(r"\{\{.*?\}\}", "x" * 12, row["body"]))
        assert length <= (114 if row["language"] == "zh" else 200), row["body"]
        assert "{{ link }}" in row["body"]
        if row["template_id"] in offers:
            assert "{{ offer }}" in row["body"], row["body"]
            assert "{{ offer_until }}" in row["body"], row["body"]
            assert (
                "coupon_code" in row["body"]
                or "无需优惠码" in row["body"]
                or "no code" in row["body"].lower()
            )


def test_chinese_text_messages_hold_no_word_that_carriers_reject(tables):
    texts = [row["body"] for row in tables.templates if row["channel"] == "sms" and row["language"] == "zh"]
    texts += [row["name_zh"] for row in tables.offers]
    assert not [(word, text) for text in texts for word in HELD_BACK if word in text]


FIRST_STEP = ("repair", "1")
SECOND_STEP = ("price", "2", "not_opened")


@pytest.mark.parametrize(
    ("file", "key", "cells", "answer"),
    [
        # Closed lists, with the nearest word.
        (
            "playbook",
            ("birthday",),
            {"trigger": "brithday"},
            "woken, birthday, member_day, browsed, none, *; did you mean 'birthday'?",
        ),
        (
            "playbook",
            ("cooling",),
            {"dormancy_state": "cooling|sleeping"},
            "'sleeping' in 'cooling|sleeping' is not allowed",
        ),
        ("playbook", ("birthday",), {"dormancy_state": "active|active"}, "each value once"),
        ("playbook", ("price",), {"value_tier": "medium"}, "high, mid, low, *"),
        ("playbook", ("price",), {"primary_reason": "price"}, "'price' is not allowed"),
        ("playbook", ("value",), {"guide_class": "importent_value"}, "did you mean 'important_value'?"),
        ("playbook", ("price",), {"customer_kind": ""}, "buyer"),
        ("playbook", ("price",), {"priority": "0"}, "a whole number from 1 to 9999"),
        (
            "playbook",
            ("price",),
            {"journey": "pirce"},
            "journey: 'pirce' is not in journey.csv; accepted: win_back_value",
        ),
        ("playbook", ("price",), {"journey": "pirce"}, "did you mean 'price'?"),
        (
            "playbook",
            ("price",),
            {"reason_code": "lost"},
            "recall, follow_up, reminder, greeting, retain (with a journey)",
        ),
        ("playbook", ("lost",), {"reason_code": "recall"}, "no_history, awake"),
        ("playbook", ("lost",), {"rule": "awake"}, "each value once"),
        ("journey", ("gentle",), {"kind": "soft"}, "win_back, repair"),
        ("journey", ("gentle",), {"purpose": "service"}, "marketing; service is for the kinds repair, ask"),
        ("journey", ("repair",), {"purpose": "marketing"}, "service for the kind repair"),
        ("journey", ("gentle",), {"other_channel": "yes"}, "true, false"),
        ("journey", ("gentle",), {"prior_lift": "3"}, "a number from 0 to 0.5"),
        ("journey", ("gentle",), {"repeat_after_days": "-1"}, "'-1' is not allowed"),
        ("journey_step", SECOND_STEP, {"journey": "prices"}, "journey: 'prices' is not in journey.csv"),
        ("journey_step", SECOND_STEP, {"step": "5"}, "4: the steps of price have no gaps"),
        ("journey_step", SECOND_STEP, {"condition": "start"}, "always"),
        (
            "journey_step",
            SECOND_STEP,
            {"condition": "no_answer"},
            "no_answer after a step with the channel phone",
        ),
        ("journey_step", SECOND_STEP, {"condition": "replied_no"}, "each condition once in a step"),
        ("journey_step", FIRST_STEP, {"condition": "always"}, "start for step 1"),
        ("journey_step", FIRST_STEP, {"wait_days": "1"}, "0 for step 1"),
        ("journey_step", SECOND_STEP, {"wait_days": "0"}, "1 to 365 for later steps"),
        (
            "journey_step",
            SECOND_STEP,
            {"channels": "sms|letter"},
            "channels: 'letter' in 'sms|letter' is not allowed; accepted: email, sms",
        ),
        (
            "journey_step",
            SECOND_STEP,
            {"channels": "phone|crm"},
            "template_id: 'price_offer' has no text for channel phone, language zh",
        ),
        (
            "journey_step",
            SECOND_STEP,
            {"offer_id": "price_cutt"},
            "offer_id: 'price_cutt' is not in offer.csv; accepted: vip_service",
        ),
        (
            "journey_step",
            SECOND_STEP,
            {"offer_id": "vip_service"},
            "offer_id: 'vip_service' is for important_value, but rule 'price' of playbook.csv (row 14) sends "
            "the class important_development into price",
        ),
        (
            "journey_step",
            SECOND_STEP,
            {"template_id": "price_ofer"},
            "template_id: 'price_ofer' is not in template.csv",
        ),
        ("journey_step", FIRST_STEP, {"offer_id": "sorry_gift"}, "nothing: repair is of the kind repair"),
        ("offer", ("price_cut",), {"cost": ""}, "a number"),
        ("offer", ("sorry_gift",), {"cost": "-20"}, "a number from 0"),
        ("offer", ("price_cut",), {"cost": "12"}, "a share from 0 to 0.9"),
        ("offer", ("price_cut",), {"benefit": "12"}, "a share up to 0.9"),
        ("offer", ("price_cut",), {"kind": "discount"}, "percent"),
        ("offer", ("spend_save",), {"minimum_spend": "0"}, "above 0 for the kind spend_and_save"),
        ("offer", ("price_small",), {"minimum_spend": "9"}, "more than the benefit 10.00"),
        ("offer", ("price_small",), {"minimum_spend": "9.999"}, "with two decimals at most"),
        ("offer", ("price_cut",), {"take_up": "75"}, "a number from 0 to 1"),
        ("offer", ("price_cut",), {"eligible_classes": "everyone"}, "'everyone' is not allowed"),
        ("offer", ("price_cut",), {"coupon_prefix": "VG"}, "each value once; row 3 has it too"),
        ("offer", ("price_cut",), {"coupon_prefix": "pc"}, "2 to 4 capitals"),
        ("channel", ("sms",), {"channel": "text"}, "email, sms"),
        ("channel", ("sms",), {"reach": "email"}, "sms for sms"),
        ("channel", ("sms",), {"unit_cost": "-0.05"}, "a number from 0"),
        ("channel", ("sms",), {"active_from": "7pm"}, "a time of the day as HH:MM"),
        ("channel", ("sms",), {"active_to": "24:00"}, "'24:00' is not allowed"),
        ("channel", ("sms",), {"active_to": "18:00"}, "later than active_from (19:00)"),
        ("channel", ("sms",), {"quiet_from": "18:30"}, "a time outside the quiet hours 18:30 to 08:00"),
        ("channel", ("sms",), {"quiet_from": "08:00"}, "another time than quiet_from"),
        ("channel", ("sms",), {"daily_limit": "many"}, "a whole number"),
        ("contact_cap", ("person", "sms"), {"messages": "-1"}, "a whole number from 0"),
        ("contact_cap", ("person", "sms"), {"days": "91"}, "a whole number from 1 to 90"),
        (
            "contact_cap",
            ("person", "sms"),
            {"days": "30"},
            "days: person, sms, 30 stands once in scope, channel, days; row 6 has it too",
        ),
        ("contact_cap", ("person", "sms"), {"channel": "mail"}, "did you mean 'email'?"),
        ("push_vendor", ("xiaomi",), {"vendor": "Xiaomi"}, "'Xiaomi' is not allowed"),
        ("push_vendor", ("xiaomi",), {"device_limit": "-5"}, "'-5' is not allowed"),
        ("holiday", ("2025-01-01",), {"holiday_on": "2025/1/1"}, "a day as YYYY-MM-DD"),
        ("holiday", ("2025-01-01",), {"holiday_on": "2025-02-30"}, "'2025-02-30' is not allowed"),
        ("occasion", ("member_day", "3"), {"day": "32"}, "a whole number from 1 to 31"),
        ("occasion", ("member_day", "6"), {"day": "31"}, "a day that month 6 has"),
        ("occasion", ("member_day", "6"), {"occasion": "memberday"}, "did you mean 'member_day'?"),
        ("budget", ("all",), {"daily_amount": "-1"}, "a number from 0"),
        ("budget", ("all",), {"min_margin_per_cost": ""}, "a number from 0 to 100 for the scope all"),
        ("budget", ("sms",), {"min_margin_per_cost": "1"}, "nothing for a channel"),
        ("budget", ("sms",), {"scope": "post"}, "all, email"),
        ("holdout", ("winback",), {"share": "0.49"}, "with universal_share (0.02) up to 0.5 together"),
        ("holdout", ("winback",), {"outcome_days": "0"}, "'0' is not allowed"),
        ("reason_code", ("awake",), {"decision": "send"}, "no_action for awake"),
        ("reason_code", ("awake",), {"reason_code": "awaken"}, "did you mean 'awake'?"),
        ("template", ("price_offer", "email", "zh"), {"language": "cn"}, "zh, en"),
        ("template", ("price_offer", "email", "zh"), {"channel": "crm"}, "email, sms"),
        ("template", ("price_offer", "email", "zh"), {"subject": " "}, "a text for email"),
        ("template", ("price_offer", "push", "zh"), {"action": ""}, "a text for push"),
        ("template", ("price_offer", "sms", "zh"), {"subject": "Hello"}, "nothing for sms"),
        (
            "template",
            ("price_offer", "email", "zh"),
            {"deep_link": "https://x.example.com/p"},
            "accepted: a path such as /p/recommended",
        ),
        (
            "template",
            ("price_offer", "email", "zh"),
            {"deep_link": "/p/a b"},
            "accepted: a path such as /p/recommended",
        ),
        ("template", ("price_offer", "email", "zh"), {"body": "{{ ofer }}"}, "body: unknown variable 'ofer'"),
        ("template", ("price_offer", "email", "zh"), {"body": "{{ ofer }}"}, "did you mean 'offer'?"),
        (
            "template",
            ("price_offer", "email", "zh"),
            {"body": "{{ name }}"},
            "body: {{ name }} may be empty in step 1 of price",
        ),
        (
            "template",
            ("double_points", "email", "zh"),
            {"body": "{{ coupon_code }}"},
            "body: {{ coupon_code }} may be empty in step 2 of win_back_retention",
        ),
        (
            "template",
            ("survey", "email", "en"),
            {"subject": "{{ offer }}"},
            "subject: {{ offer }} may be empty in step 1 of ask",
        ),
        (
            "journey_step",
            ("price", "1", "start"),
            {"other_offers": "price_smal"},
            "did you mean 'price_small'",
        ),
        ("journey_step", ("price", "1", "start"), {"other_offers": "price_cut"}, "take the place of"),
        (
            "journey_step",
            ("price", "2", "not_opened"),
            {"other_offers": "price_small"},
            "in the first step of a journey",
        ),
        ("learning", (), {"exploration_share": "0.6"}, "0.5"),
        ("learning", (), {"look_back_days": "10"}, "more than window_days (14)"),
        ("kpi_target", ("roi",), {"direction": "above"}, "at_least, at_most"),
        ("kpi_target", ("roi",), {"metric": "wake_up_rate"}, "has it too"),
        ("template", ("price_offer", "email", "zh"), {"body": "{{ offer "}, "body: '{{' without its pair"),
    ],
)
def test_a_slip_is_named_with_its_place_and_what_is_accepted(policy, file, key, cells, answer):
    seed = policy / f"{file}.csv"
    row = change(seed, key, **cells)

    message = message_of(policy)

    assert message.startswith(f"{seed}: row ")
    # Of two rows with one value the later one is the slip.
    assert message.startswith(f"{seed}: row {row}") or "has it too" in message
    assert answer in message
    value = next(iter(cells.values()))
    # Of long texts only what is wrong is repeated.
    assert file == "template" or any(word in message for word in (repr(value), *value.split("|")))


def test_rules_of_one_priority_that_overlap_are_both_named_with_an_example(policy):
    seed = policy / "playbook.csv"
    row = change(seed, ("brand",), primary_reason="brand_fade|need_satisfied")
    other = next(n for n, cells in enumerate(read(seed), start=2) if cells["rule"] == "content")

    message = message_of(policy)

    assert (
        f"{seed}: row {row}: priority: rule 'brand' (row {row}) and rule 'content' (row {other})" in message
    )
    assert "have the same priority 60" in message
    assert "value_tier high, primary_reason need_satisfied" in message


def test_what_no_rule_covers_is_named(policy):
    change(policy / "playbook.csv", ("awake",), guide_class="important_value|general")

    message = message_of(policy)

    assert message.startswith(f"{policy / 'playbook.csv'}: no rule is for ")
    assert "dormancy_state active" in message
    assert "guide_class important_development" in message


def test_steps_have_no_gaps(policy):
    seed = policy / "journey_step.csv"
    rows = [row for row in read(seed) if (row["journey"], row["step"]) != ("content", "1")]
    write(seed, rows)

    assert "step: '2' is not allowed; accepted: 1: the steps of content have no gaps" in message_of(policy)


def test_a_step_after_always_is_never_asked(policy):
    seed = policy / "journey_step.csv"
    rows = read(seed)
    position = next(n for n, row in enumerate(rows) if (row["journey"], row["step"]) == ("retain", "2"))
    rows.insert(position + 1, rows[position] | {"condition": "not_opened"})
    write(seed, rows)

    assert f"it is never asked: row {position + 2} of the same step comes first" in message_of(policy)


def test_step_one_stands_once(policy):
    seed = policy / "journey_step.csv"
    rows = read(seed)
    write(seed, [rows[0], *rows])

    assert "row 3: step: '1' is not allowed; accepted: step 1 of win_back_value once; row 2" in message_of(
        policy
    )


@pytest.mark.parametrize(
    ("file", "column", "where"),
    [
        ("journey", "journey", "playbook.csv"),
        ("offer", "offer_id", "journey_step.csv"),
        ("template", "template_id", "journey_step.csv"),
    ],
)
def test_what_is_used_nowhere_is_named(policy, file, column, where):
    seed = policy / f"{file}.csv"
    rows = read(seed)
    spare = rows[0] | {column: "spare"}
    if file == "offer":
        spare["coupon_prefix"] = "ZZ"
    write(seed, [*rows, spare])
    if file == "journey":
        steps = read(policy / "journey_step.csv")
        write(policy / "journey_step.csv", [*steps, steps[0] | {"journey": "spare"}])

    message = message_of(policy)

    assert re.search(
        rf"{file}\.csv: row \d+( \(line \d+\))?: {column}: 'spare' stands nowhere in {where}", message
    )


def test_a_journey_without_steps_is_named(policy):
    seed = policy / "journey.csv"
    rows = read(seed)
    write(seed, [*rows, rows[0] | {"journey": "spare"}])

    assert f"row {len(rows) + 2}: journey: 'spare' has no step in journey_step.csv" in message_of(policy)


def test_a_channel_that_steps_use_and_no_row_describes_is_named(policy):
    seed = policy / "channel.csv"
    write(seed, [row for row in read(seed) if row["channel"] != "social_dm"])

    assert "channels: 'social_dm' has no row in channel.csv" in message_of(policy)


def test_a_text_that_is_missing_in_one_language_is_named(policy):
    seed = policy / "template.csv"
    gone = ("welcome", "sms", "en")
    write(seed, [row for row in read(seed) if tuple(row.values())[:3] != gone])

    message = message_of(policy)

    assert "journey_step.csv: row " in message
    assert "'welcome' has no text for channel sms, language en, which step 1 of welcome needs" in message


@pytest.mark.parametrize(("file", "word"), [("reason_code", "no_window"), ("budget", "all")])
def test_a_row_that_must_stand_is_missed(policy, file, word):
    seed = policy / f"{file}.csv"
    write(seed, [row for row in read(seed) if word not in row.values()])

    assert f"{word} is missing" in message_of(policy)


@pytest.mark.parametrize("table", ["holdout", "learning"])
def test_there_is_one_row_of_it(policy, table):
    seed = policy / f"{table}.csv"
    write(seed, read(seed) * 2)

    assert "it has 2 rows; accepted: one" in message_of(policy)


def test_rows_after_texts_of_several_lines_are_named_as_spreadsheets_and_editors_count(policy):
    seed = policy / "template.csv"
    rows = read(seed)
    write(seed, [*rows, rows[-1] | {"language": "fr"}])

    message = message_of(policy)
    found = re.search(r"row (\d+) \(line (\d+)\): language: 'fr'", message)

    assert int(found[1]) == len(rows) + 2
    assert ",fr," in seed.read_text("utf-8").splitlines()[int(found[2]) - 1]


def test_a_table_saved_in_another_encoding_is_named(policy):
    seed = policy / "offer.csv"
    seed.write_text(seed.read_text("utf-8"), "gb18030")

    assert message_of(policy) == f"{seed}: it is not UTF-8; save it as 'CSV UTF-8'"


def test_the_classes_that_reach_a_journey_leave_out_what_does_not_occur(tables):
    reached = classes_reached(rules_of(tables.playbook))

    assert set(reached["welcome"]) == {"none"}
    assert set(reached["win_back_general"]) == {"general"}
    assert set(reached["birthday"]) == set(words.GUIDE_CLASSES)


def test_the_example_of_the_docs_is_sound(policy):
    """docs/policy.md: price-sensitive development customers get 20 % instead of 12 %."""
    doc = (PROJECT_DIR / "docs" / "policy.md").read_text("utf-8")
    (rule,) = re.findall(r"^price_development,.*$", doc, re.MULTILINE)
    added = {
        "playbook": rule,
        "journey": "price_deep,price,marketing,false,0.05,120,Price offer,限时优惠,A larger coupon",
        "journey_step": "price_deep,1,start,0,email|push|sms|crm,price_deep,,price_offer",
        "offer": "price_deep,percent,0.20,0.00,share_of_order,0.20,0.75,7,important_development,PD,"
        "20% off your next order,全场8折券",
    }
    for name, line in added.items():
        with (policy / f"{name}.csv").open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")

    leaver = dict.fromkeys(words.DIMENSIONS, "none") | {
        "customer_kind": "buyer",
        "dormancy_state": "dormant",
        "value_tier": "mid",
        "primary_reason": "price_competition",
        "guide_class": "important_development",
    }

    assert winner(rules_of(checked_policy(policy).playbook), leaver).journey == "price_deep"
