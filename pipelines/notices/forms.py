"""What each service wants: the body, the headers, a signature in the address, and how it says no.

Sources: Slack, "Sending messages using incoming webhooks" and "Formatting text"; DingTalk, custom robots,
section "加签" (HMAC-SHA256 of `<milliseconds>\\n<secret>`, in the address); WeCom, group robots, message type
markdown (at most 4,096 bytes).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from pipelines.notices.channels import Form
from pipelines.notices.notice import Notice

SIGNATURE_HEADER = "X-Winback-Signature-256"
_WECOM_BYTES = 4096


@dataclass(frozen=True)
class Request:
    """A message as it is posted.

    Attributes:
        url: the address, signed if the form signs there; a secret.
        body: JSON in UTF-8.
        headers: beside the content type.
    """

    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def request_for(form: Form, notice: Notice, url: str, secret: str | None, *, milliseconds: int) -> Request:
    """The message of a notice in a service's form.

    Args:
        form: the service's.
        notice: what to say.
        url: the webhook.
        secret: the key for the signature; None to send without.
        milliseconds: now, since 1970, for a signature that grows old.
    """
    body = json.dumps(_BODIES[form](notice), ensure_ascii=False).encode()
    if secret is None:
        return Request(url, body)
    if form == "dingtalk":
        return Request(_signed_address(url, secret, milliseconds), body)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Request(url, body, {SIGNATURE_HEADER: f"sha256={digest}"})


def refusal(form: Form, body: bytes) -> str | None:
    """Why a service did not take a message that it answered with status 200; None if it took it.

    DingTalk and WeCom answer so to what they refuse, with a code in the body.

    Args:
        form: the service's.
        body: its answer.

    Example:
        >>> refusal("dingtalk", b'{"errcode": 310000, "errmsg": "sign not match"}')
        'refused with code 310000'
    """
    if form not in ("dingtalk", "wecom"):
        return None
    try:
        code = json.loads(body)["errcode"]
    except (ValueError, KeyError, TypeError):
        return "answered what is no answer of such a service"
    return None if code == 0 else f"refused with code {code}"


def _signed_address(url: str, secret: str, milliseconds: int) -> str:
    text = f"{milliseconds}\n{secret}"
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    separator = "&" if urlsplit(url).query else "?"
    return f"{url}{separator}timestamp={milliseconds}&sign={quote(base64.b64encode(digest), safe='')}"


def _json(notice: Notice) -> dict[str, object]:
    return {"source": "winback", **notice.to_dict()}


def _slack(notice: Notice) -> dict[str, object]:
    lines = [f"*{_slack_text(notice.title)}*", *(f"{n}: {_slack_text(v)}" for n, v in notice.facts())]
    lines += [f"> {_slack_text(notice.error)}", _slack_text(notice.what_to_do)]
    if notice.link:
        lines.append(f"<{notice.link}|Open the run>")
    return {"text": "\n".join(lines), "unfurl_links": False}


def _slack_text(text: str) -> str:
    """The three characters that Slack reads as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _dingtalk(notice: Notice) -> dict[str, object]:
    return {"msgtype": "markdown", "markdown": {"title": notice.title, "text": "\n\n".join(_lines(notice))}}


def _wecom(notice: Notice) -> dict[str, object]:
    text = "\n".join(_lines(notice)).encode()
    return {"msgtype": "markdown", "markdown": {"content": text[:_WECOM_BYTES].decode(errors="ignore")}}


def _lines(notice: Notice) -> list[str]:
    lines = [f"### {_plain(notice.title)}", *(f"{name}: {_plain(value)}" for name, value in notice.facts())]
    lines += [f"> {_plain(notice.error)}", _plain(notice.what_to_do)]
    return [*lines, f"[Open the run]({notice.link})"] if notice.link else lines


def _plain(text: str) -> str:
    """Text in which an error makes no link, picture or tag of its own."""
    return text.replace("[", "(").replace("]", ")").replace("<", "‹").replace(">", "›")


_BODIES: dict[Form, Callable[[Notice], dict[str, object]]] = {
    "json": _json,
    "slack": _slack,
    "dingtalk": _dingtalk,
    "wecom": _wecom,
}
