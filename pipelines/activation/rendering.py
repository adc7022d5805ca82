"""The rows of every audience file, rendered in SQL from the date's decisions.

First all that a message may say is put beside each send, once, in the temporary table `export_touch`; then
each file selects its rows from there. Nothing here loops over customers.

Messages are wide, so they are not sorted: `export_touch` is made in the order of the files, and DuckDB keeps
that order through filters, projections, `union all` and windows without an order of their own
(duckdb.org/docs/stable/sql/dialect/order_preservation). Queries that join sort their rows themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pipelines.activation import hashing, sms
from pipelines.activation.templates import VARIABLES, html_sql, to_sql
from pipelines.feeds.sql import identifier, literal

if TYPE_CHECKING:
    import duckdb

_UNRENDERED = ("crm", "social_ads")
"""Channels whose tool writes the message itself."""

_RENDERED = ("subject", "body", "body_html", "action", "link")

_UNSUBSCRIBE = {
    "en": "You get this message because you agreed to hear from us.",
    "zh": "您收到此邮件是因为您同意接收我们的消息。",
}
_UNSUBSCRIBE_WORD = {"en": "Unsubscribe", "zh": "退订"}


@dataclass(frozen=True)
class ExportOptions:
    """What the profile says of messages.

    Attributes:
        language: `zh` or `en`, of every message.
        shop_name: the sender's name.
        sms_opt_out: how to opt out of SMS, as the provider wants it written; the last words of every SMS.
        link_base: the shop's address, without a slash at its end.
        unsubscribe_base: the address that takes an unsubscription with `?token=`.
        ad_platforms: of `hashing.PLATFORMS`, those that audiences go to.
        currency: ISO 4217, of minimum spends.
    """

    language: str
    shop_name: str
    sms_opt_out: str
    link_base: str
    unsubscribe_base: str
    ad_platforms: Sequence[str]
    currency: str


def prepare(con: duckdb.DuckDBPyConnection, as_of_date: date, options: ExportOptions) -> None:
    """Create the temporary tables `export_touch` and `export_recommendation`.

    The first has the date's sends with their address and their message, the second the recommendations of
    each customer as one list.

    Raises:
        ValueError: a send without an address, or with a message that `policy.template` does not have.
    """
    con.execute(f"create or replace temp table export_send as {_send_sql(as_of_date, options)}")
    _require_addresses(con)
    messages = _messages(con, options.language)
    con.execute(
        f"""
        create or replace temp table export_touch as
        select touches.*, {", ".join(_message(messages, part, options) for part in _RENDERED)}
        from (
            select touches.*, {_message(messages, "deep_link", options)} as link_of_message
            from export_send as touches
        ) as touches
        """
    )
    con.execute("drop table export_send")
    _prepare_recommendations(con, as_of_date)


def _prepare_recommendations(con: duckdb.DuckDBPyConnection, as_of_date: date) -> None:
    """In parts, by ranges of customers: the lists of a million at once would not fit into memory."""
    ends = con.execute(
        f"""
        select customer_id
        from (
            select
                customer_id, row_number() over (order by customer_id) as place, count(*) over () as customers
            from (
                select distinct customer_id from marts.recommendation where as_of_date = {_day(as_of_date)}
            )
        )
        where place % {_CUSTOMERS_AT_ONCE} = 0 or place = customers
        order by customer_id
        """
    ).fetchall()
    con.execute(
        f"create or replace temp table export_recommendation as {recommendation_rows(as_of_date, '', '')}"
    )
    after = ""
    for (last,) in ends:
        con.execute(f"insert into export_recommendation {recommendation_rows(as_of_date, after, last)}")
        after = last


def discard(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what `prepare` made."""
    for table in ("export_touch", "export_send", "export_recommendation"):
        con.execute(f"drop table if exists temp.{table}")


def queries(as_of_date: date, options: ExportOptions) -> dict[str, str]:
    """SQL of the rows of each file that the options ask for, by the file's stem; to run after `prepare`."""
    platforms = [name for name in hashing.PLATFORMS if name in options.ad_platforms]
    return {
        "email": email_rows(options),
        "sms": sms_rows(options),
        "push": PUSH_SQL,
        "call_list": call_list_rows(as_of_date, options),
        "crm": CRM_SQL,
        **{f"social_{platform}": social_rows(platform) for platform in platforms},
        "social_dm": SOCIAL_DM_SQL,
        "recommendations": f"select *, {_ROW_NO} from export_recommendation",
    }


def email_rows(options: ExportOptions) -> str:
    """One row per e-mail, with what RFC 8058 wants in its headers.

    The token is a hash of the touch and of the address key, both of which the emission's touches keep: it can
    be found again when the export is deleted, and not guessed from either alone.
    """
    language = options.language
    token = "sha256('unsubscribe:' || touch_id || ':' || address_key)"
    address = f"{literal(options.unsubscribe_base + '?token=')} || {token}"
    farewell = (
        literal(f'{_UNSUBSCRIBE[language]} <a style="color:inherit" href="')
        + f" || {html_sql(address)} || "
        + literal(f'">{_UNSUBSCRIBE_WORD[language]}</a>')
    )
    body_text = (
        f"body || chr(10) || chr(10) || {_either('action', options.shop_name)} || ': ' || link || chr(10) || "
        f"chr(10) || {literal(_UNSUBSCRIBE_WORD[language] + ': ')} || {address}"
    )
    return f"""
    select
        touch_id, campaign_id, address as email, name, {literal(language)} as language, subject,
        {body_text} as body_text,
        {_layout(farewell, options)} as body_html,
        {token} as unsubscribe_token,
        '<' || {address} || '>' as list_unsubscribe,
        'List-Unsubscribe=One-Click' as list_unsubscribe_post,
        {_OFFER_AND_TIME},
        {_ROW_NO}
    from export_touch where channel = 'email'
    """


def sms_rows(options: ExportOptions) -> str:
    """One row per SMS: signature, body and opt-out text, and what providers bill it as."""
    if options.language == "zh":
        signature, opt_out = f"【{options.shop_name}】", f" {options.sms_opt_out}"
    else:
        signature, opt_out = f"{options.shop_name}: ", f" {options.sms_opt_out}"
    size = sms.size_sql("text")
    return f"""
    select
        touch_id, campaign_id, {_DIGITS} as phone, text,
        {size.encoding} as encoding, {size.units} as units, {size.parts} as parts,
        {_OFFER_AND_TIME},
        template_id, {literal(options.language)} as language,
        {_ROW_NO}
    from (
        select *, {literal(signature)} || body || {literal(opt_out)} as text
        from export_touch where channel = 'sms'
    )
    """


def call_list_rows(as_of_date: date, options: ExportOptions) -> str:
    """One row per call, with what the caller should know of the customer; of tickets kinds and dates only."""
    day = _day(as_of_date)
    return f"""
    with called as (

        select * from export_touch where channel = 'phone'

    ),

    spent as (

        select customer_id, max(purchased_on) as last_purchase_on, sum(net_amount) as total_spend
        from core.purchase_day
        where purchased_on <= {day} and customer_id in (select customer_id from called)
        group by customer_id

    ),

    bought as (

        select
            lines.customer_id, lines.ordered_on, products.name,
            cast(sum(lines.quantity) as decimal(38, 4)) as quantity,
            dense_rank() over (partition by lines.customer_id order by lines.ordered_on desc) as day_place,
            row_number() over (
                partition by lines.customer_id, lines.ordered_on
                order by sum(lines.amount) desc, products.name asc
            ) as product_place
        from core.order_line as lines
        inner join core.product as products on lines.product_id = products.product_id
        where
            lines.is_revenue and not lines.is_return and lines.ordered_on <= {day}
            and lines.customer_id in (select customer_id from called)
        group by lines.customer_id, lines.ordered_on, products.name

    ),

    days as (

        select
            customer_id, ordered_on,
            ordered_on || ': ' || string_agg(
                name || ' × ' || regexp_replace(cast(quantity as varchar), '\\.?0+$', ''), ', '
                order by product_place
            ) as told
        from bought
        where day_place <= 3 and product_place <= 5
        group by customer_id, ordered_on

    ),

    orders as (

        select customer_id, string_agg(told, chr(10) order by ordered_on desc) as recent_orders
        from days
        group by customer_id

    ),

    tickets as (

        select
            customer_id,
            string_agg(told, chr(10) order by place) as recent_tickets
        from (
            select
                customer_id,
                cast(opened_at as date) || ': ' || kind as told,
                row_number() over (partition by customer_id order by opened_at desc, ticket_id desc) as place
            from core.ticket
            where cast(opened_at as date) <= {day} and customer_id in (select customer_id from called)
        )
        where place <= 3
        group by customer_id

    )

    select
        called.touch_id, called.campaign_id, called.name, ltrim(called.address, '+') as phone, called.city,
        called.tier, called.points_balance as points, called.guide_class, called.dormancy_state,
        called.value_tier, spent.last_purchase_on, called.purchase_days, spent.total_spend,
        {literal(options.currency)} as currency, orders.recent_orders, tickets.recent_tickets,
        called.favourite_category, called.products as recommendations, called.explanation,
        called.explanation_zh, called.body as script, called.offer,
        {_OFFER_AND_TIME.replace("priority", "called.priority")},
        row_number() over (order by called.priority, called.touch_id) as row_no
    from called
    left join spent on called.customer_id = spent.customer_id
    left join orders on called.customer_id = orders.customer_id
    left join tickets on called.customer_id = tickets.customer_id
    order by row_no
    """


CRM_SQL = """
    select
        touches.touch_id, touches.campaign_id, touches.journey, touches.step, touches.offer_id,
        touches.coupon_code, touches.reason_code, touches.primary_reason,
        accounts.source as account_source, accounts.account_key as account_id, touches.customer_id,
        touches.guide_class, touches.dormancy_state, touches.value_tier, touches.explanation,
        touches.explanation_zh, touches.priority, touches.send_after, touches.valid_until,
        row_number() over (
            order by touches.priority, touches.touch_id, accounts.source, accounts.account_key
        ) as row_no
    from export_touch as touches
    inner join core.customer_account as accounts on touches.customer_id = accounts.customer_id
    where touches.channel = 'crm'
    order by row_no
"""
"""One row per account of a customer: the CRM knows its members by the ids of the shop's own systems."""


def social_rows(platform: str) -> str:
    """One row per customer whom the platform can match: hashed addresses under the platform's own headers."""
    columns = ", ".join(
        f"{expression} as {identifier(name)}" for name, expression in _SOCIAL[platform].items()
    )
    matched = " or ".join(f"{identifier(name)} is not null" for name in _SOCIAL[platform])
    return f"""
    select *, {_ROW_NO}
    from (
        select {columns}, touch_id, priority, valid_until
        from ({_ADDRESSES_SQL})
        order by priority, touch_id
    )
    where {matched}
    """


def recommendation_rows(as_of_date: date, after: str, last: str) -> str:
    """One row per customer with recommendations, for home page and chat bot, under the shop's account ids.

    Of the customers after an id and up to another one. Left out is who withdrew the consent to profiling: the
    newest word of each account and address counts, and of several the restrictive one.
    """
    day = _day(as_of_date)
    return f"""
    with words as (

        select
            coalesce(account_id, '') || chr(31) || coalesce(member_id, '') || chr(31) || coalesce(address, '')
                as subject_key,
            status, recorded_at
        from staging.stg_consent__consents
        where purpose = 'profiling'

    ),

    withdrawn as (

        select distinct subjects.customer_id
        from (
            select subject_key, status
            from words
            qualify row_number() over (
                partition by subject_key order by recorded_at desc, status desc
            ) = 1
        ) as newest
        inner join core.int_subject as subjects on newest.subject_key = subjects.subject_key
        where newest.status = 'withdrawn'

    ),

    accounts as (

        select
            customer_id,
            list_sort(list({{'source': source, 'account_id': account_key}})) as accounts
        from core.customer_account
        where source in ('ecommerce', 'pos', 'social') and {_between("customer_id", after, last)}
        group by customer_id

    ),

    recommended as (

        select
            recommended.customer_id,
            -- A struct sorts by its first fields; that is far faster than an aggregate with an order.
            list_sort(list(
                {{
                    'list': recommended.list,
                    'rank': recommended.rank,
                    'product_id': recommended.product_id,
                    'product': products.name,
                    'why': recommended.why
                }}
            )) as recommendations
        from marts.recommendation as recommended
        left join core.product as products on recommended.product_id = products.product_id
        where recommended.as_of_date = {day} and {_between("recommended.customer_id", after, last)}
        group by recommended.customer_id

    )

    select {day} as as_of_date, recommended.customer_id, accounts.accounts, recommended.recommendations
    from recommended
    inner join accounts on recommended.customer_id = accounts.customer_id
    where recommended.customer_id not in (select customer_id from withdrawn)
    order by recommended.customer_id
    """


def _between(column: str, after: str, last: str) -> str:
    return f"{column} > {literal(after)} and {column} <= {literal(last)}"


def html_text(text: str) -> str:
    """The text as HTML shows it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


_OFFER_AND_TIME = "offer_id, coupon_code, offer_until, send_after, send_before, valid_until, priority"
_CUSTOMERS_AT_ONCE = 50_000
"""So many lists of recommendations are put together in one statement."""

_ROW_NO = "row_number() over () as row_no"
_DIGITS = "ltrim(address, '+')"

PUSH_SQL = f"""
    select
        touch_id, campaign_id, address as token, vendor, subject as title, body, action, link as deep_link,
        {_OFFER_AND_TIME},
        {_ROW_NO}
    from export_touch where channel = 'push'
"""
"""One row per push message."""

SOCIAL_DM_SQL = f"""
    select
        touch_id, campaign_id, platform, address as social_id, group_member, body as text, link,
        {_OFFER_AND_TIME},
        {_ROW_NO}
    from export_touch where channel = 'social_dm'
"""
"""One row per direct message in a social network."""

# Advertising platforms match by e-mail and by phone. One of the two is the contact's address; the other is
# the first of the customer's.
_ADDRESSES_SQL = """
select
    touches.touch_id, touches.priority, touches.valid_until,
    if(contains(touches.address, '@'), touches.address, known.email) as email,
    if(starts_with(touches.address, '+'), touches.address, known.phone) as phone
from export_touch as touches
left join (
    select
        customer_id,
        min(address) filter (where kind = 'email') as email,
        min(address) filter (where kind = 'phone') as phone
    from core.int_address
    group by customer_id
) as known on touches.customer_id = known.customer_id
where touches.channel = 'social_ads'
"""

# The headers that the platforms document: see the sources in hashing.RULES, and for Tencent the column keys
# of datanexus.qq.com/doc/develop/guider/interface/file/data_nexus_file_add. Google matches names only with a
# postal code, which no feed has, so those columns stay empty rather than carry names to no use.
_SOCIAL: Mapping[str, Mapping[str, str]] = {
    "google": {
        "Email": hashing.hashed_sql("google", "email", "email"),
        "Phone": hashing.hashed_sql("google", "phone", "phone"),
        "First Name": "cast(null as varchar)",
        "Last Name": "cast(null as varchar)",
        "Country": "cast(null as varchar)",
        "Zip": "cast(null as varchar)",
    },
    "meta": {
        "email": hashing.hashed_sql("meta", "email", "email"),
        "phone": hashing.hashed_sql("meta", "phone", "phone"),
    },
    "tiktok": {
        "Email_SHA256": hashing.hashed_sql("tiktok", "email", "email"),
        "Phone_SHA256": hashing.hashed_sql("tiktok", "phone", "phone"),
    },
    "tencent": {
        "USERID_MD5_MOBILE_PHONE": hashing.hashed_sql("tencent", "phone", "phone", "md5"),
        "USERID_SHA256_MOBILE_PHONE": hashing.hashed_sql("tencent", "phone", "phone"),
    },
    "ocean_engine": {"MOBILE_HASH_SHA256": hashing.hashed_sql("ocean_engine", "phone", "phone")},
}


def _day(as_of_date: date) -> str:
    return f"date '{as_of_date.isoformat()}'"


def _send_sql(as_of_date: date, options: ExportOptions) -> str:
    """The sends with everything that a template may name, under the variable's name."""
    day = _day(as_of_date)
    is_zh = options.language == "zh"
    date_format = "%Y年%-m月%-d日" if is_zh else "%-d %B %Y"
    return f"""
    with sends as (

        select * from activation.recall_decision where as_of_date = {day} and decision = 'send'

    ),

    names as (

        select customer_id, max(field_value) as name
        from core.int_customer_field
        where field = 'name'
        group by customer_id

    ),

    goods as (

        select
            recommended.customer_id,
            max(products.name) filter (where recommended.message_rank = 1) as product,
            string_agg(products.name, {literal("、" if is_zh else ", ")} order by recommended.message_rank)
                as products
        from marts.recommendation as recommended
        inner join core.product as products on recommended.product_id = products.product_id
        where
            recommended.as_of_date = {day} and recommended.message_rank <= 3
            and recommended.customer_id in (select customer_id from sends)
        group by recommended.customer_id

    ),

    joined as (

        select
            sends.*,
            contacts.address, contacts.vendor, contacts.platform, contacts.group_member,
            names.name,
            offers.{"name_zh" if is_zh else "name"} as offer,
            if(
                offers.valid_days is null, null,
                cast(coalesce(sends.send_after, sends.as_of_date) as date)
                + cast(offers.valid_days as integer)
            ) as offer_until,
            cast(offers.minimum_spend as decimal(18, 2)) as minimum_spend,
            goods.product, goods.products,
            customers.favourite_category, customers.points_balance, customers.tier, customers.home_store,
            customers.city,
            dormancy.days_since_purchase, dormancy.purchase_days, dormancy.dormancy_state,
            dormancy.value_tier, dormancy.primary_reason, dormancy.explanation, dormancy.explanation_zh,
            rfm.guide_class
        from sends
        left join activation.int_contact_address as contacts
            on
                sends.customer_id = contacts.customer_id and sends.channel = contacts.channel
                -- The address that the decision was made for, and no other.
                and sends.address_key = contacts.address_key
        left join names on sends.customer_id = names.customer_id
        left join policy.offer as offers on sends.offer_id = offers.offer_id
        left join goods on sends.customer_id = goods.customer_id
        left join core.customer as customers on sends.customer_id = customers.customer_id
        left join marts.customer_dormancy as dormancy
            on sends.as_of_date = dormancy.as_of_date and sends.customer_id = dormancy.customer_id
        left join marts.customer_rfm as rfm
            on sends.as_of_date = rfm.as_of_date and sends.customer_id = rfm.customer_id

    )

    select
        *,
        strftime(offer_until, {literal(date_format)}) as offer_until_words,
        {_money("minimum_spend", options)} as minimum_spend_words,
        nullif(points_balance, 0) as points_words
    from joined
    order by priority, touch_id
    """


def _money(amount: str, options: ExportOptions) -> str:
    figure = f"regexp_replace(cast(nullif({amount}, 0) as varchar), '\\.00$', '')"
    if options.language == "zh":
        unit = "元" if options.currency == "CNY" else f" {options.currency}"
        return f"{figure} || {literal(unit)}"
    return f"{literal(options.currency + ' ')} || {figure}"


def _require_addresses(con: duckdb.DuckDBPyConnection) -> None:
    missing = con.execute(
        "select channel, count(*) from export_send where address is null and channel <> 'crm' "
        "group by channel order by channel"
    ).fetchall()
    if missing:
        told = ", ".join(f"{channel}: {count}" for channel, count in missing)
        raise ValueError(f"sends without their address in activation.int_contact_address: {told}")


@dataclass(frozen=True)
class _Template:
    """The parts of one row of `policy.template`; an empty part is ''."""

    template_id: str
    channel: str
    subject: str
    body: str
    action: str
    deep_link: str


def _messages(con: duckdb.DuckDBPyConnection, language: str) -> list[_Template]:
    """The templates that the sends use, in this language."""
    rows = con.execute(
        """
        select
            used.template_id, used.channel, templates.template_id is null,
            coalesce(subject, ''), coalesce(body, ''), coalesce(action, ''), coalesce(deep_link, '')
        from (
            select distinct template_id, channel from export_send
            where not list_contains($unrendered::varchar[], channel)
        ) as used
        left join policy.template as templates
            on
                used.template_id = templates.template_id and used.channel = templates.channel
                and templates.language = $language
        order by used.template_id, used.channel
        """,
        {"language": language, "unrendered": list(_UNRENDERED)},
    ).fetchall()
    missing = [f"{template_id} ({channel})" for template_id, channel, absent, *_ in rows if absent]
    if missing:
        raise ValueError(f"policy.template has no text in {language!r} for: {', '.join(missing)}")
    return [_Template(template_id, channel, *parts) for template_id, channel, _, *parts in rows]


def _message(messages: Sequence[_Template], part: str, options: ExportOptions) -> str:
    """SQL for one part of every send's message: one branch for each template, run on its rows only."""
    if part == "link":
        return "link_of_message as link"
    column = "body" if part == "body_html" else part
    variables = _encoded_variables(options) if part == "deep_link" else _variables(options)
    branches = []
    for message in messages:
        if part == "body_html" and message.channel != "email":
            continue
        text = getattr(message, column).replace("\r\n", "\n")
        rendered = to_sql(text, variables, html=part == "body_html")
        if part == "deep_link":
            rendered = _absolute(text, rendered, options)
        branches.append(
            f"when template_id = {literal(message.template_id)} and channel = {literal(message.channel)} "
            f"then {rendered}"
        )
    expression = f"case {' '.join(branches)} end" if branches else "cast(null as varchar)"
    return expression if part == "deep_link" else f"{expression} as {part}"


def _absolute(text: str, rendered: str, options: ExportOptions) -> str:
    """A path of the shop as an address; an address (or a link into an app) is left as it is."""
    if re.match(r"[a-z][a-z0-9+.-]*://", text):
        return rendered
    base = options.link_base.rstrip("/")
    return f"{literal(base if text.startswith('/') or not text else base + '/')} || {rendered}"


def _variables(options: ExportOptions) -> dict[str, str]:
    """SQL of each template variable, on the rows of `export_send` and their link."""
    columns = {
        "shop": literal(options.shop_name),
        "offer_until": "offer_until_words",
        "minimum_spend": "minimum_spend_words",
        "category": "favourite_category",
        "points": "points_words",
        "store": "home_store",
        "days_silent": "days_since_purchase",
        "link": "link_of_message",
    }
    return {name: columns.get(name, name) for name in VARIABLES}


def _encoded_variables(options: ExportOptions) -> dict[str, str]:
    """The same for use within a link, which itself cannot name the link."""
    return {
        name: f"url_encode(cast({expression} as varchar))"
        for name, expression in _variables(options).items()
        if name != "link"
    }


def _either(expression: str, otherwise: str) -> str:
    return f"coalesce(nullif({expression}, ''), {literal(otherwise)})"


@cache
def _layout_parts() -> tuple[str, ...]:
    """The layout of e-mails, cut at its places: texts at even indices, names of places at odd ones."""
    text = files("pipelines.activation").joinpath("email.html").read_text(encoding="utf-8")
    return tuple(re.split(r"\[\[(\w+)\]\]", text))


def _layout(farewell: str, options: ExportOptions) -> str:
    paragraphs = "replace(regexp_replace(body_html, '\\n{2,}', '</p><p>', 'g'), chr(10), '<br>')"
    places = {
        "language": literal(options.language),
        "subject": html_sql("subject"),
        "shop": literal(html_text(options.shop_name)),
        "body": paragraphs,
        "link": html_sql("link"),
        "action": html_sql(_either("action", options.shop_name)),
        "unsubscribe": farewell,
    }
    parts = _layout_parts()
    return " || ".join(
        places[part] if index % 2 else literal(part) for index, part in enumerate(parts) if part
    )
