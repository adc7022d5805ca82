"""What people do in the shop's pages and app: table `web_event`, from sessions before purchases and
between."""

import duckdb

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS, texts
from pipelines.demo.products import CATEGORIES

_END_S = rates.DAYS * DAY_SECONDS


def create_web_events(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `web_event` from `purchase`, `line`, `need`, `account` and `evidence`.

    A session before an online purchase ends in the cart; a browsing session has views and searches. The
    account is known only in sessions in which the visitor logs in. Who has several devices has several
    visitor ids.
    """
    con.execute(f"""
    create or replace table web_session as
    with visitor as (
        select person.person_no, person.kind, person.joined_s, account_key, opened_s, faded.at_s as faded_s,
            coalesce(dropout_s, {_END_S}) as until_s
        from person
        inner join account using (person_no)
        left join sleep using (person_no)
        left join (select * from evidence where cause = 'brand_fade') as faded using (person_no)
        where account.slot = 0
    ),
    before_purchase as (
        select purchase.person_no, purchase_no as session_no, category_no,
            at_s - 300 - below(1500, 'browse', purchase_no) as from_s,
            4 + below(4, 'session events', purchase_no) as events,
            purchase.account_key, true as is_purchase
        from purchase
        where channel = 'ecommerce' and u('browses', purchase_no) < {rates.SESSION_BEFORE_PURCHASE_SHARE}
    ),
    -- At a personal rate through the whole time; what falls after a drop-out is mostly left out below.
    browsing as (
        select visitor.*, unnest(range(least(
            {rates.MAX_BROWSE_SESSIONS},
            if(
                kind = 'registrant',
                below({rates.REGISTRANT_SESSIONS}, 'visits', person_no),
                cast(({_END_S} - greatest(opened_s, 0)) / {rates.BROWSE_GAP_DAYS * DAY_SECONDS}
                    * waiting(1, 'visits', person_no) as bigint)
            )
        ))) as place
        from visitor
    ),
    between_purchases as (
        select person_no, 6000000000 + person_no * 64 + place as session_no,
            below({len(CATEGORIES)}, 'browsed', person_no * 64 + place) as category_no,
            cast(greatest(opened_s, 0)
                + ({_END_S} - 8 * 3600 - greatest(opened_s, 0)) * u('visit at', person_no * 64 + place)
                    as bigint)
                as from_s,
            2 + below(9, 'visit events', person_no * 64 + place) as events,
            account_key, false as is_purchase, until_s, faded_s,
            u('still browses', person_no) as after_draw
        from browsing
    )
    select person_no, session_no, category_no, from_s, events, account_key, is_purchase from before_purchase
    union all
    select person_no, session_no, category_no, from_s, events, account_key, is_purchase from between_purchases
    where (from_s < until_s or after_draw < {rates.BROWSE_AFTER_DROPOUT_SHARE})
        and (faded_s is null or from_s < faded_s - {rates.SILENCE_BRAND_FADE_DAYS * DAY_SECONDS})
    """)
    con.execute(f"""
    create or replace table web_event as
    with known as (
        select *,
            u('logged in', session_no) < {rates.LOGGED_IN_SHARE} as is_logged_in,
            person_no * 4 + below(1 + below(3, 'devices', person_no), 'device', session_no) as visitor_no
        from web_session
    ),
    stepped as (
        select *, unnest(range(events)) as place from known
    ),
    drawn as (
        select *, session_no * 16 + place as id from stepped
    ),
    kinds as (
        select *,
            case
                when place = 0 and is_logged_in then 'login'
                when place <= 1 and u('searches', session_no) < 0.35 then 'search'
                when place = events - 1 and (is_purchase or u('carts', session_no) < 0.10) then 'cart'
                when u('wishes', id) < 0.05 then 'wishlist'
                else 'view'
            end as kind,
            if(is_purchase or u('strays', id) < 0.7, category_no, below({len(CATEGORIES)}, 'strays to', id))
                as shown_no
        from drawn
    ),
    shown as (
        select kinds.*,
            shown_no * {rates.PRODUCTS_PER_CATEGORY} + below(8, 'shown', id) as product_no,
            {texts(each.code for each in CATEGORIES)}[1 + shown_no] as category
        from kinds
    )
    select
        person_no, session_no, place, kind,
        'E' || scrambled(session_no, 10) || lpad(cast(place as varchar), 2, '0') as event_id,
        'v' || scrambled(visitor_no, 11) as visitor_id,
        if(is_logged_in, account_key, null) as account_key,
        from_s + place * 35 + below(25, 'pause', id) as at_s,
        case when kind in ('view', 'cart', 'wishlist')
            then 'P' || lpad(cast(10001 + product_no * 7 as varchar), 6, '0') end as product_id,
        if(kind = 'login', null, category) as category,
        if(kind = 'search', category, null) as search_text,
        if(kind = 'view', 3 + cast(waiting(30, 'dwell', id) as integer), null) as dwell_seconds
    from shown
    """)
    con.execute("drop table web_session")
