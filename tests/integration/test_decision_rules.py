"""No send breaks a rule, whatever the policy and whatever was sent before.

A small shop is decided under random caps, budgets, hours, steps and holdouts, after a random history of
touches; the rules are then checked one by one, in Python and not by the SQL that decides.
"""

import os
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import control
from pipelines.settings import PROJECT_DIR, load_profile

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

from decision_models import CORE_MODELS, create_history, decide, load_policy
from decision_world import create_world, live_until
from model_sql import Models

DAY = date(2025, 4, 30)  # the eve of a public holiday
CUSTOMERS = 150
CHANNELS = ("email", "sms", "push", "social_ads", "phone", "crm")

caps = st.lists(
    st.tuples(
        st.sampled_from(("person", "address")),
        st.sampled_from(("all", *CHANNELS)),
        st.integers(1, 30),
        st.integers(0, 4),
    ),
    max_size=8,
    unique_by=lambda cap: cap[:3],
)
channels = st.fixed_dictionaries(
    {
        "on_weekends": st.booleans(),
        "on_holidays": st.booleans(),
        "daily_limit": st.none() | st.integers(0, 40),
        "minimum_list": st.none() | st.integers(0, 30),
        "intrusive": st.booleans(),
    }
)
policies = st.fixed_dictionaries(
    {
        "caps": caps,
        "channels": st.fixed_dictionaries({channel: channels for channel in CHANNELS}),
        "steps": st.lists(
            st.permutations(CHANNELS).map(lambda order: "|".join(order[:3])), min_size=1, max_size=5
        ),
        "budget": st.integers(0, 60),
        "floor": st.sampled_from((0, 0.5, 2)),
        "share": st.sampled_from((0, 0.1, 0.4)),
        "universal": st.sampled_from((0, 0.05, 0.1)),
        "salt": st.text("abc", min_size=1, max_size=3),
    }
)
# Customer, channel, days before the date, days until the send.
histories = st.lists(
    st.tuples(
        st.integers(0, CUSTOMERS - 1), st.sampled_from(CHANNELS), st.integers(1, 30), st.integers(1, 4)
    ),
    max_size=150,
    unique_by=lambda touch: (touch[0], touch[2]),
)


@pytest.fixture(scope="module")
def shop():
    with duckdb.connect() as con:
        create_world(con, "shop", customers=CUSTOMERS, start=DAY, days=10)
        load_policy(con, "shop")
        create_history(con)
        control.write_profile(con, load_profile("demo"), "policy")
        live_until(con, "shop", DAY)
        yield con


def set_policy(con: duckdb.DuckDBPyConnection, policy: dict[str, Any]) -> None:
    load_policy(con, "shop")
    con.execute("delete from shop.contact_cap")
    for cap in policy["caps"]:
        con.execute("insert into shop.contact_cap values (?, ?, ?, ?)", cap)
    for channel, changes in policy["channels"].items():
        columns = ", ".join(f"{name} = ?" for name in changes)
        con.execute(f"update shop.channel set {columns} where channel = ?", [*changes.values(), channel])
    journeys = [row[0] for row in con.execute("select journey from shop.journey order by 1").fetchall()]
    for place, journey in enumerate(journeys):
        steps = policy["steps"][place % len(policy["steps"])]
        con.execute("update shop.journey_step set channels = ? where journey = ?", [steps, journey])
    con.execute("update shop.budget set daily_amount = ? where scope = 'all'", [policy["budget"]])
    con.execute("update shop.budget set min_margin_per_cost = ? where scope = 'all'", [policy["floor"]])
    con.execute(
        "update shop.holdout set share = ?, universal_share = ?, salt = ?",
        [policy["share"], policy["universal"], policy["salt"]],
    )


def set_history(con: duckdb.DuckDBPyConnection, history: list[tuple[int, str, int, int]]) -> None:
    create_history(con)
    for number, channel, before, ahead in history:
        day = DAY - timedelta(days=before)
        con.execute(
            """
            insert into control.recall_touch by name
            select ? as as_of_date, dormancy.customer_id, dormancy.episode_id, 'send' as decision,
                'treated' as arm, 'c' as campaign_id, 't_' || ? || dormancy.customer_id as touch_id,
                'win_back_general' as journey, 1 as step, ? as channel, 'spend_save' as offer_id,
                'big_promotion' as template_id, ? as send_on, ? as valid_until,
                sha256(if(? = 'push', 'push', if(? in ('sms', 'phone'), 'phone', 'email')) || ':'
                    || coalesce(addresses.address, '?')) as address_key, 0.5 as expected_cost
            from shop.customer_dormancy as dormancy
            left join shop.int_address as addresses on dormancy.customer_id = addresses.customer_id
                and addresses.kind = if(? = 'push', 'push', if(? in ('sms', 'phone'), 'phone', 'email'))
            where dormancy.customer_id = 'c_' || lpad(?, 16, '0')
            """,
            [
                day,
                str(before),
                channel,
                day + timedelta(days=ahead),
                day + timedelta(days=ahead + 7),
                channel,
                channel,
                channel,
                channel,
                str(number),
            ],
        )


def rows_of(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = con.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@settings(
    max_examples=int(os.environ.get("WINBACK_EXAMPLES", "12")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(policy=policies, history=histories)
def test_no_send_breaks_a_rule(shop, policy, history):
    set_policy(shop, policy)
    set_history(shop, history)
    models = Models("shop")
    for model in CORE_MODELS:
        models.make(shop, model)
    decide(shop, models, DAY, known_until=datetime.combine(DAY + timedelta(days=1), time(5)))

    decisions = rows_of(shop, "from shop.int_recall_decision")
    assert Counter(row["customer_id"] for row in decisions) == Counter(
        row["customer_id"] for row in rows_of(shop, "from shop.customer")
    )
    selected = [row for row in decisions if row["decision"] in ("send", "holdout")]
    sends = [row for row in selected if row["decision"] == "send"]
    check_codes(shop, decisions)
    check_permissions(shop, selected)
    check_caps(shop, policy, selected)
    check_hours(shop, policy, selected)
    assert sum((row["expected_cost"] for row in sends), Decimal(0)) <= policy["budget"]
    for channel, number in Counter(row["channel"] for row in sends).items():
        limit = policy["channels"][channel]["daily_limit"] if channel in CHANNELS else None
        assert limit is None or number <= limit
    for channel, number in Counter(row["channel"] for row in selected).items():
        least = policy["channels"][channel]["minimum_list"] if channel in CHANNELS else None
        assert least is None or number >= least
    assert all(row["arm"] == "treated" for row in sends)
    assert all(row["arm"] in ("holdout", "universal_control") for row in selected if row not in sends)
    if not policy["share"] and not policy["universal"]:
        assert sends == selected


def check_codes(con: duckdb.DuckDBPyConnection, decisions: list[dict[str, Any]]) -> None:
    """Every reason is of the closed list, with its decision."""
    known = {row["reason_code"]: row["decision"] for row in rows_of(con, "from shop.reason_code")}
    assert {row["reason_code"]: row["decision"] for row in decisions}.items() <= known.items()


def check_permissions(con: duckdb.DuckDBPyConnection, selected: list[dict[str, Any]]) -> None:
    """An address, and the newest word of the account for the channel."""
    accounts = {
        row["account_key"]: row["customer_id"]
        for row in rows_of(con, "from shop.customer_account where source = 'ecommerce'")
    }
    granted = {
        (accounts[row["account_id"]], row["channel"], row["purpose"])
        for row in rows_of(con, "from shop.stg_consent__consents where status = 'granted'")
        if row["account_id"] in accounts
    }
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in rows_of(con, "from shop.int_address"):
        kinds[row["customer_id"]].add(row["kind"])
    needed = {"email": "email", "sms": "phone", "phone": "phone", "push": "push"}
    for row in selected:
        customer, channel = row["customer_id"], row["channel"]
        if channel in needed:
            assert needed[channel] in kinds[customer]
            assert (customer, channel, "marketing") in granted
        elif channel == "social_ads":
            assert kinds[customer] & {"email", "phone"}
            assert (customer, "social", "social_export") in granted
        else:
            assert channel == "crm"


def check_caps(
    con: duckdb.DuckDBPyConnection, policy: dict[str, Any], selected: list[dict[str, Any]]
) -> None:
    """In no window around a send are there more contacts than the cap, its own date's included."""
    contacts = [
        {"person": row["customer_id"], "address": row["address_key"], **row}
        for row in rows_of(con, "from shop.int_contact_history")
        if row["counts_from"] <= DAY
    ]
    contacts += [
        {
            "person": row["customer_id"],
            "address": row["address_key"],
            "channel": row["channel"],
            "send_on": row["send_after"].date(),
        }
        for row in selected
    ]
    for row in selected:
        sent_on = row["send_after"].date()
        own = {"person": row["customer_id"], "address": row["address_key"]}
        for scope, channel, days, messages in policy["caps"]:
            if channel not in ("all", row["channel"]):
                continue
            near = [
                contact
                for contact in contacts
                if contact[scope] == own[scope]
                and channel in ("all", contact["channel"])
                and abs((contact["send_on"] - sent_on).days) < days
            ]
            assert len(near) <= messages, (row, scope, channel, days, messages)


def check_hours(
    con: duckdb.DuckDBPyConnection, policy: dict[str, Any], selected: list[dict[str, Any]]
) -> None:
    hours = {row["channel"]: row for row in rows_of(con, "from shop.channel")}
    holidays = {row["holiday_on"] for row in rows_of(con, "from shop.holiday")}
    for row in selected:
        channel, at = hours[row["channel"]], row["send_after"]
        assert channel["active_from"] <= at.strftime("%H:%M") < channel["active_to"]
        assert at.date() > DAY
        assert channel["on_weekends"] or at.isoweekday() <= 5
        assert channel["on_holidays"] or at.date() not in holidays
