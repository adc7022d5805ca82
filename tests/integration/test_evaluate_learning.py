"""`make evaluate-learning` in short: what is tried out stays within what the policy allows."""

import sys
from datetime import datetime, time, timedelta

import duckdb
import pytest

from pipelines import control
from pipelines.settings import PROJECT_DIR, load_profile

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

from decision_models import CORE_MODELS, create_history, decide, emit, load_policy
from decision_world import answer, create_world, live_until, simulated_days
from evaluate_learning import START, Outcome, compare, lower_bound, plant_truth, wake
from model_sql import Models

DAYS, CUSTOMERS, SHARE = 20, 1_500, 0.3


@pytest.fixture(scope="module")
def shop():
    """Some weeks in which three in ten first messages are drawn; all sends are in `shop.history`."""
    with duckdb.connect() as con:
        create_world(con, "shop", customers=CUSTOMERS, start=START, days=DAYS + 30)
        load_policy(con, "shop")
        con.execute("update shop.learning set exploration_share = ?, minimum_episodes = 20", [SHARE])
        con.execute(
            "update shop.journey_step set other_offers = 'small_coupon|vip_service' "
            "where journey in ('brand_light', 'price_light') and step = 1"
        )
        plant_truth(con, 1)
        create_history(con)
        control.write_profile(con, load_profile("demo"), "policy")
        models = Models("shop")
        con.execute("create table shop.history (placeholder integer)")
        for number, day in enumerate(simulated_days(START, DAYS)):
            live_until(con, "shop", day)
            for model in CORE_MODELS:
                models.make(con, model)
            decide(con, models, day, known_until=datetime.combine(day + timedelta(days=1), time(5)))
            emit(con, "shop")
            answer(con, "shop", day)
            wake(con, 1)
            con.execute(
                ("create or replace table shop.history as " if number == 0 else "insert into shop.history ")
                + "from shop.int_recall_decision where decision in ('send', 'holdout')"
            )
        yield con


def test_a_share_of_first_messages_is_drawn_and_no_other(shop):
    rows = dict(
        shop.execute(
            "select step = 1, count(*) filter (where choice = 'explored') / count(*) "
            "from shop.history group by 1"
        ).fetchall()
    )
    assert rows[False] == 0
    assert rows[True] == pytest.approx(SHARE, abs=0.06)
    otherwise = shop.execute(
        """
        select count(*) from shop.history as sent
        inner join shop.journey_step as steps
            on sent.journey = steps.journey and sent.step = steps.step and steps.condition = 'start'
        where sent.choice = 'explored' and sent.channel != split_part(steps.channels, '|', 1)
        """
    ).fetchone()
    assert otherwise[0] > 20


def test_what_is_drawn_is_what_the_step_allows(shop):
    """Its channels, its offers, and of these what the class may have."""
    found = shop.execute(
        """
        select sent.journey, sent.channel, sent.offer_id, sent.guide_class
        from shop.history as sent
        inner join shop.journey_step as steps
            on sent.journey = steps.journey and steps.step = 1 and steps.condition = 'start'
        left join shop.offer as offers on sent.offer_id = offers.offer_id
        where sent.step = 1 and not (
            '|' || steps.channels || '|' like '%|' || sent.channel || '|%'
            and (
                coalesce(sent.offer_id, '') = coalesce(steps.offer_id, '')
                or '|' || steps.other_offers || '|' like '%|' || sent.offer_id || '|%'
            )
            and coalesce(
                offers.eligible_classes = '*'
                or '|' || offers.eligible_classes || '|' like '%|' || sent.guide_class || '|%', true
            )
        )
        """
    ).fetchall()
    assert found == []
    tried = shop.execute(
        "select distinct offer_id from shop.history where journey = 'price_light' and step = 1"
    ).fetchall()
    assert {"price_small", "small_coupon"} <= {offer for (offer,) in tried}


def test_what_is_drawn_passes_no_cap_and_needs_a_permission(shop):
    over = shop.execute(
        """
        select ends.customer_id, caps.channel, caps.days, count(*)
        from shop.history as ends
        cross join (from shop.contact_cap where scope = 'person') as caps
        inner join shop.history as sent
            on ends.customer_id = sent.customer_id and caps.channel in ('all', sent.channel)
            and cast(sent.send_after as date)
                between cast(ends.send_after as date) - caps.days + 1 and cast(ends.send_after as date)
        group by ends.touch_id, ends.customer_id, caps.channel, caps.days
        having count(*) > min(caps.messages)
        """
    ).fetchall()
    assert over == []
    unwanted = shop.execute(
        """
        select sent.customer_id, sent.channel from shop.history as sent
        inner join shop.person as people using (customer_id)
        inner join shop.stg_consent__consents as consents
            on people.account_id = consents.account_id and consents.channel = sent.channel
        where consents.status = 'withdrawn'
        """
    ).fetchall()
    assert unwanted == []


def test_without_a_share_everything_is_as_listed():
    seed, static, learning = compare((3, 8, 400))
    assert seed == 3
    assert static.otherwise == 0
    assert learning.otherwise > 0
    assert static.messages > 100


def test_the_bound_is_that_of_students_t():
    assert lower_bound([1.0, 2.0, 3.0]) == pytest.approx(2 - 4.302653 / 3**0.5)
    assert Outcome(1, 2.0, 0).reward == 2
