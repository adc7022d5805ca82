"""Notices on their way, to a real web server that works, fails, hangs or redirects; and in their file."""

import json
import stat
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from test_notice import NOTICE
from webhook_server import serving

from pipelines.notices import Channel, Journal
from pipelines.notices.webhook import Patience, deliver
from pipelines.settings import PROJECT_DIR

SOON = Patience(timeout_seconds=0.3, waits_seconds=(0.05, 0.05), total_seconds=1.5)


def channel(form="json", **given):
    return Channel(form=form, url="${HOOK}", **given)


def sent(url, form="json", patience=SOON):
    (outcome,) = deliver(NOTICE, [channel(form)], {"HOOK": url}, patience).values()
    return outcome


@pytest.mark.parametrize("form", ["json", "slack", "dingtalk", "wecom"])
def test_a_notice_arrives_as_utf_8_json(form):
    with serving() as webhook:
        assert sent(webhook.url, form) == "sent"

    ((path, headers, body),) = webhook.requests
    assert path.startswith("/hooks/s3cr3t-path?key=s3cr3t-key")
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert "daily_recall for 2024-06-30 failed" in json.dumps(body)


@pytest.mark.parametrize("first", [(500, b""), (503, b""), (429, b""), "cut", "hang"])
def test_what_may_pass_is_tried_again(first):
    with serving(first, (200, b"")) as webhook:
        assert sent(webhook.url) == "sent"

    assert len(webhook.requests) == 2


@pytest.mark.parametrize(
    ("answer", "form", "outcome", "attempts"),
    [
        ((500, b""), "json", "answered with status 500", 3),
        ((404, b"no_service"), "slack", "answered with status 404", 1),
        ((200, b'{"errcode": 310000}'), "dingtalk", "refused with code 310000", 1),
        ("hang", "json", "cannot be reached (TimeoutError)", 3),
        ("cut", "json", "cannot be reached (RemoteDisconnected)", 3),
        ("drip", "json", "gave no answer in 1.5 s", None),
    ],
)
def test_who_does_not_take_a_notice_is_given_up(answer, form, outcome, attempts):
    with serving(answer) as webhook:
        began = time.monotonic()
        assert sent(webhook.url, form) == outcome

    assert time.monotonic() - began < 20
    assert attempts in (None, len(webhook.requests))


def test_a_redirect_is_not_followed():
    with serving() as elsewhere, serving(elsewhere.url) as webhook:
        assert sent(webhook.url) == "answered with status 302"

    assert len(webhook.requests) == 1
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("", "the environment variable HOOK is not set"),
        ("http://127.0.0.1:1/s3cr3t", "cannot be reached (ConnectionRefusedError)"),
        ("file:///etc/s3cr3t", "the address is none that begins with http:// or https://"),
        ("http://[s3cr3t", "the address is none that begins with http:// or https://"),
        ("s3cr3t", "the address is none that begins with http:// or https://"),
    ],
)
def test_a_wrong_address_is_told_without_it(url, outcome):
    assert sent(url) == outcome


def test_a_secret_that_is_not_there_sends_nothing():
    with serving() as webhook:
        signed = channel("dingtalk", secret="${KEY}")
        outcomes = deliver(NOTICE, [signed], {"HOOK": webhook.url}, SOON)

    assert outcomes == {"dingtalk (HOOK)": "the environment variable KEY is not set"}
    assert webhook.requests == []


def test_one_that_hangs_does_not_keep_the_others_waiting():
    with serving("hang") as hanging, serving() as webhook:
        channels = [Channel(form="slack", url="${HANGING}"), channel()]
        environment = {"HANGING": hanging.url, "HOOK": webhook.url}
        outcomes = deliver(NOTICE, channels, environment, SOON)

    assert outcomes == {"slack (HANGING)": "cannot be reached (TimeoutError)", "json (HOOK)": "sent"}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "notices" / "notices.jsonl"


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_file_has_every_notice_and_what_became_of_it_for_its_owner_alone(file):
    with serving((404, b"")) as webhook:
        journal = Journal(file, [channel("slack")], {"HOOK": webhook.url}, SOON)
        assert journal.send(NOTICE) == {"slack (HOOK)": "answered with status 404"}

    notice, outcome = lines(file)
    assert notice["notice"]["error"] == NOTICE.error
    assert outcome["webhooks"] == {"slack (HOOK)": "answered with status 404"}
    assert "s3cr3t" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each["key"] for each in journal.notices()] == ["r1"]


def test_a_notice_is_sent_once_whoever_sends_it(file):
    """Two processes at once, as the daemon and a command that learn of the same run."""
    code = f"""
import sys; sys.path.insert(0, {str(PROJECT_DIR / "tests" / "unit" / "notices")!r})
from pathlib import Path
from test_notice import NOTICE
from pipelines.notices import Channel, Journal
print(Journal(Path(sys.argv[1]), [Channel(url="${{HOOK}}")], {{"HOOK": sys.argv[2]}}).send(NOTICE))
"""
    # Slow enough for the second one to come while the first is sending.
    with serving("slow", (200, b"")) as webhook:
        command = [sys.executable, "-c", code, str(file), webhook.url]
        both = [
            subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
        again = Journal(file, [channel()], {"HOOK": webhook.url}, SOON).send(NOTICE)
        other = Journal(file, [channel()], {"HOOK": webhook.url}, SOON).send(replace(NOTICE, key="r2"))

    assert said == ["None", "{'json (HOOK)': 'sent'}"]
    assert (again, other) == (None, {"json (HOOK)": "sent"})
    assert [body["key"] for body in webhook.bodies] == ["r1", "r2"]


def test_who_was_killed_in_between_has_sent_nothing(file):
    """Half a line, and a notice without what became of it."""
    file.parent.mkdir()
    whole = json.dumps({"notice": NOTICE.to_dict()})
    file.write_text(f"{whole}\n{whole[:40]}", encoding="utf-8")
    with serving() as webhook:
        assert Journal(file, [channel()], {"HOOK": webhook.url}, SOON).send(NOTICE) == {"json (HOOK)": "sent"}

    assert len(webhook.requests) == 1
    assert Journal(file, [], {}).send(NOTICE) is None
    assert len(Journal(file, [], {}).notices()) == 1
