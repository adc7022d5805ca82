"""The unit tests of the dbt models (`_*__unit_tests.yml`), each by name, so that none goes missing."""

from pathlib import Path

import pytest
from in_dbt import dbt

from pipelines import control
from pipelines.activation.emission import TOUCH_COLUMNS
from pipelines.resources.warehouse import Warehouse

pytestmark = pytest.mark.xdist_group("story")

CASES = (
    "returns_take_the_latest_units_first",
    "a_unit_comes_back_once",
    "what_exceeds_the_purchases_is_unmatched",
    "at_the_same_time_purchases_come_first",
    "a_stated_order_is_taken_at_its_word",
    "returns_stay_with_their_customer_and_product",
    "an_account_owns_a_row_before_a_shared_address",
    "the_newest_word_counts_and_of_several_the_most_restrictive",
    "reachable_is_an_address_a_permission_and_no_suppression",
    "an_opt_out_by_account_closes_its_addresses_and_a_bounce_only_its_own",
    "a_closed_address_stays_closed_under_a_new_account",
    "half_an_hour_of_silence_ends_a_visit",
    "a_visit_without_a_login_is_whose_machine_it_is",
    "a_machine_is_whose_alone_logs_in_there",
    "the_field_of_the_first_source_stands_and_of_equals_the_newest",
    "a_touch_is_a_choice_and_what_came_of_it",
    "sleep_waking_and_falling_asleep_again",
    "a_season_must_pass_before_its_buyers_sleep",
    "who_never_bought_sleeps_by_activity",
    "an_own_purchase_counts_half_after_a_half_life",
    "what_cannot_be_sold_is_not_recommended",
    "what_was_sent_back_is_barred_until_bought_again",
    "what_three_customers_share_is_near",
    "what_a_customer_sent_back_leads_nowhere",
    "the_best_lead_of_each_product_is_kept",
    "a_reminder_ends_with_the_purchase",
    "a_message_names_each_product_once",
    "every_recommendation_says_why",
)


def test_the_cases_of_the_unit_tests(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.connect() as con:
        # What we have sent is no input that a case could give.
        control.write_parquet_view(con, "recall_touch", [], TOUCH_COLUMNS)
    result = dbt(warehouse, tmp_path, "test", "--select", "test_type:unit")
    assert result.exception is None
    outcomes = {outcome.node.name: str(outcome.status) for outcome in result.result.results}
    assert {name: outcomes.get(name) for name in CASES} == dict.fromkeys(CASES, "pass")
    assert set(outcomes.values()) == {"pass"}
