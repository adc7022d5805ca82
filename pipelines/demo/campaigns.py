"""Past recall campaigns with random holdouts and a known true effect, and the letters sent between them.

Tables `assignment` (one row per customer in a campaign), `woken_visit` (the purchases that the campaigns
truly caused), `message` (what happened to what was sent). Eligibility looks at the purchases people make by
themselves, so that the effect in each cell of `effect` is exactly the probability with which a treated
customer buys once more within the window than without the campaign.
"""

import duckdb

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS, by_value, one_of
from pipelines.demo.purchases import WOKEN_PLACE

_END_S = rates.DAYS * DAY_SECONDS


def effects() -> list[tuple[str, str, str, float]]:
    """The true incremental effect by segment, channel and offer: a probability."""
    return [
        (
            segment,
            channel,
            offer,
            0.0
            if (segment, channel, offer) in rates.NO_EFFECT
            else round(by_segment * by_channel * by_offer, 6),
        )
        for segment, by_segment in rates.EFFECT_BY_SEGMENT.items()
        for channel, by_channel in rates.EFFECT_BY_CHANNEL.items()
        for offer, by_offer in rates.EFFECT_BY_OFFER.items()
    ]


def create_effects(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `effect` and `campaign`; the same for every batch."""
    rows = ", ".join(f"('{s}', '{c}', '{o}', {value}::double)" for s, c, o, value in effects())
    days = ", ".join(
        f"({number}, 'RC{number:02d}', {day * DAY_SECONDS + 10 * 3_600})"
        for number, day in enumerate(rates.CAMPAIGN_DAYS, start=1)
    )
    con.execute(f"""
    create or replace table effect (segment varchar, channel varchar, offer_id varchar, effect double);
    insert into effect values {rows};
    create or replace table campaign (campaign_no integer, campaign_id varchar, campaign_s bigint);
    insert into campaign values {days};
    """)


def create_assignments(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `assignment` and `woken_visit` from `visit`, `person`, `account` and `evidence`."""
    con.execute(f"""
    create or replace table assignment as
    with silences as (
        select person_no, campaign_no, campaign_id, campaign_s,
            max(at_s) filter (where at_s < campaign_s) as last_s
        from visit, campaign
        group by all
    ),
    quiet as (
        select person_no, at_s as faded_s from evidence where cause = 'brand_fade'
    ),
    eligible as (
        select silences.*, person_no * 16 + campaign_no as assignment_no
        from silences
        left join quiet using (person_no)
        where last_s < campaign_s - {rates.CAMPAIGN_SILENCE_DAYS * DAY_SECONDS}
            and coalesce(campaign_s < faded_s - {rates.SILENCE_BRAND_FADE_DAYS * DAY_SECONDS}, true)
    ),
    chosen as (
        select
            assignment_no, person_no, campaign_no, campaign_id,
            campaign_s + below(3600, 'assigned', assignment_no) as assigned_s,
            u('control', assignment_no) < {rates.CAMPAIGN_CONTROL_SHARE} as is_control,
            {one_of(rates.CAMPAIGN_CHANNEL_SHARES, "u('campaign channel', assignment_no)")} as channel,
            {one_of(rates.CAMPAIGN_OFFER_SHARES, "u('campaign offer', assignment_no)")} as offer_id
        from eligible
        where u('selected', assignment_no) < {rates.CAMPAIGN_SELECTED_SHARE}
    ),
    keyed as (
        select person_no,
            arg_min(source, slot) as source,
            arg_min(account_key, slot) as account_key,
            arg_min(email_norm, slot) filter (where email_norm is not null) as email,
            arg_min(phone_norm, slot) filter (where phone_norm is not null) as phone
        from account
        where source in ('ecommerce', 'pos')
        group by person_no
    )
    select chosen.*, person.segment, effect.effect, keyed.* exclude (person_no),
        not is_control and u('woken', assignment_no) < effect as is_woken,
        case channel when 'email' then keyed.email is not null when 'push' then source = 'ecommerce'
            else keyed.phone is not null end as has_address
    from chosen
    inner join person using (person_no)
    inner join keyed using (person_no)
    inner join effect using (segment, channel, offer_id)
    order by assignment_no
    """)
    con.execute(f"""
    create or replace table woken_visit as
    with wakes as (
        select person_no, campaign_no, offer_id, assignment_no,
            {WOKEN_PLACE} + campaign_no as place,
            assigned_s + 7200 + cast(least(
                waiting({rates.EFFECT_MEAN_DAYS * DAY_SECONDS}, 'wakes', assignment_no),
                u('wakes late', assignment_no) * {rates.EFFECT_WINDOW_DAYS * DAY_SECONDS}
            ) as bigint) as at_s
        from assignment
        where is_woken
    ),
    -- Some stay for one more purchase, beyond the window in which the effect is measured.
    again as (
        select person_no, campaign_no, offer_id, assignment_no, place, at_s from wakes
        union all
        select person_no, campaign_no, null, assignment_no, place + 50,
            at_s + cast({(rates.EFFECT_WINDOW_DAYS + 7) * DAY_SECONDS}
                + u('second', assignment_no) * {40 * DAY_SECONDS} as bigint)
        from wakes
        where u('stays', assignment_no) < {rates.SECOND_PURCHASE_SHARE}
    ),
    main_need as (
        select person_no, min_by(category_no, gap_days) as category_no
        from need
        where rhythm <> 'seasonal'
        group by person_no
    )
    select person_no, category_no, campaign_no, offer_id, at_s, person_no * 1000 + place as purchase_no
    from again
    inner join main_need using (person_no)
    where at_s < {_END_S}
    order by purchase_no
    """)


def create_messages(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `message`: sends of campaigns and letters and what became of them, one row per event."""
    subscribers = """
        select person_no, source, account_key, email
        from (
            select person_no, arg_min(source, slot) as source, arg_min(account_key, slot) as account_key,
                arg_min(email_norm, slot) filter (where email_norm is not null) as email, min(opened_s)
                    as opened_s
            from account
            where source in ('ecommerce', 'pos')
            group by person_no
        )
    """
    letters = ", ".join(
        f"({number}, {day * DAY_SECONDS + 8 * 3_600})" for number, day in enumerate(rates.LETTER_DAYS)
    )
    con.execute(f"""
    create or replace table sent_message as
    with subscriber as ({subscribers}),
    trace as (
        select person_no,
            min(at_s) filter (where cause = 'brand_fade') as faded_s,
            min(at_s) filter (where cause = 'communication_failure') as unreached_s,
            min(at_s) filter (where cause = 'communication_overload') as overloaded_s
        from evidence
        group by person_no
    ),
    sends as (
        select assignment_no as send_no, person_no, campaign_id, channel, assigned_s + 1800 as sent_s,
            source, account_key, has_address, 'recall'
                as letter
        from assignment
        where not is_control
        union all
        select 1000000000 + person_no * 64 + number, subscriber.person_no, 'LETTER-' || cast(number
            as varchar),
            'email', letter_s + below(3600, 'letter', person_no * 64 + number),
            source, account_key, true, 'letter'
        from subscriber
        inner join person using (person_no)
        cross join (values {letters}) as letters(number, letter_s)
        where subscriber.email is not null and joined_s < letter_s
            and u('subscribed', subscriber.person_no) < {rates.LETTER_SUBSCRIBER_SHARE}
        union all
        -- Far more than others get, in the weeks before.
        select 2000000000 + person_no * 64 + number, person_no, 'FLASH-' || cast(number % 7 as varchar),
            if(email is null, 'sms', 'email'),
            cast(overloaded_s - (number + 0.9 * u('flash', person_no * 64 + number))
                * {rates.OVERLOAD_WITHIN_DAYS * DAY_SECONDS / rates.OVERLOAD_SENDS} as bigint),
            source, account_key, true, 'flash'
        from trace
        inner join subscriber using (person_no)
        cross join unnest(range({rates.OVERLOAD_SENDS})) as numbers(number)
        where overloaded_s is not null
        union all
        select 3000000000 + person_no * 64 + number, person_no, 'REMINDER-' || cast(number as varchar),
            if(email is null, 'sms', 'email'), cast(unreached_s - number * {12 * DAY_SECONDS} as bigint),
            source, account_key, true, 'reminder'
        from trace
        inner join subscriber using (person_no)
        cross join unnest(range({rates.BOUNCED_LETTERS})) as numbers(number)
        where unreached_s is not null
    )
    select sends.*, overloaded_s,
        letter = 'flash' and send_no % 64 = 0 as is_last_flash,
        case
            when unreached_s is not null and sent_s > unreached_s - {70 * DAY_SECONDS} then true
            when not has_address then u('bounced', send_no) < 0.8
            else channel <> 'phone' and u('bounced', send_no) < {rates.BOUNCE_SHARE}
        end as is_bounced,
        u('opened', send_no) < {by_value("channel", rates.OPEN_SHARES)}
            * if(overloaded_s is not null and sent_s > overloaded_s - {60 * DAY_SECONDS}, 0.2, 1.0)
                as is_opened
    from sends
    left join trace using (person_no)
    where sent_s between 0 and {_END_S - 2 * DAY_SECONDS}
        and (
            faded_s is null
            or sent_s < faded_s - {rates.SILENCE_BRAND_FADE_DAYS * DAY_SECONDS}
        )
    """)
    con.execute(f"""
    create or replace table message as
    with happened as (
        select send_no, 0 as place, 'sent' as kind, 0 as after_s from sent_message
        union all
        select send_no, 1, if(is_bounced, 'bounced', 'delivered'), 20 from sent_message
        union all
        select send_no, 2, 'opened', 600 + below(86400, 'open delay', send_no)
        from sent_message where is_opened and not is_bounced
        union all
        select send_no, 3, 'clicked', 90000 + below(600, 'click delay', send_no)
        from sent_message where is_opened and not is_bounced and u('clicked', send_no) < {rates.CLICK_SHARE}
        union all
        select send_no, 4, 'answered', 60
        from sent_message
        where channel = 'phone' and not is_bounced and u('answered', send_no) < {rates.ANSWER_SHARE}
        union all
        select send_no, 5, 'replied', 3600
        from sent_message where channel = 'sms' and not is_bounced and u('replied',
            send_no) < {rates.REPLY_SHARE}
        union all
        select send_no, 6, if(u('unsubscribed', send_no) < 0.8, 'unsubscribed', 'complained'), 100000
        from sent_message
        where not is_bounced and (
            is_last_flash or (channel <> 'phone' and u('leaves', send_no) < {rates.UNSUBSCRIBE_SHARE})
        )
    )
    select
        send_no, place, campaign_id, channel, source, account_key, kind,
        'V' || scrambled(send_no, 9) || cast(place as varchar) as event_id,
        sent_s + after_s as at_s,
        if(kind = 'answered', pick(['interested', 'not_now', 'no_interest'], 'disposition', send_no), null)
            as disposition,
        cast(null as varchar) as coupon_code, cast(null as bigint) as amount_cents
    from happened
    inner join sent_message using (send_no)
    union all
    -- What an offer cost the shop, on the day of the purchase.
    select purchase_no, 7, assignment.campaign_id, assignment.channel, assignment.source,
        assignment.account_key,
        'redeemed', 'X' || scrambled(purchase_no, 9), purchase.at_s, null, purchase.coupon,
        if(assignment.offer_id = 'amount_30', 3000, 1500)
    from purchase
    inner join assignment using (person_no, campaign_no)
    where purchase.coupon like 'RC%'
    """)
