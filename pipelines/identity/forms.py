"""The normal forms of every spelling that the shop's data hold: schema `identity`, tables `email_form`,
`phone_form` and `name_form`.

A spelling is looked at once: a daily run forms only those it has not seen. Other rules (the profile's region,
its placeholders, or a new version of ours) form all of them anew.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from pipelines.feeds.sql import identifier
from pipelines.identity.emails import email_forms
from pipelines.identity.names import name_forms
from pipelines.identity.phones import phone_forms

FORMS_VERSION = 1
"""A new number forms every spelling anew."""

FORM_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "email_form": {"spelling": "varchar", "form": "varchar", "address": "varchar"},
    "phone_form": {"spelling": "varchar", "form": "varchar"},
    "name_form": {
        "spelling": "varchar",
        "form": "varchar",
        "han": "varchar",
        "family": "varchar",
        "given": "varchar",
    },
}

_COLUMNS: Mapping[str, Sequence[tuple[str, str]]] = {
    "email_form": [
        ("ecommerce_customers", "email"),
        ("pos_members", "email"),
        ("service_tickets", "email"),
    ],
    "phone_form": [
        ("ecommerce_customers", "phone"),
        ("pos_members", "phone"),
        ("service_tickets", "phone"),
    ],
    "name_form": [("ecommerce_customers", "name"), ("pos_members", "name")],
}
_ADDRESSES = ("consents", "campaign_members", "campaign_events", "survey_responses")
"""Feeds whose column `address` holds addresses of any kind."""


def spelling_columns(table: str) -> list[str]:
    """The columns whose spellings a table of forms holds, as `raw.<feed>.<column>`."""
    addresses = () if table == "name_form" else _ADDRESSES
    return [
        f"raw.{feed}.{column}"
        for feed, column in (*_COLUMNS[table], *((feed, "address") for feed in addresses))
    ]


def ensure_form_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables, empty, where they are missing."""
    con.execute("create schema if not exists identity")
    for table, columns in FORM_COLUMNS.items():
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        con.execute(f"create table if not exists identity.{table} ({listed})")
    con.execute("create table if not exists identity.form_rules (digest varchar)")


def update_forms(
    con: duckdb.DuckDBPyConnection,
    *,
    region: str,
    placeholder_phones: Sequence[str],
    placeholder_emails: Sequence[str],
) -> dict[str, int]:
    """Forms the spellings in `raw` that have no form yet, in one transaction.

    Args:
        con: on the warehouse, with the views of `raw`; not in a transaction.
        region: of phone numbers without a country code, ISO 3166.
        placeholder_phones: numbers, in any notation, that stand for "no number".
        placeholder_emails: addresses that stand for "no address".

    Returns:
        How many spellings were formed, by table.
    """
    ensure_form_tables(con)
    told = json.dumps([FORMS_VERSION, region, sorted(placeholder_phones), sorted(placeholder_emails)])
    digest = hashlib.sha256(told.encode()).hexdigest()
    con.execute("begin")
    try:
        if con.execute("select digest from identity.form_rules").fetchall() != [(digest,)]:
            for table in (*FORM_COLUMNS, "form_rules"):
                con.execute(f"delete from identity.{table}")
            con.execute("insert into identity.form_rules values (?)", [digest])
        formed = {}
        for table in FORM_COLUMNS:
            con.execute(
                f"create or replace temp table identity_spelling as select distinct spelling "
                f"from ({spellings_query(table)}) where spelling is not null "
                f"and spelling not in (select spelling from identity.{table})"
            )
            form_spellings(
                con,
                table,
                FormRules(region, tuple(placeholder_phones), tuple(placeholder_emails)),
                spellings="identity_spelling",
                into="identity_new_form",
            )
            listed = ", ".join(FORM_COLUMNS[table])
            row = con.execute(
                f"insert into identity.{table} ({listed}) select {listed} from identity_new_form"
            ).fetchone()
            formed[table] = int(row[0]) if row else 0
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    finally:
        con.execute("drop table if exists temp.identity_spelling")
        con.execute("drop table if exists temp.identity_new_form")
    return formed


@dataclass(frozen=True)
class FormRules:
    """What forms depend on beside the spelling: the region of phone numbers, and what stands for none."""

    region: str
    placeholder_phones: tuple[str, ...]
    placeholder_emails: tuple[str, ...]


def form_spellings(
    con: duckdb.DuckDBPyConnection, table: str, rules: FormRules, *, spellings: str, into: str
) -> None:
    """Creates the table `into` of the forms of some spellings, as `table` has them.

    Args:
        con: any connection.
        table: one of `FORM_COLUMNS`.
        rules: of the profile.
        spellings: a relation with a column `spelling` (distinct, not null).
        into: the table to create or replace.
    """
    if table == "phone_form":
        phone_forms(
            con, spellings=spellings, into=into, region=rules.region, placeholders=rules.placeholder_phones
        )
    elif table == "email_form":
        email_forms(con, spellings=spellings, into=into, placeholders=rules.placeholder_emails)
    else:
        name_forms(con, spellings=spellings, into=into)


def spellings_query(table: str) -> str:
    """A query of the spellings in `raw`, with repeats and nulls, whose forms a table holds."""
    parts = [
        f"select {identifier(column)} as spelling from raw.{identifier(feed)}"
        for feed, column in _COLUMNS[table]
    ]
    sign = {"email_form": "contains(address, '@')", "phone_form": "not contains(address, '@')"}.get(table)
    if sign is not None:
        parts += [f"select address from raw.{feed} where {sign}" for feed in _ADDRESSES]
    return " union all ".join(parts)
