"""Web events, tickets, campaigns and surveys as their systems export them."""

from pipelines.demo import rates
from pipelines.demo.draws import by_value
from pipelines.demo.exports import Export

WEB_EVENTS = Export(
    feed="web_events",
    format="jsonl",
    gz="always",
    large_format="parquet",
    select="""
    select
        event_id as id,
        visitor_id as visitor,
        account_key as account,
        -- The web analytics speaks UTC.
        replace(stamp(at_s - 28800), ' ', 'T') || 'Z' as time,
        kind,
        product_id as sku,
        category,
        search_text as query,
        dwell_seconds as seconds,
        'events_' || half(at_s) as _file,
        at_s as _at,
        event_id as _key
    from web_event
    """,
)

TICKETS = Export(
    feed="service_tickets",
    format="jsonl",
    gz="large",
    select="""
    select
        ticket_id as ticket,
        account_id,
        member_id,
        email as from_email,
        phone as from_phone,
        channel,
        kind,
        topic,
        stamp(opened_s) as opened,
        stamp(closed_s) as closed,
        order_id as order_no,
        cast(rating as varchar) as rating,
        text,
        stamp(coalesce(closed_s, opened_s)) as updated,
        'tickets_' || year_of(opened_s) as _file,
        opened_s as _at,
        ticket_id as _key
    from ticket
    """,
)

CAMPAIGN_MEMBERS = Export(
    feed="campaign_members",
    format="csv",
    gz="large",
    select=f"""
    select
        campaign_id as campaign,
        if(source = 'ecommerce', account_key, null) as account,
        if(source = 'pos', account_key, null) as member,
        if(is_control, 'holdout', channel || '/' || offer_id) as arm,
        if(is_control, 'yes', 'no') as control,
        -- The holdout was drawn last: it has the channel and offer it would have got.
        channel,
        offer_id as offer,
        stamp(assigned_s) as assigned,
        if(is_control, '0', {by_value("channel", {k: f"'{v}'" for k, v in rates.CAMPAIGN_COST.items()})})
            as cost,
        'recall_' || year_of(assigned_s) as _file,
        assigned_s as _at,
        account_key as _key
    from assignment
    """,
)

CAMPAIGN_EVENTS = Export(
    feed="campaign_events",
    format="csv",
    gz="always",
    select="""
    select
        event_id as id,
        campaign_id as campaign,
        if(source = 'ecommerce', account_key, null) as account,
        if(source = 'pos', account_key, null) as member,
        channel,
        stamp(at_s) as happened,
        kind,
        disposition,
        coupon_code as coupon,
        cast(money(amount_cents) as varchar) as amount,
        'events_' || half(at_s) as _file,
        at_s as _at,
        event_id as _key
    from message
    """,
)

SURVEY_ANSWERS = Export(
    feed="survey_responses",
    format="csv",
    select="""
    select
        response_id as id,
        if(source = 'ecommerce', account_key, null) as account,
        if(source = 'pos', account_key, null) as member,
        survey_id as survey,
        stamp(at_s) as answered,
        reason_code as reason,
        cast(score as varchar) as score,
        if(reason_code is null, '挺好的', '最近不太需要') as comment,
        'survey' as _file,
        at_s as _at,
        response_id as _key
    from survey_answer
    """,
)
