"""What a notice says of an error, in every form, and what it never says."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.feeds.errors import ConfigError
from pipelines.notices.forms import SIGNATURE_HEADER, refusal, request_for
from pipelines.notices.notice import ERROR_CHARACTERS, Notice, shortened
from pipelines.settings import PROFILES_DIR, load_settings

NOTICE = Notice(
    key="r1",
    event="run_failed",
    profile="corner_shop",
    title="corner_shop: daily_recall for 2024-06-30 failed",
    error="core.order_line: failed: <amount> [is](http://evil.example.com) wrong & more",
    what_to_do="Follow the remedy, then run: winback run --date 2024-06-30",
    occurred_at=datetime(2024, 7, 1, 5, 3, tzinfo=UTC),
    job="daily_recall",
    run_id="r1",
    step="gate_core",
    first_date=date(2024, 6, 30),
    last_date=date(2024, 6, 30),
    link="http://127.0.0.1:3000/runs/r1",
)
URL = "https://hooks.example.com/robot/send?access_token=abc"


@pytest.mark.parametrize(
    "message",
    [
        "Conversion Error: Could not convert string 'Wang Xiaoming' to INT32",
        'invalid input syntax for type integer: "Wang Xiaoming"',
        "Incorrect DATE value: 'Wang Xiaoming'",
        "Duplicate key `Wang Xiaoming` violates primary key",
        "no such row: wang.xiaoming@example.com",
        "called 138-1234-5678, (021) 5555 6666 or +86 138 1234 5678",
        "the card 6222021234567890 is known",
        "fine\nWang Xiaoming is on the second line",
    ],
)
@pytest.mark.parametrize("is_ours", [True, False])
def test_values_of_rows_are_masked(message, is_ours):
    said = shortened(message, is_ours=is_ours)

    for personal in ("Wang", "xiaoming", "1234", "5555", "6222"):
        assert personal not in said
    assert said


@pytest.mark.parametrize(
    "message",
    [
        "data/profiles/shop.yaml: feeds.products.columns.category: 'department' is neither a column nor SQL",
        "feeds.products.source.path: the file landing/products.csv ('landing/products.csv') does not exist",
        "the environment variable SHOP_URL is not set; set it so that '${SHOP_URL}' is the URL",
        "kpi.audience for 2024-06-30: failed: row count (12 of 100) at 2024-06-30 12:00:00. Remedy: look",
        "run 6f1c9a52-4f0e-4b8e-9d0f-1234567890ab is marked as ended",
    ],
)
def test_what_we_word_ourselves_keeps_its_names_and_dates(message):
    assert shortened(message, is_ours=True) == message


def test_an_error_is_cut_and_an_empty_one_says_so():
    assert len(shortened("long " * 1000, is_ours=True)) == ERROR_CHARACTERS
    assert shortened(" \n ", is_ours=True) == "no message"


def test_a_long_error_is_masked_before_it_is_cut():
    quoted = "x" * (ERROR_CHARACTERS - 20) + " value: 'Wang Xiaoming and everybody else'"
    assert "Wang" not in shortened(quoted, is_ours=False)


def test_the_generic_form_has_everything_and_a_signature():
    request = request_for("json", NOTICE, URL, "k", milliseconds=0)

    body = json.loads(request.body)
    assert body["source"] == "winback"
    assert (body["event"], body["run_id"], body["step"]) == ("run_failed", "r1", "gate_core")
    assert (body["first_date"], body["occurred_at"]) == ("2024-06-30", "2024-07-01T05:03:00+00:00")
    expected = hmac.new(b"k", request.body, hashlib.sha256).hexdigest()
    assert request.headers == {SIGNATURE_HEADER: f"sha256={expected}"}
    assert request.url == URL
    assert request_for("json", NOTICE, URL, None, milliseconds=0).headers == {}


def test_dingtalk_is_signed_in_the_address_as_its_documentation_says():
    request = request_for("dingtalk", NOTICE, URL, "SECk", milliseconds=1719800000000)

    query = parse_qs(urlsplit(request.url).query)
    digest = hmac.new(b"SECk", b"1719800000000\nSECk", hashlib.sha256).digest()
    assert query == {
        "access_token": ["abc"],
        "timestamp": ["1719800000000"],
        "sign": [base64.b64encode(digest).decode()],
    }
    assert set(json.loads(request.body)["markdown"]) == {"title", "text"}
    assert request_for("dingtalk", NOTICE, "https://a.example.com/x", "k", milliseconds=1).url.startswith(
        "https://a.example.com/x?timestamp=1&sign="
    )


def test_an_error_makes_no_markup_of_its_own():
    slack = json.loads(request_for("slack", NOTICE, URL, None, milliseconds=0).body)["text"]
    assert "&lt;amount&gt; [is](http://evil.example.com) wrong &amp; more" in slack
    assert "<http://127.0.0.1:3000/runs/r1|Open the run>" in slack
    for form, key in (("dingtalk", "text"), ("wecom", "content")):
        text = json.loads(request_for(form, NOTICE, URL, None, milliseconds=0).body)["markdown"][key]
        assert "[is](" not in text and "<amount>" not in text
        assert "[Open the run](http://127.0.0.1:3000/runs/r1)" in text


def test_wecom_gets_no_more_bytes_than_it_takes():
    long = Notice(**{**NOTICE.__dict__, "what_to_do": "重做 " * 3000})
    content = json.loads(request_for("wecom", long, URL, None, milliseconds=0).body)["markdown"]["content"]
    assert 4090 < len(content.encode()) <= 4096


@pytest.mark.parametrize(
    ("form", "body", "why"),
    [
        ("wecom", b'{"errcode": 0, "errmsg": "ok"}', None),
        ("wecom", b'{"errcode": 93000, "errmsg": "invalid webhook url"}', "refused with code 93000"),
        ("dingtalk", b"<html>", "answered what is no answer of such a service"),
        ("slack", b"anything", None),
        ("json", b"", None),
    ],
)
def test_a_refusal_in_the_answer_is_seen(form, body, why):
    assert refusal(form, body) == why


@pytest.fixture
def profile_with(tmp_path):
    def write(notices: str) -> dict[str, str]:
        text = (PROFILES_DIR / "demo.yaml").read_text(encoding="utf-8")
        file = tmp_path / "shop.yaml"
        file.write_text(f"{text}\nnotices:\n{notices}\n", encoding="utf-8")
        return {"WINBACK_PROFILE": str(file), "WINBACK_DATA_DIR": str(tmp_path / "home")}

    return write


def test_the_channels_are_those_of_the_profile_and_of_the_environment(profile_with):
    environment = profile_with("  - {form: dingtalk, url: '${ROBOT}', secret: '${ROBOT_KEY}'}")
    more = {"WINBACK_NOTICE_URL": URL, "WINBACK_NOTICE_FORM": "slack"}

    assert [each.name for each in load_settings(environment).notices] == ["dingtalk (ROBOT)"]
    both = load_settings(environment | more)
    assert [each.name for each in both.notices] == ["dingtalk (ROBOT)", "slack (WINBACK_NOTICE_URL)"]
    assert URL not in repr(both)
    assert both.notices_file == both.home / "notices" / "notices.jsonl"


@pytest.mark.parametrize(
    ("notices", "message"),
    [
        (
            "  - {url: 'https://hooks.example.com/s3cr3t'}",
            "notices.0.url: accepted: the name of an environment",
        ),
        (
            "  - {url: '${A}s3cr3t'}",
            "notices.0.url: accepted: the name of an environment variable, as ${NAME}",
        ),
        ("  - {form: dingtalk, url: '${A}', secret: s3cr3t}", "notices.0.secret: accepted: the name"),
        (
            "  - {form: slack, url: '${A}', secret: '${B}'}",
            "slack signs nothing; a secret belongs to json and",
        ),
        ("  - {form: teams, url: '${A}'}", "notices.0.form: Input should be 'json', 'slack', 'dingtalk' or"),
        ("  - {address: '${A}'}", "notices.0: unknown key 'address'; accepted keys: form, url, secret"),
    ],
)
def test_a_wrong_channel_names_its_key_and_no_secret(profile_with, notices, message):
    with pytest.raises(ConfigError) as raised:
        load_settings(profile_with(notices))

    assert message in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"WINBACK_NOTICE_FORM": "teams"},
            "environment: WINBACK_NOTICE_FORM='teams': Input should be 'json', ",
        ),
        ({"WINBACK_NOTICE_FORM": "slack", "WINBACK_NOTICE_SECRET": "s3cr3t"}, "slack signs nothing"),
        (
            {"WINBACK_UI_URL": "127.0.0.1:3000"},
            "WINBACK_UI_URL='127.0.0.1:3000': Value error, accepted: an address",
        ),
    ],
)
def test_a_wrong_variable_names_itself(tmp_path, given, message):
    environment = {
        "WINBACK_DATA_DIR": str(tmp_path),
        "WINBACK_NOTICE_URL": "https://hooks.example.com/s3cr3t",
    }
    with pytest.raises(ConfigError) as raised:
        load_settings(environment | given)

    assert message in str(raised.value)
    assert "s3cr3t" not in str(raised.value)
