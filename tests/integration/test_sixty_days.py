"""Sixty daily decisions of a synthetic shop, by the product's own SQL, each knowing what was sent before.

Some people turn out to be one on the way, tools answer, people opt out, and who buys is drawn beforehand: no
message has any effect, so whatever effect is measured must be none.
"""

import math
import sys
from datetime import date, datetime, time, timedelta

import duckdb
import pytest

from pipelines import control
from pipelines.settings import PROJECT_DIR, load_profile

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

from decision_models import CORE_MODELS, create_history, decide, emit, load_policy
from decision_world import answer, create_world, live_until, simulated_days
from model_sql import Models

START, DAYS, CUSTOMERS = date(2025, 3, 1), 60, 1500
MERGED_ON = START + timedelta(days=20)
OUTCOME_DAYS = 30
BUDGET = 20


def merge_pairs(con: duckdb.DuckDBPyConnection, pairs: int) -> None:
    """Held-out and treated customers turn out to be one each; the ids that are left are in `shop.merged`."""
    con.execute(
        f"""
        create table shop.pair as
        with drawn as (
            select arms.customer_id, arms.arm,
                row_number() over (partition by arms.arm order by md5(arms.customer_id)) as number
            from control.arm_assignment as arms
            inner join shop.customer_dormancy as dormancy on arms.customer_id = dormancy.customer_id
            where arms.customer_id not in (select customer_id from control.contact_unit)
                and arms.episode_id = dormancy.episode_id and dormancy.dormancy_state = 'dormant'
        )
        select holdout.customer_id as stays, treated.customer_id as goes
        from drawn as holdout inner join drawn as treated using (number)
        where holdout.arm = 'holdout' and treated.arm = 'treated' and number <= {pairs};
        create table shop.merged as select stays as customer_id from shop.pair;
        insert into shop.customer_alias select goes, stays from shop.pair;
        """
    )
    for table in ("customer_account", "int_address", "int_kept_day", "ticket", "session"):
        con.execute(
            f"update shop.{table} set customer_id = pair.stays from shop.pair as pair "
            f"where {table}.customer_id = pair.goes"
        )
    for table in ("customer", "person"):
        con.execute(f"delete from shop.{table} where customer_id in (select goes from shop.pair)")


@pytest.fixture(scope="module")
def shop():
    """The shop after sixty dates; every date's decisions are in `shop.history`."""
    with duckdb.connect() as con:
        create_world(con, "shop", customers=CUSTOMERS, start=START, days=DAYS + OUTCOME_DAYS)
        load_policy(con, "shop")
        # A large holdout, so that an effect would show, and a budget that selects.
        con.execute("update shop.holdout set share = 0.4, universal_share = 0.05")
        con.execute(f"update shop.budget set daily_amount = {BUDGET} where scope = 'all'")
        create_history(con)
        control.write_profile(con, load_profile("demo"), "policy")
        models = Models("shop")
        for day in simulated_days(START, DAYS):
            if day == MERGED_ON:
                merge_pairs(con, 20)
            live_until(con, "shop", day)
            for model in CORE_MODELS:
                models.make(con, model)
            decide(con, models, day, known_until=datetime.combine(day + timedelta(days=1), time(5)))
            emit(con, "shop")
            answer(con, "shop", day)
            con.execute(
                "insert into shop.history from shop.int_recall_decision"
                if day > START
                else "create table shop.history as from shop.int_recall_decision"
            )
            con.execute(
                f"{'insert into' if day > START else 'create table'} shop.seen "
                f"{'' if day > START else 'as '}"
                "select journeys.*, addresses.is_suppressed, addresses.may_market, addresses.may_serve "
                "from shop.int_decision_journey as journeys "
                "left join shop.int_recall_decision as decisions using (as_of_date, customer_id) "
                "left join shop.int_contact_address as addresses "
                "on decisions.customer_id = addresses.customer_id and decisions.channel = addresses.channel"
            )
        yield con


def none(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Nothing is found; what is found is shown."""
    assert con.execute(sql).fetchmany(5) == []


def test_everybody_has_one_decision_a_day(shop):
    none(shop, "select as_of_date, customer_id from shop.history group by all having count(*) != 1")
    none(shop, "from shop.history where decision is null or reason_code is null")
    counted = shop.execute(
        "select count(*), count(distinct as_of_date) "
        "from (select as_of_date, count(*) from shop.history group by 1)"
    ).fetchone()
    assert counted == (DAYS, DAYS)
    assert shop.execute("select count(*) from shop.history where as_of_date = ?", [START]).fetchone() == (
        CUSTOMERS,
    )


@pytest.mark.parametrize(("scope", "key"), [("person", "customer_id"), ("address", "address_key")])
def test_no_cap_is_passed_in_any_rolling_window(shop, scope, key):
    """Windows ending on each send or ghost, over all sixty days and by the addresses used."""
    owner = (
        "coalesce(aliases.customer_id, touches.customer_id)"
        if key == "customer_id"
        else "touches.address_key"
    )
    none(
        shop,
        f"""
        with touches as (
            select {owner} as owner, touches.channel, touches.send_on, touches.as_of_date
            from control.recall_touch as touches
            left join shop.customer_alias as aliases on touches.customer_id = aliases.alias_id
            -- Two histories that a merge joins may be more than one person's share.
            where coalesce(aliases.customer_id, touches.customer_id) not in (from shop.merged)
        )
        select ends.owner, ends.send_on, caps.channel, caps.days, caps.messages, count(*) as sent
        from (select distinct owner, send_on from touches) as ends
        cross join (select * from shop.contact_cap where scope = '{scope}') as caps
        inner join touches on ends.owner = touches.owner and caps.channel in ('all', touches.channel)
            and touches.send_on between ends.send_on - caps.days + 1 and ends.send_on
        group by all having count(*) > caps.messages
        """,
    )


def test_what_other_tools_sent_counts(shop):
    """No send of ours within a week of two e-mails that were known when it was decided: that is the cap."""
    none(
        shop,
        """
        select touches.customer_id, touches.send_on, count(*)
        from control.recall_touch as touches
        inner join shop.person as people using (customer_id)
        inner join shop.stg_campaign__events as events
            on people.account_id = events.account_id and events.kind = 'sent' and events.channel = 'email'
            and cast(events.occurred_at as date) <= touches.as_of_date
            and touches.send_on - cast(events.occurred_at as date) between 0 and 6
        where touches.channel = 'email'
        group by all having count(*) >= 2
        """,
    )
    # The caps do stop somebody.
    assert (
        shop.execute("select count(*) from shop.history where reason_code = 'frequency_cap'").fetchone()[0]
        > 0
    )


def test_follow_ups_come_when_their_condition_holds(shop):
    follow_ups = shop.execute(
        """
        with touches as (
            select *, lag(touch_id) over one as before_id, lag(step) over one as before_step,
                lag(send_on) over one as before_on, lag(journey) over one as before_journey
            from control.recall_touch
            window one as (partition by customer_id, episode_id, journey order by as_of_date)
        )
        select touches.*, answers.clicked_at, answers.opened_at
        from touches inner join shop.touch as answers on touches.before_id = answers.touch_id
        where touches.step > 1
        """
    ).pl()
    assert len(follow_ups) > 100
    # One step after the other, not before its time, and within the same campaign.
    assert (follow_ups["step"] == follow_ups["before_step"] + 1).all()
    shortest = dict(
        shop.execute(
            "select journey, min(wait_days) from shop.journey_step where step > 1 group by 1"
        ).fetchall()
    )
    waited = (follow_ups["send_on"] - follow_ups["before_on"]).dt.total_days()
    assert all(days >= shortest[journey] for days, journey in zip(waited, follow_ups["journey"], strict=True))
    # A last call for those who clicked goes to those who clicked.
    clicked = shop.execute(
        """
        select count(*), count(answers.clicked_at) filter (where answers.clicked_at < touches.as_of_date + 2)
        from control.recall_touch as touches
        inner join control.recall_touch as before
            on touches.customer_id = before.customer_id and touches.episode_id = before.episode_id
            and touches.journey = before.journey and touches.step = before.step + 1
        inner join shop.touch as answers on before.touch_id = answers.touch_id
        where touches.journey = 'win_back_general' and touches.step = 2 and touches.template_id = 'last_days'
        """
    ).fetchone()
    assert clicked[0] > 0
    assert clicked[0] == clicked[1]


def test_nobody_is_followed_up_after_buying(shop):
    none(
        shop,
        """
        select history.customer_id, history.as_of_date, days.purchased_on
        from shop.history as history
        inner join shop.int_kept_day as days using (customer_id)
        where history.decision in ('send', 'holdout')
            and history.reason_code in ('recall', 'follow_up', 'holdout')
            and history.journey not like 'retain%' and history.journey not like 'b%'
            and history.journey != 'member_day'
            -- Known by five in the morning: bought on the as-of date or on the day after it.
            and days.purchased_on between history.as_of_date and history.as_of_date + 1
            and history.customer_id not in (from shop.merged)
        """,
    )
    bought_since = shop.execute(
        "select count(*) from shop.history where reason_code = 'bought_since'"
    ).fetchone()
    assert bought_since[0] > 0


def test_the_holdout_gets_nothing_and_is_recorded(shop):
    none(shop, "from shop.history where decision = 'send' and arm is distinct from 'treated'")
    none(
        shop,
        """
        select customer_id, episode_id from control.recall_touch
        group by all having count(distinct decision) > 1
        """,
    )
    none(
        shop,
        "from shop.history where decision = 'holdout' and (channel is null or journey is null "
        "or expected_cost is null or send_after is null or template_id is null)",
    )
    shares = shop.execute(
        "select count(*) filter (where arm = 'holdout') / count(*), "
        "count(*) filter (where arm = 'universal_control') / count(*) from control.arm_assignment"
    ).fetchone()
    assert shares == pytest.approx((0.38, 0.05), abs=0.05)


def test_people_at_one_address_are_in_one_arm(shop):
    assert shop.execute("select count(*) from control.contact_unit").fetchone()[0] > 100
    none(
        shop,
        """
        select units.unit_id, arms.assigned_on, count(distinct arms.arm)
        from control.arm_assignment as arms inner join control.contact_unit as units using (customer_id)
        where arms.customer_id not in (from shop.merged)
        group by all having count(distinct arms.arm) > 1
        """,
    )


def test_two_arms_merged_into_one_person_are_left_alone(shop):
    decisions = shop.execute(
        "select reason_code, count(*) from shop.history where customer_id in (from shop.merged) "
        "and as_of_date >= ? and as_of_date < ? and decision in ('send', 'holdout') group by 1",
        [MERGED_ON, MERGED_ON + timedelta(days=9)],
    ).fetchall()
    assert decisions == []
    codes = shop.execute(
        "select list(distinct reason_code) from shop.history where customer_id in (from shop.merged) "
        "and as_of_date >= ?",
        [MERGED_ON],
    ).fetchone()
    assert "mixed_arms" in codes[0]
    arms = shop.execute(
        "select coalesce(aliases.customer_id, arms.customer_id) as customer, count(distinct arm) "
        "from control.arm_assignment as arms left join shop.customer_alias as aliases "
        "on arms.customer_id = aliases.alias_id where customer in (from shop.merged) group by 1"
    ).fetchall()
    assert len(arms) == 20
    assert {number for _, number in arms} == {2}, "both arms stay on record for the analysis"


def test_consent_suppression_and_complaints(shop):
    none(
        shop,
        """
        from shop.history as history inner join shop.seen as seen using (as_of_date, customer_id)
        where history.decision in ('send', 'holdout') and (seen.is_suppressed or not (
            seen.may_market
            or (seen.may_serve and history.journey like 'repair%' and history.offer_id is null)
        ))
        """,
    )
    none(
        shop,
        """
        select history.customer_id, history.as_of_date from shop.history as history
        inner join shop.ticket as tickets using (customer_id)
        where history.decision in ('send', 'holdout') and tickets.kind = 'complaint'
            and tickets.opened_at < history.as_of_date + 1
            and tickets.opened_at >= history.as_of_date - 90
            and (tickets.closed_at is null or tickets.closed_at > history.as_of_date + 2)
            and history.customer_id not in (from shop.merged)
        """,
    )
    # Who unsubscribed from e-mail gets none any more, from the next decision on.
    assert shop.execute("select count(*) from shop.int_suppression").fetchone()[0] > 0
    none(
        shop,
        """
        select later.customer_id from shop.touch as answers
        inner join control.recall_touch as later on answers.customer_id = later.customer_id
            and answers.channel = later.channel and later.as_of_date > cast(answers.unsubscribed_at as date)
        where answers.unsubscribed_at is not null
        """,
    )


def test_hours_holidays_and_budget(shop):
    none(
        shop,
        """
        from shop.history as history inner join shop.channel as channels using (channel)
        left join shop.holiday as holidays on cast(history.send_after as date) = holidays.holiday_on
        where history.decision in ('send', 'holdout') and (
            strftime(history.send_after, '%H:%M') < channels.active_from
            or strftime(history.send_after, '%H:%M') >= channels.active_to
            or (not channels.on_weekends and isodow(history.send_after) > 5)
            or (not channels.on_holidays and holidays.holiday_on is not null)
        )
        """,
    )
    none(
        shop,
        "select as_of_date, sum(expected_cost) from shop.history where decision = 'send' group by 1 "
        f"having sum(expected_cost) > {BUDGET}",
    )
    assert (
        shop.execute("select count(*) from shop.history where reason_code = 'budget_spent'").fetchone()[0]
        > 100
    )


def test_without_an_effect_none_is_measured(shop):
    """Both arms from their first send or ghost on, over thirty days: no difference beyond chance."""
    rows = shop.execute(
        f"""
        with first as (
            select customer_id, episode_id, min(as_of_date) as from_date, min(decision) as decision
            from control.recall_touch where journey not like 'retain%' group by all
        ),
        outcome as (
            select first.*, exists (
                from shop.int_kept_day as days where days.customer_id = first.customer_id
                and days.purchased_on > first.from_date + 1
                and days.purchased_on <= first.from_date + 1 + {OUTCOME_DAYS}
            ) as is_converted
            from first
        )
        select decision, count(*), avg(is_converted::integer) from outcome group by 1 order by 1
        """
    ).fetchall()
    (_, ghosts, ghost_rate), (_, sends, send_rate) = rows
    assert min(ghosts, sends) > 150
    assert ghost_rate > 0.02
    error = math.sqrt(ghost_rate * (1 - ghost_rate) / ghosts + send_rate * (1 - send_rate) / sends)
    assert abs(send_rate - ghost_rate) < 2.6 * error


def test_who_woke_is_kept(shop):
    retained = shop.execute("select count(*) from shop.history where journey like 'retain%'").fetchone()
    assert retained[0] > 0
