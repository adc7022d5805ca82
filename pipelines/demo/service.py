"""Help desk, permissions, devices and surveys: tables `ticket`, `consent`, `device`, `survey_answer`."""

import duckdb

from pipelines.demo import rates, words
from pipelines.demo.draws import DAY_SECONDS, by_value, texts

_END_S = rates.DAYS * DAY_SECONDS


def create_tickets(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `ticket` from help-desk contacts, ordinary purchases and evidence.

    Complaints come from evidence alone: from true bad experience and from decoys.
    """
    text = by_value("topic", {key: texts(value) for key, value in words.TICKET_TEXTS.items()})
    con.execute(f"""
    create or replace table ticket as
    with keyed as (
        select person_no,
            min(account_key) filter (where slot = 0) as online_key,
            min(account_key) filter (where slot = 2) as store_key
        from account
        group by person_no
    ),
    last_purchase as (
        select evidence.person_no, max(purchase.order_id) filter (where purchase.at_s = last_s) as order_id
        from evidence
        inner join (
            select evidence.person_no, max(purchase.at_s) as last_s
            from evidence
            inner join purchase on evidence.person_no = purchase.person_no and purchase.at_s <= evidence.at_s
            where cause = 'bad_experience'
            group by all
        ) using (person_no)
        inner join purchase on evidence.person_no = purchase.person_no
        where cause = 'bad_experience'
        group by evidence.person_no
    ),
    raised as (
        -- People the help desk knows by phone or e-mail alone.
        select account_no * 4 + place as ticket_no, person_no, null as account_id, null as member_id, email,
            phone,
            cast(greatest(opened_s, 0) + u('contact', account_no * 4 + place)
                * ({_END_S - 5 * DAY_SECONDS} - greatest(opened_s, 0)) as bigint) as opened_s,
            if(u('contact kind', account_no * 4 + place) < 0.7, 'enquiry', 'feedback') as kind, 'other'
                as topic,
            cast(null as varchar) as order_id, false as is_bad
        from account, unnest(range(1 + below(2, 'contacts', account_no))) as contacts(place)
        where source = 'helpdesk'
        union all
        select 200000000 + purchase_no, person_no,
            if(channel = 'ecommerce', account_key, null), if(channel = 'pos', account_key, null), null, null,
            at_s + {2 * DAY_SECONDS} + below({6 * DAY_SECONDS}, 'asks', purchase_no),
            pick(['enquiry', 'feedback', 'feedback', 'return'], 'asks what', purchase_no),
            pick(['delivery', 'product', 'other', 'other'], 'asks about', purchase_no), order_id, false
        from purchase
        where u('asks', purchase_no) < {rates.TICKET_PER_ORDER_SHARE}
        union all
        select 6000000000 + person_no * 4 + 1, evidence.person_no, online_key,
            if(online_key is null, store_key, null), null, null, at_s, 'complaint',
            coalesce(
                nullif(if(is_decoy, null, sub_reason), ''),
                pick(['delivery', 'product', 'service'], 'complains of', evidence.person_no)
            ), last_purchase.order_id, true
        from evidence
        inner join keyed using (person_no)
        left join sleep using (person_no)
        left join last_purchase using (person_no)
        where evidence.cause = 'bad_experience'
        union all
        select 6000000000 + person_no * 4 + 2, evidence.person_no, online_key,
            if(online_key is null, store_key, null), null, null, at_s, 'enquiry', 'price', null, false
        from evidence
        inner join keyed using (person_no)
        where cause = 'price_competition' and u('asks price', person_no) < 0.5
    ),
    handled as (
        select *,
            cast(opened_s + waiting(if(is_bad, 6.0, 1.0) * {DAY_SECONDS}, 'solved', ticket_no) as bigint)
                as solved_s
        from raised
        where opened_s >= 0 and opened_s < {_END_S - DAY_SECONDS}
    )
    select
        ticket_no, person_no, account_id, member_id, email, phone, kind, topic, order_id, opened_s,
        'T' || scrambled(ticket_no, 12) as ticket_id,
        if(email is not null, 'email', pick(['phone', 'chat', 'chat'], 'by', ticket_no)) as channel,
        -- What is solved after the last day is still open.
        if(u('stays open', ticket_no) < 0.03 or solved_s >= {_END_S}, null, solved_s) as closed_s,
        case
            when is_bad then 1 + below(2, 'rating', ticket_no)
            when u('rates', ticket_no) < 0.4 then 3 + below(3, 'rating', ticket_no)
        end as rating,
        {text}[1 + below(2, 'wording', ticket_no)] as text
    from handled
    """)


def create_consents(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `consent`: permissions per account, channel and purpose, and their withdrawals."""
    offers = [
        *((channel, "marketing", share) for channel, share in rates.CONSENT_GRANTED_SHARES.items()),
        ("all", "profiling", rates.PROFILING_CONSENT_SHARE),
        ("social", "social_export", rates.SOCIAL_EXPORT_CONSENT_SHARE),
    ]
    values = ", ".join(f"({n}, '{c}', '{p}', {s})" for n, (c, p, s) in enumerate(offers))
    con.execute(f"""
    create or replace table consent as
    with asked as (
        select account.*, offers.*, account_no * 16 + number as consent_no
        from account
        cross join (values {values}) as offers(number, channel, purpose, share)
        where source in ('ecommerce', 'pos')
    ),
    granted as (
        select * from asked where u('consents', consent_no) < share
    ),
    decided as (
        select *, opened_s as at_s, 'granted' as status, 0 as place from granted
        union all
        select *, cast(greatest(opened_s, 0) + u('withdrawn at', consent_no)
            * ({_END_S - DAY_SECONDS} - greatest(opened_s, 0)) as bigint), 'withdrawn', 1
        from granted
        where u('withdraws', consent_no) < {rates.CONSENT_WITHDRAWN_SHARE}
    )
    select
        'C' || scrambled(consent_no, 13) || cast(place as varchar) as consent_id,
        source, account_key, channel, purpose, status, at_s,
        if(purpose = 'profiling', 'legitimate_interest', 'consent') as basis,
        if(status = 'granted', pick(['web_form', 'double_opt_in', 'store_form'], 'form', consent_no),
            'preference_page') as evidence
    from decided
    """)


def create_devices(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `device`: installations of the app."""
    con.execute(f"""
    create or replace table device as
    select
        person_no,
        'D' || scrambled(account_no, 14) as device_id,
        if(u('no account', account_no) < {rates.DEVICE_WITHOUT_ACCOUNT_SHARE}, null, account_key)
            as account_key,
        md5('token' || cast(account_no as varchar)) as push_token,
        pick(['apns', 'huawei', 'xiaomi', 'fcm'], 'vendor', account_no) as vendor,
        u('enabled', account_no) < {rates.DEVICE_ENABLED_SHARE} as enabled,
        cast(greatest(opened_s, 0) + u('installed', account_no)
            * ({_END_S - DAY_SECONDS} - greatest(opened_s, 0)) as bigint) as at_s
    from account
    where source = 'ecommerce' and u('device', account_no) < {rates.DEVICE_SHARE}
    """)


def create_survey_answers(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `survey_answer`: few sleepers name their cause, a tenth of them a wrong one; others give a
    score."""
    con.execute(f"""
    create or replace table survey_answer as
    with keyed as (
        select person_no, arg_min(source, slot) as source, arg_min(account_key, slot) as account_key
        from account
        where source in ('ecommerce', 'pos')
        group by person_no
    ),
    asked as (
        select person.person_no, source, account_key, cause, dropout_s, joined_s,
            cause is not null and row_number() over (
                partition by cause is null order by u('answers', person.person_no), person.person_no
            ) <= {rates.SURVEY_SHARE} * count(*) over (partition by cause is null) as names_cause
        from person
        inner join keyed using (person_no)
        left join sleep using (person_no)
        where kind = 'buyer'
    ),
    answered as (
        select *,
            row_number() over (partition by names_cause order by u('errs', person_no), person_no)
            <= round({rates.SURVEY_WRONG_SHARE} * count(*) over (partition by names_cause)) as errs
        from asked
    )
    select
        person_no, source, account_key,
        'Q' || scrambled(person_no, 15) as response_id,
        if(names_cause, 'why-so-quiet', 'satisfaction-2025') as survey_id,
        cast(if(
            names_cause, dropout_s + (8 + 30 * u('answered', person_no)) * {DAY_SECONDS},
            greatest(joined_s, 0) + u('answered', person_no) * ({_END_S} - greatest(joined_s, 0))
        ) as bigint) as at_s,
        cause as true_cause,
        case
            when names_cause and errs
                then pick(list_filter({texts(rates.CAUSE_SHARES)}, lambda name: name <> cause), 'error',
                    person_no)
            when names_cause then cause
        end as reason_code,
        if(names_cause, 2 + below(5, 'score', person_no), 6 + below(5, 'score', person_no)) as score
    from answered
    where names_cause or u('satisfied', person_no) < {rates.SATISFACTION_SURVEY_SHARE}
    """)
