"""The audience files: who is in which, what it says of them, and that files follow from frozen rows alone."""

import csv
import hashlib
import json
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import openpyxl
import pytest

from pipelines.activation.exports import (
    EXPORTS,
    ExportOptions,
    Removals,
    freeze_rows,
    read_exports,
    write,
    write_delta,
)
from pipelines.activation.hashing import PLATFORMS

DAY = date(2024, 6, 30)
RECORD = {"as_of_date": "2024-06-30", "run_id": "r1", "policy_version": "p1"}
ENGLISH = ExportOptions(
    language="en",
    shop_name="Tea & Co",
    sms_opt_out="Reply STOP to opt out",
    link_base="https://shop.example.com",
    unsubscribe_base="https://shop.example.com/unsubscribe",
    ad_platforms=PLATFORMS,
    currency="USD",
)
CHINESE = replace(ENGLISH, language="zh", shop_name="茶铺", sms_opt_out="拒收请回复R", currency="CNY")

TABLES = """
create schema activation; create schema core; create schema marts; create schema policy;
create schema staging;
create table activation.recall_decision (
    as_of_date date, customer_id varchar, customer_kind varchar, episode_id varchar, decision varchar,
    reason_code varchar, arm varchar, campaign_id varchar, touch_id varchar, journey varchar, step integer,
    channel varchar, offer_id varchar, coupon_code varchar, template_id varchar, send_after timestamp,
    send_before timestamp, valid_until date, priority integer, expected_cost decimal(18, 2),
    expected_margin decimal(18, 2), address_key varchar, policy_version varchar, simulated boolean,
    run_id varchar
);
create table activation.int_contact_address (
    customer_id varchar, channel varchar, address_kind varchar, address varchar, address_key varchar,
    vendor varchar, platform varchar, group_member boolean
);
create table core.int_address (
    customer_id varchar, source varchar, account_key varchar, kind varchar, address varchar
);
create table core.int_customer_field (customer_id varchar, field varchar, field_value varchar);
create table core.customer_account (source varchar, account_key varchar, customer_id varchar);
create table core.customer (
    customer_id varchar, favourite_category varchar, points_balance integer, tier varchar,
    home_store varchar, city varchar
);
create table core.purchase_day (customer_id varchar, purchased_on date, net_amount decimal(18, 2));
create table core.order_line (
    customer_id varchar, ordered_on date, product_id varchar, quantity decimal(18, 4),
    amount decimal(18, 2), is_revenue boolean, is_return boolean
);
create table core.ticket (ticket_id varchar, customer_id varchar, kind varchar, opened_at timestamp);
create table core.product (product_id varchar, name varchar);
create table core.int_subject (subject_key varchar, customer_id varchar, is_owner boolean);
create table staging.stg_consent__consents (
    account_id varchar, member_id varchar, address varchar, channel varchar, purpose varchar,
    status varchar, recorded_at timestamp
);
create table marts.customer_rfm (as_of_date date, customer_id varchar, guide_class varchar);
create table marts.customer_dormancy (
    as_of_date date, customer_id varchar, days_since_purchase integer, purchase_days integer,
    dormancy_state varchar, value_tier varchar, primary_reason varchar, explanation varchar,
    explanation_zh varchar
);
create table marts.recommendation (
    as_of_date date, customer_id varchar, list varchar, rank integer, product_id varchar, score double,
    why varchar, message_rank integer
);
create table policy.offer (
    offer_id varchar, minimum_spend decimal(18, 2), valid_days integer, name varchar, name_zh varchar
);
create table policy.template (
    template_id varchar, channel varchar, language varchar, subject varchar, body varchar, action varchar,
    deep_link varchar
);
insert into policy.offer values
    ('o1', 300, 14, '10% off', '九折券'), ('o2', 0, 7, 'a free tea tasting', '免费品茶');
insert into core.product values ('p1', 'Green tea'), ('p2', 'Mug "blue"'), ('p3', 'Kettle'), ('p4', 'Tin');
"""
BODY = "Dear {{ name | customer }},\n\n{{ offer | news }} until {{ offer_until | soon }}"
BODY_ZH = (
    "{{ name | 您好 }}，{{ offer | 新品 }}，满{{ minimum_spend | 任意金额 }}可用，"
    "{{ offer_until | 近期 }}前有效"
)
ADDRESSES = {
    "email": ("email", "ann@mail.example.com"),
    "sms": ("phone", "+8613800000001"),
    "phone": ("phone", "+8613800000001"),
    "push": ("push", "token-1"),
    "social_dm": ("social", "openid-1"),
    "social_ads": ("email", "ann@mail.example.com"),
    "crm": ("account", "E1"),
}


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        for channel in ("email", "sms", "push", "phone", "social_dm"):
            for language, body in (("en", BODY), ("zh", BODY_ZH)):
                connection.execute(
                    "insert into policy.template values ('w1', ?, ?, 'Hi {{ name | there }}', ?, "
                    "'See {{ product | more }}', '/back?c={{ coupon_code | none }}&p={{ product | none }}')",
                    [channel, language, body],
                )
        yield connection


def send(con, touch, channel, *, customer=None, priority=1, address=None, name="Ann", **columns):
    """A send of the day with its customer."""
    customer = customer or f"c_{touch}"
    kind, usual = ADDRESSES[channel]
    address = address or usual
    key = hashlib.sha256(f"{kind}:{address}".encode()).hexdigest()
    values = {
        "as_of_date": DAY,
        "customer_id": customer,
        "decision": "send",
        "reason_code": "recall",
        "campaign_id": "k1",
        "touch_id": touch,
        "journey": "j1",
        "step": 1,
        "channel": channel,
        "offer_id": "o1",
        "coupon_code": "AB12",
        "template_id": "w1",
        "send_after": "2024-06-30 10:00:00",
        "send_before": "2024-06-30 20:00:00",
        "valid_until": date(2024, 7, 7),
        "priority": priority,
        "address_key": key,
        "simulated": False,
        **columns,
    }
    con.execute(
        f"insert into activation.recall_decision ({', '.join(values)}) "
        f"values ({', '.join('?' * len(values))})",
        list(values.values()),
    )
    con.execute(
        "insert into activation.int_contact_address values (?, ?, ?, ?, ?, 'fcm', 'wechat', true)",
        [customer, channel, kind, address, key],
    )
    con.execute(
        "insert into core.int_address select ?, 'ecommerce', ?, ?, ?",
        [customer, f"E_{touch}", kind, address],
    )
    if con.execute("select 1 from core.customer where customer_id = ?", [customer]).fetchone() is None:
        con.execute("insert into core.int_customer_field values (?, 'name', ?)", [customer, name])
        con.execute("insert into core.customer_account values ('ecommerce', ?, ?)", [f"E_{touch}", customer])
        con.execute("insert into core.customer values (?, 'tea', 120, 'gold', 'S1', 'Lyon')", [customer])
        con.execute("insert into marts.customer_rfm values (?, ?, 'general')", [DAY, customer])
        con.execute(
            "insert into marts.customer_dormancy values (?, ?, 90, 4, 'dormant', 'high', 'price', "
            "'Silent for 90 days', '沉睡90天')",
            [DAY, customer],
        )


def export(con, folder, options=ENGLISH, removals=None):
    frozen, target = folder / "frozen", folder / "target"
    for path in (frozen, target):
        path.mkdir(parents=True, exist_ok=True)
    freeze_rows(con, DAY, frozen, options)
    exports = write(frozen, target, RECORD, removals)
    return {item.file.stem: item for item in exports}


def rows_of(file):
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if file.suffix == ".xlsx":
        header, *rows = openpyxl.load_workbook(file)["Calls"].iter_rows(values_only=True)
        return [dict(zip(header, row, strict=True)) for row in rows]
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def manifest_of(item):
    return json.loads((item.file.parent / "manifest.json").read_text(encoding="utf-8"))


def test_an_email_says_who_what_and_how_to_unsubscribe(con, tmp_path):
    send(con, "t1", "email", name='Ann <"A"> & co')
    con.execute("insert into marts.recommendation values (?, 'c_t1', 'repeat', 1, 'p2', 1, 'why', 1)", [DAY])
    (row,) = rows_of(export(con, tmp_path)["email"].file)

    key = con.execute("select address_key from activation.recall_decision").fetchone()[0]
    token = hashlib.sha256(f"unsubscribe:t1:{key}".encode()).hexdigest()
    unsubscribe = f"https://shop.example.com/unsubscribe?token={token}"
    link = "https://shop.example.com/back?c=AB12&p=Mug%20%22blue%22"
    assert row["email"] == "ann@mail.example.com"
    assert row["subject"] == 'Hi Ann <"A"> & co'
    assert row["body_text"] == (
        'Dear Ann <"A"> & co,\n\n10% off until 14 July 2024\n\n'
        f'See Mug "blue": {link}\n\nUnsubscribe: {unsubscribe}'
    )
    assert (
        "<p>Dear Ann &lt;&quot;A&quot;&gt; &amp; co,</p><p>10% off until 14 July 2024</p>" in row["body_html"]
    )
    assert f'href="{link.replace("&", "&amp;")}"' in row["body_html"]
    assert ">See Mug &quot;blue&quot;</a>" in row["body_html"]
    assert "Tea &amp; Co" in row["body_html"]
    assert "[[" not in row["body_html"]
    assert (row["unsubscribe_token"], row["list_unsubscribe"], row["list_unsubscribe_post"]) == (
        token,
        f"<{unsubscribe}>",
        "List-Unsubscribe=One-Click",
    )
    assert (row["offer_id"], row["coupon_code"], row["offer_until"], row["valid_until"]) == (
        "o1",
        "AB12",
        "2024-07-14",
        "2024-07-07",
    )


def test_empty_values_give_the_defaults(con, tmp_path):
    send(con, "t1", "email", name="", offer_id=None, coupon_code=None)
    (row,) = rows_of(export(con, tmp_path)["email"].file)

    assert row["subject"] == "Hi there"
    assert row["body_text"].startswith("Dear customer,\n\nnews until soon\n\nSee more: ")
    assert "https://shop.example.com/back?c=none&p=none" in row["body_text"]


def test_an_sms_has_signature_opt_out_and_its_size(con, tmp_path):
    send(con, "t1", "sms", name="小明")
    exports = export(con, tmp_path, CHINESE)
    (row,) = rows_of(exports["sms"].file)

    assert row["text"] == "【茶铺】小明，九折券，满300元可用，2024年7月14日前有效 拒收请回复R"
    assert (row["phone"], row["encoding"], row["units"], row["parts"]) == (
        "8613800000001",
        "UCS-2",
        str(len(row["text"])),
        "1",
    )
    assert "template_id" not in row
    assert manifest_of(exports["sms"])["warnings"] == []


def test_what_providers_object_to_stands_in_the_manifest(con, tmp_path):
    con.execute("update policy.template set body = 'Act now!' where channel = 'sms'")
    send(con, "t1", "sms")
    exports = export(con, tmp_path)

    assert rows_of(exports["sms"].file)[0]["text"] == "Tea & Co: Act now! Reply STOP to opt out"
    assert manifest_of(exports["sms"])["warnings"] == [
        {"template_id": "w1", "warning": "wording 'Act now': carrier filters"}
    ]


def test_a_push_has_token_vendor_and_deep_link(con, tmp_path):
    con.execute("update policy.template set deep_link = 'teaapp://back?c={{ coupon_code }}'")
    send(con, "t1", "push")
    (row,) = rows_of(export(con, tmp_path)["push"].file)

    assert (row["token"], row["vendor"], row["title"], row["deep_link"]) == (
        "token-1",
        "fcm",
        "Hi Ann",
        "teaapp://back?c=AB12",
    )


def test_a_call_has_what_the_caller_should_know(con, tmp_path):
    send(con, "t1", "phone")
    con.execute(
        """
        insert into core.purchase_day values ('c_t1', '2024-03-01', 20), ('c_t1', '2024-04-01', 12.5),
            ('c_t1', '2024-07-01', 99);
        insert into core.order_line values
            ('c_t1', '2024-03-01', 'p2', 1, 20, true, false),
            ('c_t1', '2024-04-01', 'p1', 2, 12.5, true, false),
            ('c_t1', '2024-04-01', 'p3', -1, -9, true, true),
            ('c_t1', '2024-07-01', 'p3', 1, 99, true, false);
        insert into core.ticket values ('k1', 'c_t1', 'complaint', '2024-04-02 10:00:00');
        insert into marts.recommendation values
            ('2024-06-30', 'c_t1', 'repeat', 1, 'p1', 1, 'why', 1),
            ('2024-06-30', 'c_t1', 'explore', 1, 'p3', 1, 'why', 2);
        """
    )
    (row,) = rows_of(export(con, tmp_path)["call_list"].file)

    expected = {
        "name": "Ann",
        "phone": "8613800000001",
        "city": "Lyon",
        "tier": "gold",
        "points": "120",
        "last_purchase_on": "2024-04-01",
        "total_spend": "32.50",
        "currency": "USD",
        "recent_orders": '2024-04-01: Green tea × 2\n2024-03-01: Mug "blue" × 1',
        "recent_tickets": "2024-04-02: complaint",
        "recommendations": "Green tea, Kettle",
        "explanation_zh": "沉睡90天",
        "script": "Dear Ann,\n\n10% off until 14 July 2024",
        "offer": "10% off",
        "coupon_code": "AB12",
        "disposition": None,
    }
    assert {name: row[name] for name in expected} == expected


def test_the_crm_gets_every_account_of_the_customer(con, tmp_path):
    send(con, "t1", "crm", template_id=None)
    con.execute("insert into core.customer_account values ('pos', 'M7', 'c_t1')")
    rows = rows_of(export(con, tmp_path)["crm"].file)

    assert [(row["account_source"], row["account_id"]) for row in rows] == [
        ("ecommerce", "E_t1"),
        ("pos", "M7"),
    ]
    assert (rows[0]["step"], rows[0]["offer_id"], rows[0]["primary_reason"]) == ("1", "o1", "price")


def test_platforms_get_hashes_under_their_headers_and_nothing_else(con, tmp_path):
    send(con, "t1", "social_ads", template_id=None, address="a.nn+x@gmail.com")
    con.execute("insert into core.int_address values ('c_t1', 'pos', 'M1', 'phone', '+8613800000001')")
    exports = export(con, tmp_path)

    def sha256(text):
        return hashlib.sha256(text.encode()).hexdigest()

    expected = {
        "social_google": {
            "Email": sha256("ann@gmail.com"),
            "Phone": sha256("+8613800000001"),
            **dict.fromkeys(("First Name", "Last Name", "Country", "Zip"), ""),
        },
        "social_meta": {"email": sha256("a.nn+x@gmail.com"), "phone": sha256("8613800000001")},
        "social_tiktok": {"Email_SHA256": sha256("a.nn@gmail.com"), "Phone_SHA256": sha256("8613800000001")},
        "social_tencent": {
            "USERID_MD5_MOBILE_PHONE": hashlib.md5(b"13800000001").hexdigest(),
            "USERID_SHA256_MOBILE_PHONE": sha256("13800000001"),
        },
        "social_ocean_engine": {"MOBILE_HASH_SHA256": sha256("13800000001")},
    }
    assert {stem: rows_of(exports[stem].file) for stem in expected} == {
        stem: [row] for stem, row in expected.items()
    }
    assert set(manifest_of(exports["social_meta"])["hash_rules"]) == set(PLATFORMS)
    assert "gmail" not in "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "target" / "social").iterdir()
    )


def test_whom_a_platform_cannot_match_is_not_in_its_file(con, tmp_path):
    send(con, "t1", "social_ads", template_id=None)
    exports = export(con, tmp_path)

    assert exports["social_meta"].rows == 1
    assert exports["social_tencent"].rows == 0


def test_platforms_that_the_profile_leaves_out_get_no_file(con, tmp_path):
    send(con, "t1", "social_ads", template_id=None)
    exports = export(con, tmp_path, replace(ENGLISH, ad_platforms=["meta"]))

    assert {path.name for path in (tmp_path / "target" / "social").iterdir()} == {
        "manifest.json",
        "social_dm.csv",
        "social_meta.csv",
    }
    assert manifest_of(exports["social_meta"])["hash_rules"] == {"meta": "meta/2026-01"}


def test_a_direct_message_names_the_platform_and_the_group(con, tmp_path):
    send(con, "t1", "social_dm")
    (row,) = rows_of(export(con, tmp_path)["social_dm"].file)

    assert (row["platform"], row["social_id"], row["group_member"]) == ("wechat", "openid-1", "true")
    assert row["text"].startswith("Dear Ann,")


def test_recommendations_are_for_everybody_but_who_withdrew_profiling(con, tmp_path):
    for customer, account in (("c1", "A1"), ("c2", "A2"), ("c3", "A3")):
        con.execute("insert into core.customer_account values ('ecommerce', ?, ?)", [account, customer])
        con.execute(
            "insert into core.int_subject values (? || chr(31) || chr(31), ?, true)", [account, customer]
        )
        con.execute(
            "insert into marts.recommendation values (?, ?, 'repeat', 1, 'p1', 1, 'bought once', 1), "
            "(?, ?, 'explore', 1, 'p2', 1, 'often together', null)",
            [DAY, customer, DAY, customer],
        )
    con.execute(
        """
        insert into core.customer_account values ('service', 'x', 'c1'), ('pos', 'M1', 'c1');
        insert into staging.stg_consent__consents values
            ('A2', null, null, 'all', 'profiling', 'granted', '2024-01-01'),
            ('A2', null, null, 'all', 'profiling', 'withdrawn', '2024-02-01'),
            ('A3', null, null, 'all', 'profiling', 'withdrawn', '2024-01-01'),
            ('A3', null, null, 'all', 'profiling', 'granted', '2024-02-01'),
            ('A1', null, null, 'all', 'marketing', 'withdrawn', '2024-02-01');
        """
    )
    rows = rows_of(export(con, tmp_path)["recommendations"].file)

    assert [row["customer_id"] for row in rows] == ["c1", "c3"]
    assert rows[0] == {
        "as_of_date": "2024-06-30",
        "customer_id": "c1",
        "accounts": [
            {"source": "ecommerce", "account_id": "A1"},
            {"source": "pos", "account_id": "M1"},
        ],
        "recommendations": [
            {
                "list": "explore",
                "rank": 1,
                "product_id": "p2",
                "product": 'Mug "blue"',
                "why": "often together",
            },
            {"list": "repeat", "rank": 1, "product_id": "p1", "product": "Green tea", "why": "bought once"},
        ],
    }


def test_only_sends_of_the_date_in_order_of_priority(con, tmp_path):
    send(con, "t3", "email", priority=1)
    send(con, "t1", "email", priority=2)
    send(con, "t2", "email", priority=1)
    send(con, "t4", "email", decision="holdout")
    send(con, "t5", "email", as_of_date=date(2024, 6, 29))
    rows = rows_of(export(con, tmp_path)["email"].file)

    assert [row["touch_id"] for row in rows] == ["t2", "t3", "t1"]


def test_quotes_in_the_profile_and_in_templates_are_texts(con, tmp_path):
    con.execute("update policy.template set body = 'It''s {{ offer }}; drop table x; --'")
    for channel in ("email", "sms", "push", "phone", "social_dm"):
        send(con, f"t_{channel}", channel)
    exports = export(con, tmp_path, replace(ENGLISH, shop_name="O'Neil's", sms_opt_out="Don't? STOP"))

    assert rows_of(exports["sms"].file)[0]["text"] == "O'Neil's: It's 10% off; drop table x; -- Don't? STOP"
    assert rows_of(exports["push"].file)[0]["body"] == "It's 10% off; drop table x; --"
    assert "<p>It&#x27;s 10% off; drop table x; --</p>" in rows_of(exports["email"].file)[0]["body_html"]


def test_every_file_is_written_and_told_when_nobody_is_sent_to(con, tmp_path):
    exports = export(con, tmp_path)

    assert {item.file.name for item in exports.values()} == {item.name for item in EXPORTS}
    assert {item.rows for item in exports.values()} == {0}
    assert read_exports(tmp_path / "target") == list(exports.values())
    assert read_exports(tmp_path / "none") == []


def test_the_manifest_says_what_is_in_the_folder(con, tmp_path):
    send(con, "t1", "email")
    item = export(con, tmp_path)["email"]
    manifest = manifest_of(item)
    (entry,) = manifest["files"]

    assert {name: manifest[name] for name in RECORD} == RECORD
    assert (manifest["channel"], manifest["valid_until"]) == ("email", "2024-07-07")
    assert (entry["file"], entry["kind"], entry["rows"]) == ("email.csv", "full", 1)
    assert entry["sha256"] == hashlib.sha256(item.file.read_bytes()).hexdigest() == item.sha256
    assert [column["name"] for column in entry["columns"]] == list(rows_of(item.file)[0])


def test_files_follow_from_frozen_rows_with_the_same_bytes_for_the_owner_only(con, tmp_path):
    for channel in ("email", "sms", "push", "phone", "social_ads", "social_dm", "crm"):
        for place in range(3):
            send(con, f"{channel}{place}", channel)
    export(con, tmp_path / "a")
    export(con, tmp_path / "b")
    assert content(tmp_path / "a" / "target") == content(tmp_path / "b" / "target")

    con.close()
    again = tmp_path / "c"
    again.mkdir()
    write(tmp_path / "a" / "frozen", again, RECORD)
    assert content(again) == content(tmp_path / "a" / "target")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("?/**/*") if path.is_file()}
    assert modes == {0o600}


def test_freezing_leaves_nothing_in_the_connection_and_works_read_only(con, tmp_path):
    send(con, "t1", "email")
    con.execute(f"attach '{tmp_path / 'shop.duckdb'}' as shop")
    con.execute("copy from database memory to shop")
    con.execute("detach shop")
    with duckdb.connect(tmp_path / "shop.duckdb", read_only=True) as opened:
        assert export(opened, tmp_path)["email"].rows == 1
        left = opened.execute("select count(*) from duckdb_tables() where temporary").fetchone()
    assert left == (0,)


@pytest.mark.parametrize("change", ["delete from {}", "update {} set address = 'b@b', address_key = 'b'"])
def test_a_send_without_the_address_it_was_decided_for_is_refused(con, tmp_path, change):
    send(con, "t1", "email")
    con.execute(change.format("activation.int_contact_address"))
    with pytest.raises(
        ValueError, match=r"without their address in activation.int_contact_address: email: 1"
    ):
        export(con, tmp_path)


def test_a_send_without_a_text_is_refused(con, tmp_path):
    send(con, "t1", "email")
    con.execute("delete from policy.template where language = 'zh'")
    with pytest.raises(ValueError, match=r"no text in 'zh' for: w1 \(email\)"):
        export(con, tmp_path, CHINESE)


@pytest.fixture
def earlier(con, tmp_path):
    """An earlier day's frozen rows, and the removal of one of its touches."""
    for channel in ("email", "push", "phone", "social_ads"):
        send(con, f"old_{channel}", channel)
        send(con, f"kept_{channel}", channel, address="kept@mail.example.com")
    export(con, tmp_path / "earlier")
    con.execute("delete from activation.recall_decision")
    removed = tmp_path / "removed.parquet"
    con.execute(
        "copy (select unnest(['old_email', 'old_push', 'old_phone', 'old_social_ads', 'other']) as touch_id, "
        f"'bought' as reason) to '{removed}' (format parquet)"
    )
    files = {item.stem: [tmp_path / "earlier" / "frozen" / f"export_{item.stem}.parquet"] for item in EXPORTS}
    return Removals(files, removed)


def test_a_delta_removes_earlier_rows_and_adds_todays(con, tmp_path, earlier):
    send(con, "new", "email")
    exports = export(con, tmp_path, removals=earlier)
    folder = tmp_path / "target"
    full, delta = rows_of(exports["email"].file), rows_of(folder / "email" / "email_delta.csv")

    assert [(row["change"], row["removed_because"], row["touch_id"]) for row in delta] == [
        ("remove", "bought", "old_email"),
        ("add", "", "new"),
    ]
    assert list(delta[0]) == ["change", "removed_because", *full[0]]
    assert {name: delta[1][name] for name in full[0]} == full[0]
    (row,) = rows_of(folder / "phone" / "call_list_delta.csv")
    assert (row["change"], row["phone"]) == ("remove", "8613800000001")
    (row,) = rows_of(folder / "push" / "push_delta.jsonl")
    assert (row["change"], row["token"]) == ("remove", "token-1")
    (row,) = rows_of(folder / "social" / "social_meta_delta.csv")
    assert row["email"] == hashlib.sha256(b"ann@mail.example.com").hexdigest()
    assert set(row) == {"change", "removed_because", "email", "phone"}
    assert not (folder / "recommendations" / "recommendations_delta.jsonl").exists()

    told = {entry["file"]: entry for entry in manifest_of(exports["email"])["files"]}
    assert (told["email_delta.csv"]["added"], told["email_delta.csv"]["removed"]) == (1, 1)
    assert [item.file.name for item in read_exports(folder)] == [item.name for item in EXPORTS]


def test_a_scrub_writes_only_what_has_removals(tmp_path, earlier):
    target = tmp_path / "scrub"
    target.mkdir()
    exports = write_delta(earlier, target, RECORD)

    assert {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()} == {
        "email/email_delta.csv",
        "email/manifest.json",
        "phone/call_list_delta.csv",
        "phone/manifest.json",
        "push/push_delta.jsonl",
        "push/manifest.json",
        "social/social_google_delta.csv",
        "social/social_meta_delta.csv",
        "social/social_tiktok_delta.csv",
        "social/manifest.json",
    }
    assert {item.rows for item in exports} == {1}
    assert [row["touch_id"] for row in rows_of(target / "email" / "email_delta.csv")] == ["old_email"]


def test_nothing_to_remove_writes_nothing(tmp_path, earlier):
    target = tmp_path / "scrub"
    target.mkdir()
    none = tmp_path / "none.parquet"
    duckdb.execute(f"copy (select 'x' as touch_id, 'bought' as reason) to '{none}' (format parquet)")

    assert write_delta(replace(earlier, touches=none), target, RECORD) == []
    assert write_delta(Removals({}, none), target, RECORD) == []
    assert list(target.iterdir()) == []


def test_a_touch_that_is_removed_for_two_reasons_is_removed_once(tmp_path, earlier):
    target = tmp_path / "scrub"
    target.mkdir()
    twice = tmp_path / "twice.parquet"
    duckdb.execute(
        "copy (select 'old_email' as touch_id, unnest(['opted_out', 'bought']) as reason) "
        f"to '{twice}' (format parquet)"
    )
    write_delta(replace(earlier, touches=twice), target, RECORD)

    assert [row["removed_because"] for row in rows_of(target / "email" / "email_delta.csv")] == ["bought"]


def test_the_layout_of_emails_needs_nothing_from_elsewhere():
    layout = Path("pipelines/activation/email.html").read_text(encoding="utf-8")

    assert "<img" not in layout
    assert "url(" not in layout
    assert "http" not in layout
    assert "light dark" in layout
