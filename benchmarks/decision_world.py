"""A synthetic shop in the shape in which the decisions read it, of any size, day by day.

Everything is drawn by hashes of a seed and the customer's number. Who buys when is drawn beforehand and heeds
no message: whatever effect is measured, there is none. `live_until` makes the marts of a date by a plain rule
of silence: how sleep is told is not what is looked at here.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

REASONS = (
    "bad_experience",
    "need_satisfied",
    "communication_failure",
    "communication_overload",
    "price_competition",
    "brand_fade",
    "unknown",
)
CLASSES = ("important_value", "important_development", "important_retention", "general")


def _one_of(values: tuple[str, ...], draw: str) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"list_extract([{listed}], 1 + cast(floor({len(values)} * {draw}) as integer))"


def create_world(
    con: duckdb.DuckDBPyConnection, schema: str, *, customers: int, start: date, days: int, seed: int = 1
) -> None:
    """Make the shop: people, addresses, permissions and all that will ever be bought, in a new schema.

    Args:
        con: an empty database.
        schema: made, with the tables of `core` and `staging` that the decisions read.
        customers: how many people.
        start: the first date that will be decided; two years lie before it.
        days: for how many days after it people go on buying.
        seed: another one is another shop.
    """
    con.execute(f"create schema if not exists control; create schema {schema}")
    con.execute(
        f"create or replace macro u(salt, n) as (hash(salt, n, {seed}) % 1000000) / 1e6;"
        f"create or replace macro day_of(draw) as "
        f"date '{start}' - 730 + cast(floor(draw * {730 + days}) as integer)"
    )
    con.execute(
        f"""
        create table {schema}.person as
        select
            range as n,
            'c_' || lpad(range::varchar, 16, '0') as customer_id,
            'a' || range as account_id,
            -- One in twelve shares the number of the person before.
            '+8613' || lpad(
                (case when u('shared', range) < 0.08 and range > 0 then range - 1 else range end)::varchar,
                9, '0'
            ) as phone,
            60 + cast(floor(120 * u('x', range)) as integer) as x_days
        from range({customers});
        create table {schema}.customer as
        select
            customer_id, date '{start}' - 731 as first_seen_on,
            case when u('prefers', n) < 0.1 then 'email' end as preferred_channel
        from {schema}.person;
        create table {schema}.customer_alias (alias_id varchar, customer_id varchar);
        create table {schema}.customer_account as
        select 'ecommerce' as source, account_id as account_key, customer_id from {schema}.person
        union all
        select 'pos', 'm' || n, customer_id from {schema}.person where u('member', n) < 0.3;
        create table {schema}.int_address as
        select customer_id, 'ecommerce' as source, account_id as account_key, 'email' as kind,
            'p' || n || '@mail.example.com' as address, timestamp '2020-01-01' as stated_at
        from {schema}.person where u('email', n) < 0.7
        union all
        select customer_id, 'ecommerce', account_id, 'phone', phone, timestamp '2020-01-01'
        from {schema}.person where u('phone', n) < 0.8
        union all
        select customer_id, 'ecommerce', account_id, 'push', 'token' || n, timestamp '2020-01-01'
        from {schema}.person where u('push', n) < 0.3;
        create table {schema}.stg_consent__consents as
        select account_id, cast(null as varchar) as member_id, cast(null as varchar) as address, channel,
            'marketing' as purpose,
            case when u('consent ' || channel, n) < 0.9 then 'granted' else 'withdrawn' end as status,
            timestamp '2020-01-01' as recorded_at
        from {schema}.person, (select unnest(['email', 'sms', 'push', 'phone']) as channel)
        where u('asked ' || channel, n) < 0.8
        union all
        select account_id, null, null, 'social', 'social_export', 'granted', timestamp '2020-01-01'
        from {schema}.person where u('export', n) < 0.3;
        create table {schema}.stg_web__devices as
        select 'token' || n as push_token, list_extract(['huawei', 'xiaomi', 'apns'], 1 + n % 3) as vendor
        from {schema}.person where u('push', n) < 0.3;
        create table {schema}.stg_social__accounts (
            account_key varchar, platform varchar, group_member boolean
        );
        create table {schema}.stg_campaign__members (
            campaign_id varchar, account_id varchar, member_id varchar, address varchar, arm varchar,
            is_control boolean, channel varchar, offer_id varchar, assigned_at timestamp, cost decimal(18, 4)
        );
        -- Another tool writes to one in ten every fortnight, until a month after the start.
        create table {schema}.stg_campaign__events as
        select
            'o' || n || '_' || wave as event_id, cast(null as varchar) as touch_id,
            'other' || wave as campaign_id,
            account_id, cast(null as varchar) as member_id, cast(null as varchar) as address,
            case when u('other channel', n) < 0.7 then 'email' else 'sms' end as channel,
            cast(date '{start}' - 60 + 14 * wave + interval 11 hour as timestamp) as occurred_at,
            'sent' as kind, cast(null as varchar) as disposition, cast(null as varchar) as coupon_code,
            cast(null as decimal(18, 2)) as amount
        from {schema}.person, (select unnest(range(6))::integer as wave)
        where u('other', n) < 0.1;
        create table {schema}.stg_survey__responses (account_id varchar, member_id varchar, address varchar);
        create table {schema}.int_kept_day as
        select distinct
            customer_id, day_of(u('bought ' || k, n)) as purchased_on, cast(null as date) as emptied_on
        from (
            select customer_id, n, unnest(range(1, 2 + cast(floor(7 * u('orders', n)) as integer))) as k
            from {schema}.person where u('buys', n) < 0.9
        );
        create table {schema}.int_revenue_day as
        select customer_id, purchased_on as booked_on, 100.00 as net_amount, 40.00 as margin_amount
        from {schema}.int_kept_day;
        create table {schema}.ticket as
        select
            't' || n as ticket_id, customer_id, 'complaint' as kind,
            cast(day_of(u('complains on', n)) as timestamp) as opened_at,
            case
                when u('solved', n) < 0.8 then cast(day_of(u('complains on', n)) + 10 as timestamp)
            end as closed_at
        from {schema}.person where u('complains', n) < 0.15;
        create table {schema}.session as
        select
            customer_id, cast(day_of(u('visits on', n)) as timestamp) as started_at, 4 as views,
            cast(u('cart', n) < 0.5 as integer) as carts, false as is_through_touch
        from {schema}.person where u('visits', n) < 0.5;
        create table {schema}.int_customer_field as
        select customer_id, 'birth_date' as field,
            cast(date '1960-01-01' + cast(floor(15000 * u('born', n)) as integer) as varchar) as field_value
        from {schema}.person where u('birthday known', n) < 0.6;
        create table {schema}.stg_catalog__products as
        select 'p' || range as product_id, cast(20 + 7 * range as decimal(18, 2)) as price from range(50);
        create table {schema}.segment_movement (
            customer_id varchar, scheme varchar, from_segment varchar, to_segment varchar, moved_on date
        );
        create or replace table control.suppression (
            address_key varchar, channel varchar, kind varchar, since timestamp
        );
        """
    )


def live_until(con: duckdb.DuckDBPyConnection, schema: str, day: date) -> None:
    """Replace the marts by those of a date, and note who woke on it."""
    con.execute(
        f"""
        create or replace table {schema}.customer_dormancy as
        with bought as (
            select
                people.customer_id, people.n, people.x_days, max(days.purchased_on) as last_on,
                count(days.purchased_on) as purchase_days
            from {schema}.person as people
            left join {schema}.int_kept_day as days
                on people.customer_id = days.customer_id and days.purchased_on <= date '{day}'
            group by all
        ),
        aged as (
            select *, coalesce(last_on, date '{day}' - 731 + cast(n % 365 as integer)) as silent_from,
                date '{day}' - coalesce(last_on, date '{day}' - 731 + cast(n % 365 as integer)) as silent_days
            from bought
        )
        select
            date '{day}' as as_of_date, customer_id,
            case when purchase_days > 0 then 'buyer' else 'registrant' end as customer_kind,
            'e_' || substr(md5(customer_id || '|' || silent_from), 1, 16) as episode_id,
            case
                when silent_days >= 4 * x_days then 'lost' when silent_days >= 2 * x_days then 'deep_dormant'
                when silent_days >= x_days then 'dormant' when 3 * silent_days >= 2 * x_days then 'cooling'
                else 'active'
            end as dormancy_state,
            case when silent_days >= x_days then silent_from + x_days end as dormant_since,
            case
                when u('tier', n) < 0.2 then 'high' when u('tier', n) < 0.5 then 'mid' else 'low'
            end as value_tier,
            case when silent_days >= x_days then {_one_of(REASONS, "u('reason', n)")} end as primary_reason,
            0.95 * exp(-silent_days / x_days) as p_active, 90 as horizon_days,
            case
                when purchase_days > 0 then cast(20 + 60 * u('margin', n) as decimal(18, 2))
            end as purchase_margin,
            case when purchase_days > 0 then silent_days end as days_since_purchase, purchase_days
        from aged;
        create or replace table {schema}.customer_rfm as
        select
            as_of_date, customer_id, {_one_of(CLASSES, "u('class', cast(substr(customer_id, 3) as bigint))")}
                as guide_class,
            100.00 * purchase_days as monetary, purchase_days as frequency
        from {schema}.customer_dormancy where customer_kind = 'buyer';
        create or replace table {schema}.recommendation as
        select
            date '{day}' as as_of_date, customer_id, 1 as message_rank,
            'p' || (cast(substr(customer_id, 3) as bigint) % 50) as product_id
        from {schema}.customer;
        insert into {schema}.segment_movement
        select days.customer_id, 'dormancy_state', 'dormant', 'active', days.purchased_on
        from {schema}.int_kept_day as days
        inner join {schema}.person as people on days.customer_id = people.customer_id
        where days.purchased_on = date '{day}' and u('noticed', people.n) < 0.3;
        """
    )


def answer(con: duckdb.DuckDBPyConnection, schema: str, day: date) -> None:
    """What came of the messages sent on a day, as the tools report it by the touch."""
    shares = {
        "sent": 1,
        "delivered": 0.98,
        "opened": 0.3,
        "clicked": 0.12,
        "unsubscribed": 0.01,
        "bounced": 0.01,
    }
    for place, (kind, share) in enumerate(shares.items()):
        con.execute(
            f"""
            insert into {schema}.stg_campaign__events
            select '{kind}' || touch_id, touch_id, null, null, null, null, channel,
                send_on + interval {12 + place} hour, '{kind}', null, null, null
            from control.recall_touch
            where decision = 'send' and send_on = ? and channel not in ('phone', 'crm', 'social_ads')
                and (hash(touch_id, '{kind}') % 1000000) / 1e6 < {share}
            """,
            [day],
        )
    con.execute(
        f"""
        insert into {schema}.stg_campaign__events
        select 'call' || touch_id, touch_id, null, null, null, null, channel, send_on + interval 15 hour,
            'answered',
            list_extract(
                ['interested', 'not_interested', 'no_answer'], 1 + cast(hash(touch_id) % 3 as integer)
            ),
            null, null
        from control.recall_touch where decision = 'send' and send_on = ? and channel = 'phone'
        """,
        [day],
    )


def simulated_days(start: date, days: int) -> list[date]:
    """The dates of a simulation."""
    return [start + timedelta(days=n) for n in range(days)]
