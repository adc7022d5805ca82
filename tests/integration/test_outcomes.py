"""What contacts brought, by the product's own SQL on small histories that can be checked by eye."""

import sys
from datetime import date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from pipelines import control
from pipelines.measurement import MeasurementSettings, measure
from pipelines.settings import PROJECT_DIR, load_profile

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

from decision_models import create_history, load_policy
from model_sql import Models

MONDAY = date(2025, 3, 3)
MODELS = (
    "core/touch",
    "kpi/int_recall_touch",
    "kpi/int_attributed_order",
    "kpi/int_touch_outcome",
    "kpi/recall_outcome",
    "kpi/int_experiment_unit",
    "kpi/int_experiment_arm",
    "kpi/int_experiment_cell",
    "kpi/redormancy",
    "kpi/cohort_retention",
    "kpi/channel_preference",
    "kpi/target",
)
TABLES = {
    "customer_alias": "alias_id varchar, customer_id varchar",
    "int_subject": "subject_key varchar, customer_id varchar, is_owner boolean",
    "stg_campaign__members": "campaign_id varchar, account_id varchar, member_id varchar, address varchar, "
    "arm varchar, planned_share decimal(18, 4), is_control boolean, channel varchar, offer_id varchar, "
    "assigned_at timestamp, cost decimal(18, 4)",
    "stg_campaign__events": "event_id varchar, touch_id varchar, campaign_id varchar, account_id varchar, "
    "member_id varchar, address varchar, channel varchar, occurred_at timestamp, kind varchar, "
    "disposition varchar, coupon_code varchar, amount decimal(18, 2)",
    "stg_consent__consents": "account_id varchar, member_id varchar, address varchar, status varchar, "
    "recorded_at timestamp",
    "ticket": "customer_id varchar, kind varchar, opened_at timestamp",
    "int_sales_line": "line_id varchar, customer_id varchar, channel varchar, order_id varchar, "
    "ordered_at timestamp, product_id varchar, quantity decimal(18, 4), amount decimal(18, 2), "
    "is_revenue boolean, is_purchase boolean, is_return boolean",
    "int_return_allocation": "return_line_id varchar, purchase_line_id varchar, returned_on date, "
    "units decimal(18, 4)",
    "stg_catalog__products": "product_id varchar, cost decimal(18, 4)",
    "stg_ecommerce__orders": "order_id varchar, coupon_code varchar",
    "int_activity_day": "customer_id varchar, active_on date, kind varchar",
    "int_kept_day": "customer_id varchar, purchased_on date, emptied_on date",
    "int_revenue_day": "customer_id varchar, booked_on date, net_amount decimal(18, 2), "
    "margin_amount decimal(18, 2)",
    "segment_movement": "customer_id varchar, scheme varchar, from_segment varchar, to_segment varchar, "
    "moved_on date",
    "customer_dormancy": "as_of_date date, customer_id varchar, primary_reason varchar, dormant_since date",
}


class Shop:
    """A history that is told, and the tables that follow from it."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        con.execute("create schema shop")
        for name, columns in TABLES.items():
            con.execute(f"create table shop.{name} ({columns})")
        load_policy(con, "shop")
        create_history(con)
        control.write_profile(con, load_profile("demo"), "policy")
        con.execute("insert into shop.stg_catalog__products values ('tea', 6)")

    def add(self, table: str, **row: object) -> None:
        names = ", ".join(row)
        places = ", ".join("?" for _ in row)
        self.con.execute(f"insert into {table} ({names}) values ({places})", list(row.values()))

    def contact(self, customer: str, day: date, **row: object) -> str:
        """A send of ours, or with `decision='holdout'` the ghost of one, decided on the eve of a day."""
        arm = "treated" if row.get("decision", "send") == "send" else "holdout"
        touch = {
            "touch_id": f"t_{customer}_{day}_{row.get('channel', 'email')}",
            "as_of_date": day - timedelta(days=1),
            "customer_id": customer,
            "episode_id": f"e_{customer}",
            "decision": "send",
            "arm": arm,
            "campaign_id": f"price_{day:%Y_%m}",
            "journey": "price",
            "step": 1,
            "channel": "email",
            "offer_id": "price_small",
            "send_on": day,
            "contact_cost": 0.01,
            "guide_class": "general",
            "dormancy_reason": "price_competition",
            "value_tier": "low",
        } | row
        self.add("control.recall_touch", **touch)
        self.con.execute(
            "insert into control.arm_assignment by name "
            "select $customer as unit_id, $customer as customer_id, '2025' as holdout_period, $arm as arm, "
            "$day as assigned_on, $episode as episode_id, 0.118 as control_share "
            "where $customer not in (select customer_id from control.arm_assignment)",
            {"customer": customer, "arm": arm, "day": touch["as_of_date"], "episode": touch["episode_id"]},
        )
        return touch["touch_id"]

    def event(self, touch_id: str, kind: str, at: datetime, amount: float | None = None) -> None:
        """What came back for a send."""
        self.add(
            "shop.stg_campaign__events",
            event_id=f"{touch_id}_{kind}",
            touch_id=touch_id,
            occurred_at=at,
            kind=kind,
            amount=amount,
        )

    def purchase(self, customer: str, at: datetime, amount: float = 100, **row: object) -> str:
        """An order of one line; `kept=False` when all of it came back three days later."""
        order_id = f"o_{customer}_{at:%m%d}"
        kept = row.pop("kept", True)
        came_back = None if kept else at.date() + timedelta(days=3)
        self.add(
            "shop.int_sales_line",
            line_id=f"l_{order_id}",
            customer_id=customer,
            channel="ecommerce",
            order_id=order_id,
            ordered_at=at,
            product_id="tea",
            quantity=10,
            amount=amount,
            is_revenue=True,
            is_purchase=True,
            is_return=False,
        )
        self.add("shop.stg_ecommerce__orders", order_id=order_id, coupon_code=row.get("coupon"))
        self.add("shop.int_kept_day", customer_id=customer, purchased_on=at.date(), emptied_on=came_back)
        self.book(customer, at.date(), amount)
        if came_back:
            self.come_back(order_id, came_back, 10)
            self.book(customer, came_back, -amount)
        return order_id

    def come_back(self, order_id: str, day: date, units: int) -> None:
        """Units of an order are returned."""
        self.add(
            "shop.int_return_allocation",
            return_line_id=f"r_{order_id}",
            purchase_line_id=f"l_{order_id}",
            returned_on=day,
            units=units,
        )

    def book(self, customer: str, day: date, amount: float) -> None:
        """Revenue of a day; two fifths of it are margin."""
        self.add(
            "shop.int_revenue_day",
            customer_id=customer,
            booked_on=day,
            net_amount=amount,
            margin_amount=0.4 * amount,
        )

    def measured(self, newest: date) -> "Shop":
        """All tables as they are when a date has ended."""
        end = datetime.combine(newest + timedelta(days=1), datetime.min.time())
        control.write_measured_until(self.con, newest, end)
        models = Models("shop")
        for model in MODELS:
            models.make(self.con, model)
        return self

    def rows(self, sql: str) -> list[tuple]:
        return self.con.execute(sql).fetchall()

    def effects(self) -> pl.DataFrame:
        """What is judged of the arms, as the model `int_measured_effect` does it."""
        return measure(
            self.con.execute("from shop.int_experiment_cell").pl(),
            self.con.execute("from shop.int_experiment_arm").pl(),
            MeasurementSettings(),
        )


@pytest.fixture
def shop():
    with duckdb.connect() as con:
        yield Shop(con)


def noon(day: date, days: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=days), datetime.min.time()).replace(hour=12)


def test_the_last_contact_whose_window_is_open_has_the_order(shop):
    """An SMS counts for a day and an e-mail for five: what comes later is the e-mail's again."""
    shop.contact("c1", MONDAY)
    shop.contact("c1", MONDAY + timedelta(days=1), channel="sms", step=2)
    shop.purchase("c1", noon(MONDAY, 1), 100)
    shop.purchase("c1", noon(MONDAY, 3), 50)
    shop.purchase("c1", noon(MONDAY, 6), 10)
    shop.measured(MONDAY + timedelta(days=20))
    assert shop.rows("select channel, converted, orders, revenue from shop.recall_outcome order by 1") == [
        ("email", 1, 1, 50),
        ("sms", 1, 1, 100),
    ]


def test_what_came_back_is_no_purchase(shop):
    shop.contact("c1", MONDAY)
    shop.contact("c2", MONDAY)
    shop.purchase("c1", noon(MONDAY, 1), 100, kept=False)
    half = shop.purchase("c2", noon(MONDAY, 1), 100)
    shop.come_back(half, MONDAY + timedelta(days=9), 5)
    outcome = "select converted, orders, revenue, margin from shop.recall_outcome"
    # Before anything came back, and after: ten units at 10, which cost 6 each.
    assert shop.measured(MONDAY + timedelta(days=2)).rows(outcome) == [(2, 2, 200, 80)]
    assert shop.measured(MONDAY + timedelta(days=20)).rows(outcome) == [(1, 1, 50, 20)]


def test_a_redeemed_code_is_an_answer_and_costs(shop):
    """By the order that carries the code; what the till says that it cost goes before the policy's figure."""
    shop.contact("c1", MONDAY, coupon_code="PS1")
    told = shop.contact("c2", MONDAY, coupon_code="PS2")
    shop.contact("c3", MONDAY, coupon_code="PS3")
    shop.purchase("c1", noon(MONDAY, 1), coupon="PS1")
    shop.event(told, "redeemed", noon(MONDAY, 2), amount=7.5)
    shop.purchase("c3", noon(MONDAY, 1), coupon="OTHER")
    shop.measured(MONDAY + timedelta(days=20))
    assert [
        tuple(map(float, row))
        for row in shop.rows("select responded, contact_cost, incentive_cost, cost from shop.recall_outcome")
    ] == [(2, 0.03, 17.5, 17.53)]


def test_a_funnel_implies_its_steps(shop):
    clicked, bounced = shop.contact("c1", MONDAY), shop.contact("c2", MONDAY)
    opened = shop.contact("c3", MONDAY)
    for touch in (clicked, bounced, opened):
        shop.event(touch, "sent", noon(MONDAY))
    shop.event(opened, "delivered", noon(MONDAY))
    shop.event(opened, "opened", noon(MONDAY, 1))
    shop.event(clicked, "clicked", noon(MONDAY, 1))
    shop.event(bounced, "bounced", noon(MONDAY))
    shop.contact("c4", MONDAY)  # the tool reports its sends, and not this one
    columns = "targeted, sent, delivered, opened, clicked, responded"
    shop.measured(MONDAY + timedelta(days=20))
    assert shop.rows(f"select {columns} from shop.recall_outcome") == [(4, 3, 2, 2, 1, 1)]
    # What is not known yet has not happened.
    shop.measured(MONDAY)
    assert shop.rows(f"select {columns} from shop.recall_outcome") == [(4, 3, 1, 0, 0, 0)]


def test_arms_are_counted_from_the_first_contact_over_a_fixed_window(shop):
    for number in range(4):
        shop.contact(f"t{number}", MONDAY)
        shop.contact(f"h{number}", MONDAY, decision="holdout")
    shop.contact("t0", MONDAY + timedelta(days=8), campaign_id="price_2025_03", step=2)
    shop.purchase("t0", noon(MONDAY, 29))
    shop.purchase("t1", noon(MONDAY, 30))
    shop.purchase("h0", noon(MONDAY))
    shop.purchase("h1", noon(MONDAY, -1))
    shop.purchase("h2", noon(MONDAY, 1), kept=False)
    cell = (
        "select arm, control_arm, treated, holdout, treated_sum, holdout_sum, is_matured "
        "from shop.int_experiment_cell where campaign_id = 'recall_2025_03' and metric = 'conversion' "
        "and segment_dim = 'all'"
    )
    shop.measured(MONDAY + timedelta(days=28))
    assert shop.rows(cell) == [("treated", "holdout", 0, 0, 0, 0, False)]
    assert shop.effects().filter(pl.col("metric") == "conversion")["verdict"].unique().to_list() == [
        "too_early"
    ]
    shop.measured(MONDAY + timedelta(days=29))
    assert shop.rows(cell) == [("treated", "holdout", 4, 4, 1, 1, True)]
    arms = shop.rows(
        "select arm, units, planned_share from shop.int_experiment_arm "
        "where campaign_id = 'recall_2025_03' order by 1"
    )
    assert arms == [("holdout", 4, pytest.approx(0.118)), ("treated", 4, pytest.approx(0.882))]


def test_who_was_merged_stays_in_both_arms_and_is_left_out_beside(shop):
    for number in range(3):
        shop.contact(f"t{number}", MONDAY)
        shop.contact(f"h{number}", MONDAY, decision="holdout")
    shop.add("shop.customer_alias", alias_id="h0", customer_id="t0")
    shop.purchase("t0", noon(MONDAY, 1))
    shop.measured(MONDAY + timedelta(days=40))
    assert shop.rows(
        "select variant, treated, holdout, treated_sum, holdout_sum from shop.int_experiment_cell "
        "where campaign_id = 'recall_2025_03' and metric = 'conversion' and segment_dim = 'all' order by 1"
    ) == [("", 3, 3, 1, 1), ("without_merged", 2, 2, 0, 0)]


def test_opt_outs_and_complaints_are_those_of_both_arms(shop):
    sent = shop.contact("t0", MONDAY)
    shop.contact("h0", MONDAY, decision="holdout")
    shop.event(sent, "sent", noon(MONDAY))
    shop.event(sent, "unsubscribed", noon(MONDAY, 2))
    shop.add("shop.ticket", customer_id="h0", kind="complaint", opened_at=noon(MONDAY, 3))
    shop.measured(MONDAY + timedelta(days=40))
    assert shop.rows(
        "select metric, treated_sum, holdout_sum from shop.int_experiment_cell "
        "where campaign_id = 'recall_2025_03' and segment_dim = 'all' "
        "and metric in ('unsubscribed', 'complained') order by 1"
    ) == [("complained", 0, 1), ("unsubscribed", 1, 0)]


@pytest.mark.parametrize("held_out", [0, 1])
def test_hardly_anybody_in_an_arm_is_no_error(shop, held_out):
    """No holdout, one customer, no purchases, returns alone: a verdict, and nothing that is no number."""
    shop.contact("t0", MONDAY)
    shop.contact("t1", MONDAY)
    for number in range(held_out):
        shop.contact(f"h{number}", MONDAY, decision="holdout")
    shop.book("t0", MONDAY + timedelta(days=2), -80)
    shop.measured(MONDAY + timedelta(days=40))
    effects = shop.effects()
    months = effects.filter(pl.col("campaign_id") == "recall_2025_03")
    assert months["verdict"].unique().to_list() == ["too_small_to_tell"]
    assert months.filter(metric="revenue", segment_dim="all")["treated_rate"].to_list() == [-40]
    for column in effects.select(pl.selectors.float()):
        assert not column.is_nan().any() and not column.is_infinite().any(), column.name


def test_another_tools_campaign_is_judged_by_its_own_arms(shop):
    for number in range(6):
        arm = ("red", "blue", "none")[number % 3]
        shop.add(
            "shop.int_subject", subject_key=f"a{number}\x1f\x1f", customer_id=f"c{number}", is_owner=True
        )
        shop.add(
            "shop.stg_campaign__members",
            campaign_id="spring",
            account_id=f"a{number}",
            arm=arm,
            planned_share=1 / 3,
            is_control=arm == "none",
            channel="email",
            assigned_at=noon(MONDAY),
            cost=0.5,
        )
    shop.purchase("c0", noon(MONDAY, 2), 60)
    shop.measured(MONDAY + timedelta(days=40))
    assert shop.rows(
        "select arm, control_arm, treated, holdout, treated_sum, contact_cost from shop.int_experiment_cell "
        "where metric = 'revenue' and segment_dim = 'all' order by 1"
    ) == [("all", "none", 4, 2, 60, 2), ("blue", "none", 2, 2, 0, 1), ("red", "none", 2, 2, 60, 1)]
    assert shop.rows("select campaign_id, targeted, sent, revenue, cost from shop.recall_outcome") == [
        ("spring", 4, 4, 60, 2)
    ]


def test_who_wakes_and_who_sleeps_again(shop):
    shop.contact("c1", MONDAY)
    for customer, woken, asleep in (("c1", 2, 60), ("c2", 4, None)):
        moves = [("lost", "active", woken), ("active", "cooling", 30), ("cooling", "dormant", asleep)]
        for before, after, days in moves:
            if days is not None:
                shop.add(
                    "shop.segment_movement",
                    customer_id=customer,
                    scheme="dormancy_state",
                    from_segment=before,
                    to_segment=after,
                    moved_on=MONDAY + timedelta(days=days),
                )
    shop.book("c1", MONDAY + timedelta(days=2), 100)
    shop.book("c1", MONDAY + timedelta(days=61), 30)
    newest = MONDAY + timedelta(days=70)
    shop.add(
        "shop.customer_dormancy",
        as_of_date=newest,
        customer_id="c1",
        primary_reason="price_competition",
        dormant_since=MONDAY + timedelta(days=60),
    )
    shop.measured(newest)
    assert shop.rows("from shop.redormancy order by woken_by") == [
        (date(2025, 3, 1), "own_accord", 1, 0, None, None, 0),
        (date(2025, 3, 1), "recall", 1, 1, 58, 1, 100),
    ]


def test_cohorts_have_a_row_for_every_month(shop):
    shop.purchase("c1", noon(date(2025, 1, 10)), 100)
    shop.purchase("c1", noon(date(2025, 3, 10)), 40)
    shop.purchase("c2", noon(date(2025, 1, 20)), 10, kept=False)
    shop.purchase("c2", noon(date(2025, 2, 20)), 10)
    shop.measured(date(2025, 3, 15))
    assert shop.rows("from shop.cohort_retention order by all") == [
        (date(2025, 1, 1), 0, 1, 1, 100),
        (date(2025, 1, 1), 1, 1, 0, 0),
        (date(2025, 1, 1), 2, 1, 1, 40),
        (date(2025, 2, 1), 0, 1, 1, 10),
        (date(2025, 2, 1), 1, 1, 0, 0),
    ]


def test_a_target_without_a_figure_is_neither_met_nor_missed(shop):
    shop.contact("c1", MONDAY)
    shop.contact("c2", MONDAY)
    shop.purchase("c1", noon(MONDAY, 1), 80)
    targets = (
        "select metric, actual, met from shop.target "
        "where metric in ('conversion_rate', 'average_order_value') order by 1"
    )
    shop.measured(MONDAY + timedelta(days=1))
    assert shop.rows(targets) == [("average_order_value", None, None), ("conversion_rate", None, None)]
    shop.measured(MONDAY + timedelta(days=20))
    assert shop.rows(targets) == [("average_order_value", 80, False), ("conversion_rate", 0.5, True)]


def test_what_is_learned_starts_at_the_policys_word_and_follows_the_purchases(shop):
    """E-mail does far better than SMS among those contacted; push was never tried and stays as assumed."""
    for number in range(300):
        shop.contact(f"e{number}", MONDAY)
        shop.contact(f"s{number}", MONDAY, channel="sms")
        shop.contact(f"h{number}", MONDAY, decision="holdout")
        if number < 60:
            shop.purchase(f"e{number}", noon(MONDAY, 1))
        if number < 12:
            shop.purchase(f"s{number}", noon(MONDAY, 1))
            shop.purchase(f"h{number}", noon(MONDAY, 1))
    control.write_decision_dates(
        shop.con,
        [
            control.DecisionDate(day, False, False, "r", control.UNLIMITED)
            for day in (MONDAY + timedelta(days=12), MONDAY + timedelta(days=13))
        ],
    )
    Models("shop").make(shop.con, "activation/int_learned_arm")
    learned = {
        (day, channel): (lift, prior, sd)
        for day, channel, lift, prior, sd in shop.rows(
            "select as_of_date, channel, lift, prior_lift, arm_sd from shop.int_learned_arm "
            "where journey = 'price' and offer_id in ('price_small', 'price_cut') "
            # What was tried comes last: a channel may have both offers.
            "order by offer_id = 'price_small', offer_id"
        )
    }
    early, late = MONDAY + timedelta(days=12), MONDAY + timedelta(days=13)
    # The fortnight is not over: nothing is known.
    assert all(lift == pytest.approx(prior) for (day, _), (lift, prior, _) in learned.items() if day == early)
    by_email, by_sms, by_push = (learned[late, channel] for channel in ("email", "sms", "push"))
    assert by_email[0] > by_email[1] > by_sms[0]
    # Drawn towards the assumption: e-mail brought .16 more than the holdout, SMS nothing more.
    assert 0.05 < by_email[0] < 0.16
    assert by_sms[2] < by_push[2]
    shop.measured(MONDAY + timedelta(days=30))
    assert shop.rows(
        "select channel, episodes, holdouts, lift > lift_low and lift < lift_high "
        "from shop.channel_preference where segment = 'price' order by 1"
    ) == [("email", 300, 300, True), ("sms", 300, 300, True)]
