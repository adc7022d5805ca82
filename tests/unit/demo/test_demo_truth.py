"""The truth: consistent with itself and with the files, and as hard as promised."""

import math

import duckdb
import pytest

from pipelines.demo import DemoShop, rates
from pipelines.demo.campaigns import effects


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    row = con.execute(query).fetchone()
    assert row is not None
    return row


def test_every_account_has_one_owner(truth: duckdb.DuckDBPyConnection) -> None:
    assert one(
        truth,
        """
        select
            count(*) - count(distinct account_key),
            count(*) filter (where person_no not in (select person_no from person)),
            count(*) filter (where linked_key not in (select account_key from account))
        from account
        """,
    ) == (0, 0, 0)
    assert one(truth, "select count(*) from person anti join account using (person_no)") == (0,)


def test_people_share_the_phone_of_their_household(truth: duckdb.DuckDBPyConnection) -> None:
    shared, across = one(
        truth,
        """
        select count(*) filter (where people > 1), count(*) filter (where households > 1)
        from (
            select count(distinct person_no) as people, count(distinct household_no) as households
            from account where phone_norm is not null group by phone_norm
        )
        """,
    )
    assert shared > 20
    assert across == 0


def test_enough_pairs_are_connected_by_nothing(truth: duckdb.DuckDBPyConnection) -> None:
    pairs, unconnected, wrong = one(
        truth,
        """
        select count(*), avg(cast(not is_connected as integer)),
            count(*) filter (
                where (is_clean and not (shares_identifier and is_reachable))
                or (is_reachable and not is_connected) or (shares_identifier and not is_connected)
            )
        from account_pair
        """,
    )
    assert pairs > 1_000
    assert rates.MIN_UNCONNECTED_PAIR_SHARE <= unconnected < 0.3
    assert wrong == 0


def test_pairs_share_what_their_accounts_say(truth: duckdb.DuckDBPyConnection) -> None:
    assert one(
        truth,
        """
        select count(*)
        from account_pair
        inner join account as a on account_a = a.account_no
        inner join account as b on account_b = b.account_no
        where shares_identifier <> (
            coalesce(a.phone_norm = b.phone_norm, false) or coalesce(a.email_norm = b.email_norm, false)
            or coalesce(b.linked_key = a.account_key, false)
        )
        """,
    ) == (0,)


def test_causes_are_hard_to_see(truth: duckdb.DuckDBPyConnection) -> None:
    sleepers, visible, causes = one(
        truth, "select count(*), avg(cast(has_evidence as integer)), count(distinct cause) from sleep"
    )
    assert sleepers > 500
    assert 0.6 < visible <= rates.MAX_EVIDENCE_SHARE
    assert causes == 6
    decoys, buyers = one(
        truth,
        "select (select count(*) from evidence where is_decoy), "
        "(select count(*) from person where kind = 'buyer')",
    )
    assert decoys / buyers == pytest.approx(0.20, abs=0.01)
    assert one(
        truth,
        """
        select
            count(*) filter (where is_decoy and evidence.cause = sleep.cause),
            count(*) filter (where not is_decoy and (evidence.cause <> sleep.cause or not has_evidence))
        from evidence inner join sleep using (person_no)
        """,
    ) == (0, 0)


def test_few_sleepers_name_their_cause_and_a_tenth_errs(truth: duckdb.DuckDBPyConnection) -> None:
    answers, wrong, sleepers = one(
        truth,
        """
        select count(reason_code), count(*) filter (where reason_code <> true_cause),
            (select count(*) from sleep)
        from survey_answer
        """,
    )
    assert 0.02 < answers / sleepers <= rates.MAX_SURVEY_SHARE
    assert wrong == round(rates.SURVEY_WRONG_SHARE * answers)


def test_nobody_buys_before_they_came_or_after_they_left(truth: duckdb.DuckDBPyConnection) -> None:
    assert one(
        truth,
        """
        select
            count(*) filter (where purchased_at < joined_at),
            count(*) filter (where campaign_no is null and purchased_at >= dropout_at),
            count(*) filter (where purchased_at >= timestamp '2026-01-01')
        from purchase
        inner join person using (person_no)
        left join sleep using (person_no)
        """,
    ) == (0, 0, 0)


def test_a_purchase_is_made_with_an_account_of_its_own(truth: duckdb.DuckDBPyConnection) -> None:
    assert one(
        truth,
        """
        select count(*) from purchase
        anti join account on purchase.account_key = account.account_key
            and purchase.person_no = account.person_no and purchase.channel = account.source
            and opened_at <= purchased_at
        """,
    ) == (0,)


def test_density_is_full(large_shop: DemoShop) -> None:
    customers = large_shop.marker.customers
    feeds = large_shop.feeds
    lines = sum(
        feeds[feed].rows_loaded - feeds[feed].rows_repeated for feed in ("pos_sales", "ecommerce_order_lines")
    )
    assert lines / customers == pytest.approx(20, abs=4)
    assert feeds["web_events"].rows_loaded / customers == pytest.approx(50, abs=7)


def test_every_rhythm_keeps_its_time(truth: duckdb.DuckDBPyConnection) -> None:
    gaps = dict(
        truth.execute(
            "select rhythm, median(gap_days) from need where rhythm <> 'seasonal' group by 1"
        ).fetchall()
    )
    assert gaps["regular"] < gaps["irregular"] < gaps["durable"]


def test_holdouts_are_random(truth: duckdb.DuckDBPyConnection) -> None:
    assigned, controls, woken_controls = one(
        truth,
        "select count(*), count(*) filter (where is_control), "
        "count(*) filter (where is_control and is_woken) from campaign_assignment",
    )
    share = rates.CAMPAIGN_CONTROL_SHARE
    assert abs(controls - share * assigned) < 4 * math.sqrt(assigned * share * (1 - share))
    assert woken_controls == 0
    # Both arms have the same mix of people, channels and offers, so the same effect to come.
    treated_effect, control_effect = one(
        truth,
        "select avg(effect) filter (where not is_control), avg(effect) filter (where is_control) "
        "from campaign_assignment",
    )
    assert treated_effect == pytest.approx(control_effect, rel=0.12)


def test_the_truth_has_every_cell_of_the_effect(truth: duckdb.DuckDBPyConnection) -> None:
    found = truth.execute("select segment, channel, offer_id, effect from campaign_effect").fetchall()
    assert sorted(found) == sorted(effects())
    assert len(found) == 36 and sum(effect == 0 for *_, effect in found) == len(rates.NO_EFFECT)
    woken, expected, variance = one(
        truth,
        "select sum(cast(is_woken as integer)), sum(effect), sum(effect * (1 - effect)) "
        "from campaign_assignment where not is_control",
    )
    assert abs(woken - expected) < 4 * math.sqrt(variance)


def test_the_effect_can_be_found_in_the_files(sales: duckdb.DuckDBPyConnection) -> None:
    # Purchases in the window after the assignment, per arm, from what extraction loaded and nothing else; the
    # truth only says which account is whose. The difference of the means is the true effect, within noise.
    sales.execute(
        """
        create or replace temp table bought as
        select distinct order_id, account_id as account_key, ordered_at as at from raw.ecommerce_orders
        where status not in ('return', 'cancelled') and ordered_at < '2026-01-01'
        union
        select distinct receipt_id, member_id, sold_at from raw.pos_sales
        where member_id is not null and quantity > 0 and sold_at < '2026-01-01'
        """
    )
    rows = sales.execute(
        """
        with assigned as (
            select campaign_id, coalesce(account_id, member_id) as account_key, is_control, assigned_at
            from raw.campaign_members
            where campaign_id like 'RC%' and assigned_at < '2026-01-01'
        ),
        owned as (
            select assigned.*, account.person_no from assigned inner join account using (account_key)
        ),
        counted as (
            select owned.campaign_id, owned.person_no, owned.is_control, count(distinct order_id) as orders
            from owned
            left join account using (person_no)
            left join bought on bought.account_key = account.account_key
                and bought.at between assigned_at and assigned_at + interval 29 days
            group by all
        )
        select is_control, count(*), avg(orders), var_samp(orders) from counted group by 1 order by 1
        """
    ).fetchall()
    (_, treated, treated_mean, treated_variance), (_, held_out, held_out_mean, held_out_variance) = rows
    (expected,) = one(sales, "select avg(effect) from campaign_assignment where not is_control")
    error = math.sqrt(treated_variance / treated + held_out_variance / held_out)
    assert abs(treated_mean - held_out_mean - expected) < 4 * error
    assert treated_mean > held_out_mean


def test_complaints_come_from_evidence_alone(sales: duckdb.DuckDBPyConnection) -> None:
    complaining, traced, both = one(
        sales,
        """
        with complaining as (
            select distinct person_no from raw.service_tickets inner join ticket_owner using (ticket_id)
            where kind = 'complaint'
        ),
        traced as (select person_no from evidence where cause = 'bad_experience')
        select (select count(*) from complaining), (select count(*) from traced),
            (select count(*) from complaining inner join traced using (person_no))
        """,
    )
    assert complaining == both
    assert traced * 0.95 < complaining <= traced


@pytest.mark.parametrize(
    ("cause", "fact"),
    [
        ("communication_overload", "count(*) filter (where kind = 'sent' and days between -62 and 1) > 20"),
        ("communication_failure", "count(*) filter (where kind = 'bounced' and days between -72 and 1) >= 3"),
        ("brand_fade", "count(*) filter (where kind = 'sent' and days between -98 and 30) = 0"),
    ],
)
def test_evidence_shows_in_the_messages(sales: duckdb.DuckDBPyConnection, cause: str, fact: str) -> None:
    sales.execute("set variable cause = ?", [cause])
    shown, hidden = one(
        sales,
        f"""
        with messages as (
            select person_no, kind, occurred_at
            from raw.campaign_events
            inner join account on coalesce(account_id, member_id) = account_key
        ),
        -- Beside the traced ones, as many who are not, looked at in the same way.
        looked_at as (
            select person_no, happened_at, true as is_traced from evidence
            where cause = getvariable('cause') and happened_at > timestamp '2024-07-01'
            union all
            select person_no, timestamp '2025-03-01', false from person
            where kind = 'buyer'
                and person_no not in (select person_no from evidence where cause = getvariable('cause'))
        ),
        judged as (
            select looked_at.person_no, is_traced, {fact} as has_fact
            from (
                select looked_at.*, kind,
                    date_diff('day', happened_at::timestamp, occurred_at::timestamp) as days
                from looked_at left join messages using (person_no)
            ) as looked_at
            group by all
        )
        select avg(has_fact::integer) filter (where is_traced),
            avg(has_fact::integer) filter (where not is_traced)
        from judged
        """,
    )
    assert shown > 0.9
    assert hidden < 0.6 * shown


def test_the_truth_says_where_every_planted_row_is(
    truth: duckdb.DuckDBPyConnection, large_shop: DemoShop
) -> None:
    found = truth.execute("select feed, reason, count(*) from planted_dirt group by all").fetchall()
    written = {
        (feed, reason): rows
        for feed, counts in large_shop.feeds.items()
        for reason, rows in {
            **counts.quarantined,
            **counts.kept,
            "duplicate": counts.rows_duplicate,
        }.items()
        if rows
    }
    assert {(feed, reason): rows for feed, reason, rows in found} == written
