"""Which messages are withdrawn after they went out, and beside each the situation that changes nothing."""

from datetime import date, datetime, timedelta

import duckdb
import pytest

from pipelines.activation.removals import REASONS, SENT_COLUMNS, RemovalStore

SENT_ON = date(2024, 6, 30)
TODAY = date(2024, 7, 2)
VALID_UNTIL = date(2024, 7, 7)
NOW = datetime(2024, 7, 2, 8, 30)  # noqa: DTZ001 - UTC, as the lake has it


class Shop:
    """A warehouse with what is looked at, and messages that went out."""

    def __init__(self, con, folder):
        self.con, self.folder = con, folder
        self.store = RemovalStore(folder / "lake")
        con.execute(
            """
            create schema core; create schema policy;
            create table policy.reach_channel as from (values
                ('email', 'email', 'email'), ('sms', 'sms', 'phone'), ('social_ads', 'social', 'social'),
                ('social_dm', 'social', 'social'), ('crm', 'crm', 'account')
            ) as reach (campaign_channel, channel, address_kind);
            create table policy.journey as from (values
                ('win_back', 'win_back', 'marketing'), ('repair', 'repair', 'service'),
                ('birthday', 'greeting', 'marketing'), ('retain', 'retain', 'marketing'),
                ('welcome', 'welcome', 'marketing')
            ) as journeys (journey, kind, purpose);
            create table core.customer_alias (alias_id varchar, customer_id varchar);
            create table core.int_suppression (customer_id varchar, channel varchar, kind varchar);
            create table core.int_suppressed_address (address_key varchar, channel varchar, kind varchar);
            create table core.int_address (customer_id varchar, kind varchar);
            create table core.customer_account (customer_id varchar);
            create table core.int_permission (
                customer_id varchar, channel varchar, purpose varchar, is_granted boolean
            );
            create table core.ticket (customer_id varchar, kind varchar, opened_at timestamp);
            create table core.purchase_day (
                customer_id varchar, purchased_on date, units decimal(18, 4), returned_amount decimal(18, 2)
            );
            """
        )
        columns = ", ".join(f"{name} {kind}" for name, kind in SENT_COLUMNS.items())
        con.execute(f"create table sent ({columns})")

    def send(self, customer="c1", channel="email", journey="win_back", **given):
        """One message that went out; the customer is reachable."""
        row = {
            "as_of_date": SENT_ON,
            "customer_id": customer,
            "decision": "send",
            "touch_id": f"t_{customer}",
            "journey": journey,
            "channel": channel,
            "valid_until": VALID_UNTIL,
            "address_key": f"k_{customer}",
        } | given
        self.con.execute(
            f"insert into sent ({', '.join(row)}) values ({', '.join('?' * len(row))})", [*row.values()]
        )
        self.con.execute("insert into core.customer_account values (?)", [customer])
        for kind in ("email", "phone"):
            self.has("int_address", customer, kind)
        for reach, purpose in (("email", "marketing"), ("sms", "marketing"), ("social", "social_export")):
            self.has("int_permission", customer, reach, purpose, True)

    def has(self, table, *values):
        self.con.execute(f"insert into core.{table} values ({', '.join('?' * len(values))})", values)

    def found(self, looked_on=TODAY):
        """The withdrawn messages with their reasons."""
        touches = self.folder / "touches.parquet"
        self.con.execute(f"copy sent to '{touches}' (format parquet)")
        self.file = self.folder / "found.parquet"
        self.store.find(self.con, [touches], self.file, looked_on=looked_on, removed_at=NOW)
        return dict(self.con.execute(f"select touch_id, reason from '{self.file}'").fetchall())


@pytest.fixture
def shop(tmp_path):
    with duckdb.connect() as con:
        yield Shop(con, tmp_path)


def test_nothing_happened_and_nobody_is_withdrawn(shop):
    shop.send("c1")
    shop.send("c2", "crm", journey=None)

    assert shop.found() == {}


@pytest.mark.parametrize(
    ("purchased_on", "units", "is_withdrawn"),
    [
        (SENT_ON, 1, False),
        (SENT_ON + timedelta(days=1), 1, True),
        (TODAY, 1, True),
        (TODAY + timedelta(days=1), 1, False),
        (TODAY, 0, False),
    ],
)
def test_who_bought_since_is_not_missed(shop, purchased_on, units, is_withdrawn):
    shop.send()
    shop.has("purchase_day", "c1", purchased_on, units, 0)
    shop.has("purchase_day", "c2", TODAY, 1, 0)

    assert shop.found() == ({"t_c1": "bought"} if is_withdrawn else {})


def test_what_came_back_since_withdraws_too_and_a_purchase_weighs_more(shop):
    shop.send("c1")
    shop.send("c2")
    shop.has("purchase_day", "c1", TODAY, 0, 20)
    shop.has("purchase_day", "c2", TODAY, 1, 20)

    assert shop.found() == {"t_c1": "returned", "t_c2": "bought"}


@pytest.mark.parametrize(
    ("journey", "is_withdrawn"), [("birthday", False), ("retain", False), ("welcome", True)]
)
def test_a_purchase_does_not_spoil_a_greeting(shop, journey, is_withdrawn):
    shop.send(journey=journey)
    shop.has("purchase_day", "c1", TODAY, 1, 0)

    assert bool(shop.found()) == is_withdrawn


@pytest.mark.parametrize(
    ("kind", "opened_at", "journey", "is_withdrawn"),
    [
        ("complaint", "2024-07-01 00:00:00", "win_back", True),
        ("complaint", "2024-07-02 23:59:59", "win_back", True),
        ("complaint", "2024-06-30 23:59:59", "win_back", False),
        ("complaint", "2024-07-03 00:00:00", "win_back", False),
        ("enquiry", "2024-07-01 10:00:00", "win_back", False),
        ("complaint", "2024-07-01 10:00:00", "repair", True),
        ("complaint", "2024-07-01 10:00:00", "birthday", True),
    ],
)
def test_who_complains_gets_service_and_no_advertisement(shop, kind, opened_at, journey, is_withdrawn):
    shop.send(journey=journey)
    shop.has("ticket", "c1", kind, opened_at)

    assert shop.found() == ({"t_c1": "complaint_opened"} if is_withdrawn else {})


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("complained", "complained"),
        ("unsubscribed", "opted_out"),
        ("bounced", "bounced"),
        ("erased", "suppressed"),
    ],
)
@pytest.mark.parametrize("journey", ["win_back", "repair"])
def test_a_closed_channel_or_address_says_why(shop, kind, reason, journey):
    shop.send("c1", journey=journey)
    shop.send("c2", journey=journey)
    shop.send("c3", channel="sms", journey=journey)
    shop.has("int_suppression", "c1", "email", kind)
    shop.has("int_suppression", "c3", "email", kind)
    shop.has("int_suppressed_address", "k_c2", "email", kind)
    shop.has("int_suppressed_address", "k_c3", "email", kind)

    assert shop.found() == {"t_c1": reason, "t_c2": reason}


def test_who_withdraws_a_consent_is_written_to_no_more(shop):
    shop.send("c1")
    shop.send("c2", "sms")
    shop.send("c3", "social_ads")
    shop.send("c4", "crm")
    shop.send("c5")
    for customer, channel in (("c1", "email"), ("c2", "email"), ("c3", "social"), ("c4", "crm")):
        shop.has("int_permission", customer, channel, "marketing", False)
    assert shop.found() == {"t_c1": "opted_out", "t_c4": "opted_out"}

    shop.has("int_permission", "c3", "social", "social_export", False)
    shop.con.execute("delete from core.int_permission where customer_id = 'c5'")
    assert shop.found() == dict.fromkeys(["t_c1", "t_c3", "t_c4", "t_c5"], "opted_out")


def test_what_serves_a_customer_needs_no_consent_but_heeds_a_no_to_it(shop):
    for customer in ("c1", "c2", "c3"):
        shop.send(customer, journey="repair")
    shop.con.execute("delete from core.int_permission")
    shop.has("int_permission", "c1", "email", "service", True)
    shop.has("int_permission", "c1", "email", "marketing", False)
    shop.has("int_permission", "c2", "email", "service", False)
    shop.has("int_permission", "c2", "email", "marketing", True)
    shop.has("int_permission", "c3", "email", "marketing", True)

    assert shop.found() == {"t_c2": "opted_out"}


def test_without_an_address_of_the_channel_nothing_reaches_anybody(shop):
    for customer, channel in (("c1", "email"), ("c2", "sms"), ("c3", "social_ads"), ("c4", "crm")):
        shop.send(customer, channel)
    shop.con.execute("delete from core.int_address where kind = 'email'")
    assert shop.found() == {"t_c1": "suppressed"}

    # As when a customer is gone.
    shop.con.execute("delete from core.int_address; delete from core.customer_account")
    assert shop.found() == dict.fromkeys(["t_c1", "t_c2", "t_c3", "t_c4"], "suppressed")


def test_a_merged_customer_is_looked_at_under_the_id_that_stands(shop):
    shop.send("retired")
    for table in ("int_address", "customer_account", "int_permission"):
        shop.con.execute(f"update core.{table} set customer_id = 'c1'")
    shop.has("customer_alias", "retired", "c1")
    shop.has("purchase_day", "c1", TODAY, 1, 0)

    assert shop.found() == {"t_retired": "bought"}


def test_only_what_went_out_and_can_still_be_used_is_withdrawn(shop):
    shop.send("c1", valid_until=TODAY - timedelta(days=1))
    shop.send("c2", valid_until=TODAY)
    shop.send("c3", decision="holdout")
    for customer in ("c1", "c2", "c3"):
        shop.has("purchase_day", customer, TODAY, 1, 0)

    assert shop.found() == {"t_c2": "bought"}


def test_membership_of_an_advertisers_list_ends_with_its_validity(shop):
    yesterday = TODAY - timedelta(days=1)
    shop.send("c1", "social_ads", valid_until=yesterday)
    shop.send("c2", "social_ads", valid_until=TODAY)
    shop.send("c3", "email", valid_until=yesterday)
    # c4 was put on the list again and stays.
    shop.send("c4", "social_ads", valid_until=yesterday)
    shop.send("c4", "social_ads", touch_id="t_c4_again")

    assert shop.found() == {"t_c1": "expired"}


def test_each_message_is_withdrawn_once(shop):
    shop.send("c1")
    shop.has("purchase_day", "c1", TODAY, 1, 0)
    assert shop.found() == {"t_c1": "bought"}
    shop.store.keep(shop.file, "20240702T083000Z")
    shop.send("c2")
    shop.has("int_suppression", "c1", "email", "complained")
    shop.has("int_suppression", "c2", "email", "complained")

    assert shop.found() == {"t_c2": "complained"}
    assert [file.name for file in shop.store.files()] == ["20240702T083000Z.parquet"]


def test_of_several_reasons_the_gravest_stands(shop):
    shop.send()
    expected = None
    happens = {
        "returned": ("purchase_day", "c1", TODAY, 0, 5),
        "bought": ("purchase_day", "c1", TODAY, 1, 0),
        "complaint_opened": ("ticket", "c1", "complaint", "2024-07-01 10:00:00"),
        "suppressed": ("int_suppressed_address", "k_c1", "email", "erased"),
        "bounced": ("int_suppression", "c1", "email", "bounced"),
        "opted_out": ("int_suppression", "c1", "email", "unsubscribed"),
        "complained": ("int_suppression", "c1", "email", "complained"),
    }
    assert [*happens, "expired"] == [*REASONS[-2::-1], "expired"]
    for expected, fact in happens.items():
        shop.has(*fact)
        assert shop.found() == {"t_c1": expected}


def test_a_removal_says_which_message_and_when(shop):
    shop.send("c2")
    shop.send("c1")
    for customer in ("c1", "c2"):
        shop.has("purchase_day", customer, TODAY, 1, 0)
    shop.found()

    rows = shop.con.execute(f"from '{shop.file}'").fetchall()
    assert rows == [
        ("t_c1", "email", SENT_ON, "bought", NOW),
        ("t_c2", "email", SENT_ON, "bought", NOW),
    ]
