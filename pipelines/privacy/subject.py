"""Who is meant: from an e-mail address, a number or an account to a customer, and to all that names them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.feeds.sql import path_literal
from pipelines.feeds.tombstones import contact_text

if TYPE_CHECKING:
    import duckdb

GIVEN_KINDS = ("customer", "account", "email", "phone", "card", "device")
"""By what a person can be looked up.

A customer id or one that a merge retired; `<source>:<account key>` as in core.customer_account; an address or
a number in any notation that a source has written, or in normal form; a member card; `app:<device>` or
`browser:<visitor>`.
"""


class UnknownPerson(LookupError):
    """Nobody, or more than one customer, is meant; the message says what was looked up and what to give."""


@dataclass(frozen=True)
class Subject:
    """A person and all that names them.

    Attributes:
        customer_ids: the customer's id and those that merges retired.
        names: kind (of `tombstones.KINDS`) and value of each key and address that is theirs alone.
        shared: kind and value of those that another customer has too: they stay, with the other.
        texts: how keys and addresses are written in the files, for the search in bytes.
    """

    customer_ids: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]
    texts: tuple[str, ...]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Subject:
        """What `to_json` wrote; raises ValueError, KeyError or TypeError for any other text."""
        values = json.loads(text)
        return cls(
            customer_ids=tuple(values["customer_ids"]),
            names=tuple((kind, value) for kind, value in values["names"]),
            shared=tuple((kind, value) for kind, value in values["shared"]),
            texts=tuple(values["texts"]),
        )


def find_customers(
    con: duckdb.DuckDBPyConnection, given: Sequence[tuple[str, str]]
) -> dict[str, list[tuple[str, str]]]:
    """The customers that what is given leads to, each with what has led there.

    Args:
        con: open on the warehouse, read only suffices.
        given: kind (see `GIVEN_KINDS`) and value.

    Raises:
        ValueError: a kind is unknown.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, value in given:
        if kind not in _LOOKUPS:
            raise ValueError(f"{kind!r} is no kind of identifier; accepted: {', '.join(GIVEN_KINDS)}")
        for (customer,) in con.execute(_LOOKUPS[kind], {"value": value}).fetchall():
            found.setdefault(customer, []).append((kind, value))
    return found


def only_customer(found: Mapping[str, Sequence[tuple[str, str]]], given: Sequence[tuple[str, str]]) -> str:
    """The one customer that was found.

    Raises:
        UnknownPerson: there is none, or more than one.
    """
    asked = ", ".join(f"{kind} {value!r}" for kind, value in given)
    if not found:
        raise UnknownPerson(
            f"no customer has {asked}; accepted: what a source has written, or the normal form "
            "(a number as +<country><number>), or an account as <source>:<key>"
        )
    if len(found) > 1:
        raise UnknownPerson(
            f"{asked} leads to {len(found)} customers: {', '.join(sorted(found))}. An address or number may "
            "be a family's. Say whom: --customer"
        )
    return next(iter(found))


def describe_subject(
    con: duckdb.DuckDBPyConnection, customer_id: str, touch_files: Sequence[Path]
) -> Subject:
    """All that names a customer.

    Args:
        con: open on a warehouse that is up to date with the lake.
        customer_id: as `find_customers` gives it.
        touch_files: touches of all emitted dates.
    """
    con.execute("create or replace temp table subject_customer (customer_id varchar)")
    con.execute(
        """
        insert into subject_customer
        select $id union select alias_id from core.customer_alias where customer_id = $id
        """,
        {"id": customer_id},
    )
    con.execute(
        """
        create or replace temp table subject_account as
        select source || ':' || account_key as account_id, source, account_key
        from core.customer_account where customer_id in (select customer_id from subject_customer)
        """
    )
    touches = "select null as touch_id, null as coupon_code where false"
    if touch_files:
        listed = ", ".join(path_literal(file) for file in touch_files)
        touches = (
            f"select touch_id, coupon_code from read_parquet([{listed}], union_by_name = true) "
            "where customer_id in (select customer_id from subject_customer)"
        )
    con.execute(f"create or replace temp table subject_name as {_NAMES.format(touches=touches)}")
    rows = con.execute("select kind, value, is_shared from subject_name order by all").fetchall()
    ids = tuple(row[0] for row in con.execute("from subject_customer order by all").fetchall())
    names = tuple((kind, value) for kind, value, is_shared in rows if not is_shared)
    written = con.execute(_TEXTS).fetchall()
    for table in ("subject_name", "subject_account", "subject_customer"):
        con.execute(f"drop table temp.{table}")
    return Subject(
        customer_ids=ids,
        names=names,
        shared=tuple((kind, value) for kind, value, is_shared in rows if is_shared),
        texts=tuple(sorted({text for (text,) in written if text})),
    )


def unnamed_subject(given: Iterable[tuple[str, str]]) -> Subject:
    """Who is no customer: rows that hold what is given, and nothing else, are theirs.

    Args:
        given: kind and value, as for `find_customers`.
    """
    kinds = {"email": "contact", "phone": "contact"}
    named = tuple((kinds.get(kind, kind), value) for kind, value in given if kind != "customer")
    return Subject((), named, (), tuple(sorted({value.split(":")[-1] for _, value in named})))


_ADDRESS_LOOKUP = f"""
    select distinct accounts.customer_id
    from identity.identifier as carried
    inner join core.customer_account as accounts
        on carried.account_id = accounts.source || ':' || accounts.account_key
    where carried.kind = '{{kind}}' and carried.value in (
        select form from identity.{{kind}}_form
        where form is not null
            and ({contact_text("spelling")} = {contact_text("$value")}
                or {contact_text("form")} = {contact_text("$value")})
    )
"""
_CARRIED_LOOKUP = """
    select distinct accounts.customer_id
    from identity.identifier as carried
    inner join core.customer_account as accounts
        on carried.account_id = accounts.source || ':' || accounts.account_key
    where carried.kind = '{kind}' and carried.value = $value
"""
_LOOKUPS = {
    "customer": """
        select customer_id from core.customer where customer_id = $value
        union select customer_id from core.customer_alias where alias_id = $value
    """,
    "account": """
        select customer_id from core.customer_account where source || ':' || account_key = $value
    """,
    "email": _ADDRESS_LOOKUP.replace("{kind}", "email"),
    "phone": _ADDRESS_LOOKUP.replace("{kind}", "phone"),
    "card": _CARRIED_LOOKUP.replace("{kind}", "card"),
    "device": _CARRIED_LOOKUP.replace("{kind}", "device"),
}

# An order, a receipt and a message are one person's; what is carried may be carried by others too.
_NAMES = """
    with carried as (
        select
            carried.kind, carried.value,
            bool_or(accounts.customer_id not in (select customer_id from subject_customer)) as is_shared
        from identity.identifier as carried
        inner join core.customer_account as accounts
            on carried.account_id = accounts.source || ':' || accounts.account_key
        where (carried.kind, carried.value) in (
            select (kind, value) from identity.identifier
            where account_id in (select account_id from subject_account)
        ) and carried.kind in ('email', 'phone', 'card', 'device')
        group by carried.kind, carried.value
    ),
    addresses as (
        select
            addresses.kind, addresses.address as value,
            bool_or(addresses.customer_id not in (select customer_id from subject_customer)) as is_shared
        from core.int_address as addresses
        where addresses.address in (
            select address from core.int_address
            where customer_id in (select customer_id from subject_customer)
        )
        group by all
    ),
    forms as (
        select kind, value, is_shared from carried where kind in ('email', 'phone')
        union
        select kind, value, is_shared from addresses where kind in ('email', 'phone')
    ),
    written as (
        select forms.value as value, forms.is_shared from forms
        union
        select spelled.spelling, forms.is_shared
        from forms inner join identity.email_form as spelled on forms.value = spelled.form
        where forms.kind = 'email'
        union
        select spelled.spelling, forms.is_shared
        from forms inner join identity.phone_form as spelled on forms.value = spelled.form
        where forms.kind = 'phone'
    )
    select 'customer' as kind, customer_id as value, false as is_shared from subject_customer
    union
    select 'account', account_id, false from subject_account
    union
    select kind, value, is_shared from carried where kind in ('card', 'device')
    union
    select 'contact', value, bool_or(is_shared) from written group by value
    union
    select 'token', value, is_shared from addresses where kind = 'push'
    union
    select 'contact', value, is_shared from addresses where kind not in ('email', 'phone')
    union
    select 'order', order_id, false from raw.ecommerce_orders
    where 'ecommerce:' || account_id in (select account_id from subject_account)
    union
    select 'receipt', receipt_id, false from raw.pos_sales
    where 'pos:' || member_id in (select account_id from subject_account)
    union
    select 'touch', touch_id, false from ({touches}) where touch_id is not null
    union
    select 'token', coupon_code, false from ({touches}) where coupon_code is not null
"""

# Of a key the part that stands in files: `ecommerce:A1` is A1 there. A number's digits without its country
# too.
_TEXTS = """
    select case
        when kind = 'account' then regexp_replace(value, '^[a-z]+:', '')
        when kind = 'device' then regexp_replace(value, '^(app|browser):', '')
        else value
    end
    from subject_name where not is_shared
    union
    select regexp_replace(value, '[^0-9]', '', 'g') from subject_name
    where kind = 'contact' and not is_shared and not contains(value, '@') and regexp_matches(value, '^[+0-9]')
"""
