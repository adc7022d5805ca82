"""A warehouse in memory with the tables that an emission reads, and decisions to send."""

from datetime import UTC, date, datetime, timedelta

import duckdb

from pipelines.activation.emission import ASSIGNMENT_COLUMNS, DECISION_COLUMNS, Sending
from pipelines.activation.exports import ExportOptions

DAY, NEXT_DAY = date(2024, 6, 30), date(2024, 7, 1)

OPTIONS = ExportOptions(
    language="en",
    shop_name="Corner shop",
    sms_opt_out="Reply STOP to opt out",
    link_base="https://shop.example.com",
    unsubscribe_base="https://shop.example.com/unsubscribe",
    ad_platforms=("meta",),
    currency="EUR",
)

_TABLES = {
    "activation.recall_decision": DECISION_COLUMNS,
    "activation.assignment": ASSIGNMENT_COLUMNS,
    "activation.int_contact_address": "customer_id channel address_kind address address_key vendor platform "
    "group_member:boolean",
    "core.customer": "customer_id favourite_category points_balance:integer tier home_store city",
    "core.customer_account": "source account_key customer_id",
    "core.customer_alias": "alias_id customer_id",
    "core.int_address": "customer_id source account_key kind address",
    "core.int_customer_field": "customer_id field field_value",
    "core.int_permission": "customer_id channel purpose is_granted:boolean",
    "core.int_subject": "subject_key customer_id is_owner:boolean",
    "core.int_suppressed_address": "address_key channel kind since:timestamp",
    "core.int_suppression": "customer_id channel kind since:timestamp",
    "core.order_line": "customer_id ordered_on:date product_id quantity:decimal(18,4) amount:decimal(18,2) "
    "is_revenue:boolean is_return:boolean",
    "core.product": "product_id name",
    "core.purchase_day": "customer_id purchased_on:date units:decimal(18,4) returned_amount:decimal(18,2) "
    "net_amount:decimal(18,2)",
    "core.ticket": "ticket_id customer_id kind opened_at:timestamp",
    "marts.customer_dormancy": "as_of_date:date customer_id dormancy_state value_tier primary_reason "
    "explanation explanation_zh days_since_purchase:integer purchase_days:integer",
    "marts.customer_rfm": "as_of_date:date customer_id guide_class",
    "marts.recommendation": "as_of_date:date customer_id list rank:integer product_id why "
    "message_rank:integer",
    "policy.journey": "journey kind purpose",
    "policy.offer": "offer_id valid_days:integer minimum_spend:decimal(18,2) name name_zh",
    "policy.reach_channel": "campaign_channel channel address_kind",
    "policy.template": "template_id channel language subject body action deep_link",
    "staging.stg_consent__consents": "account_id member_id address purpose status recorded_at:timestamp",
}


def create(con: duckdb.DuckDBPyConnection) -> None:
    """All tables, empty but for a policy of two channels."""
    for table, columns in _TABLES.items():
        con.execute(f"create schema if not exists {table.split('.')[0]}")
        if isinstance(columns, str):
            named = (column.partition(":") for column in columns.split())
            columns = {name: kind or "varchar" for name, _, kind in named}  # noqa: PLW2901 - spelt out
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        con.execute(f"create table {table} ({listed})")
    con.execute(
        """
        insert into policy.reach_channel values ('crm', 'crm', 'account'), ('email', 'email', 'email');
        insert into policy.journey values ('win_back', 'win_back', 'marketing');
        insert into policy.template values ('hello', 'email', 'en', 'Hello', 'We miss you', 'See', '/new');
        """
    )


def sending(day: date, run_id: str = "r1", hour: int = 5) -> Sending:
    """A run on the day after its date."""
    looked_on = day + timedelta(days=1)
    return Sending(
        run_id, datetime(looked_on.year, looked_on.month, looked_on.day, hour, tzinfo=UTC), looked_on
    )


def decide(con, customer, decision="send", *, day=DAY, channel="crm", **given):
    """One decision; a customer with an account, an e-mail address and an explanation."""
    selected = decision in ("send", "holdout")
    row = {
        "as_of_date": day,
        "customer_id": customer,
        "decision": decision,
        "simulated": False,
        "run_id": "r1",
    }
    if selected:
        row |= {
            "touch_id": f"t_{customer}_{day:%d}",
            "journey": "win_back",
            "channel": channel,
            "template_id": "hello" if channel == "email" else None,
            "priority": 1,
            "send_after": datetime(2024, 7, 1, 10) + (day - DAY),  # noqa: DTZ001 - the shop's time
            "valid_until": day + timedelta(days=7),
            "address_key": f"k_{customer}",
        }
    account = given.pop("account", customer)
    row |= given
    _insert(con, "activation.recall_decision", row)
    _insert(con, "core.customer_account", {"source": "pos", "account_key": account, "customer_id": customer})
    granted = {"channel": "email", "purpose": "marketing", "is_granted": True}
    _insert(con, "core.int_permission", {"customer_id": customer, **granted})
    _insert(
        con,
        "core.int_address",
        {"customer_id": customer, "kind": "email", "address": f"{customer}@example.com"},
    )
    contact = {"channel": "email", "address": f"{customer}@example.com", "address_key": f"k_{customer}"}
    if not con.execute("from activation.int_contact_address where customer_id = ?", [customer]).fetchone():
        _insert(con, "activation.int_contact_address", {"customer_id": customer, **contact})
    explained = {"explanation": 'Silent, since "May"', "explanation_zh": "沉睡"}
    _insert(con, "marts.customer_dormancy", {"as_of_date": day, "customer_id": customer, **explained})


def buy(con, customer, day):
    """The customer buys one thing and keeps it."""
    row = {"customer_id": customer, "purchased_on": day, "units": 1, "returned_amount": 0, "net_amount": 9}
    _insert(con, "core.purchase_day", row)


def _insert(con, table, row):
    con.execute(
        f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values())
    )
