"""Posting a notice: a short time-out, a few attempts, no redirects, and no address in any message.

Python's own HTTP client, because the known libraries write addresses into their logs and errors.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from pipelines.notices.channels import Channel, NotSet
from pipelines.notices.forms import Request, refusal, request_for
from pipelines.notices.notice import Notice

OK = "sent"
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_ANSWER_BYTES = 65536


@dataclass(frozen=True)
class Patience:
    """How long a webhook is waited for.

    Attributes:
        timeout_seconds: of one attempt's connection, and of each wait for its answer.
        waits_seconds: before the second attempt, the third, and so on.
        total_seconds: for all of it; whoever answers a byte at a time is given up then.
    """

    timeout_seconds: float = 5.0
    waits_seconds: tuple[float, ...] = (1.0, 4.0)
    total_seconds: float = 25.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: a notice goes where it was to go, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def deliver(
    notice: Notice, channels: list[Channel], environment: Mapping[str, str], patience: Patience
) -> dict[str, str]:
    """Post a notice to all channels at once.

    Args:
        notice: what to say.
        channels: to whom.
        environment: what holds their addresses and secrets.
        patience: how long to try.

    Returns:
        By the channel's name: `sent`, or why not.
    """
    outcomes = {channel.name: f"gave no answer in {patience.total_seconds:g} s" for channel in channels}

    def send(channel: Channel) -> None:
        outcomes[channel.name] = _deliver(notice, channel, environment, patience)

    # Nobody waits for these threads at the end of the process.
    threads = [Thread(target=send, args=(channel,), daemon=True) for channel in channels]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience.total_seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(outcomes)


def _deliver(notice: Notice, channel: Channel, environment: Mapping[str, str], patience: Patience) -> str:
    try:
        url = channel.value_of(channel.url, environment)
        secret = channel.value_of(channel.secret, environment) if channel.secret else None
    except NotSet as error:
        return str(error)
    outcome, is_transient = "", True
    for wait in (0.0, *patience.waits_seconds):
        if not is_transient:
            break
        time.sleep(wait)
        request = request_for(channel.form, notice, url, secret, milliseconds=time.time_ns() // 1_000_000)
        outcome, is_transient = _post(channel, request, patience.timeout_seconds)
        if outcome == OK:
            return OK
    return outcome


def _post(channel: Channel, request: Request, timeout_seconds: float) -> tuple[str, bool]:
    """One attempt: `sent` or why not, and whether another one may help."""
    if not _is_web_address(request.url):
        return "the address is none that begins with http:// or https://", False
    try:
        posted = urllib.request.Request(
            request.url,
            data=request.body,
            headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "winback"}
            | request.headers,
        )
        with _opener.open(posted, timeout=timeout_seconds) as answer:
            why_not = refusal(channel.form, answer.read(_ANSWER_BYTES))
        return (OK, False) if why_not is None else (why_not, False)
    except urllib.error.HTTPError as error:
        with error:
            # A redirect is one of them; where to is nobody's business.
            return f"answered with status {error.code}", error.code in TRANSIENT_STATUS
    except (OSError, HTTPException) as error:
        # Of the error only its kind: its text may hold the address.
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        kind = type(reason).__name__ if isinstance(reason, BaseException) else "error"
        return f"cannot be reached ({kind})", True


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, url))
    except ValueError:
        return False
