"""Where notices go: webhooks of a profile, and one of the environment. Their addresses are secrets.

Who knows the address of a webhook can write into the chat behind it. So a profile holds the name of an
environment variable alone, and the value is read at the moment of sending and stands in no message.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from pipelines.feeds.config import StrictModel

Form = Literal["json", "slack", "dingtalk", "wecom"]
SIGNED: tuple[Form, ...] = ("json", "dingtalk")
"""Forms that can be signed with a secret."""

URL_VARIABLE = "WINBACK_NOTICE_URL"
FORM_VARIABLE = "WINBACK_NOTICE_FORM"
SECRET_VARIABLE = "WINBACK_NOTICE_SECRET"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class NotSet(ValueError):
    """An environment variable that a channel names is not set; the message names it."""


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("accepted: the name of an environment variable, as ${NAME}, and nothing else")
    return value


def _variable(reference: str) -> str:
    return reference[2:-1]


Reference = Annotated[str, AfterValidator(_reference)]


class Channel(StrictModel):
    """One webhook.

    Attributes:
        form: what the service behind it expects.
        url: `${NAME}` of the environment variable that holds the address.
        secret: `${NAME}` of the variable with the key by which the message is signed.
    """

    form: Form = "json"
    url: Reference
    secret: Reference | None = None

    @model_validator(mode="after")
    def _is_signed(self) -> Self:
        if self.secret is not None and self.form not in SIGNED:
            raise ValueError(f"{self.form} signs nothing; a secret belongs to {' and '.join(SIGNED)}")
        return self

    @property
    def name(self) -> str:
        """The form and the variable of the address, for messages.

        >>> Channel(form="slack", url="${SHOP_SLACK_URL}").name
        'slack (SHOP_SLACK_URL)'
        """
        return f"{self.form} ({_variable(self.url)})"

    def value_of(self, reference: str, environment: Mapping[str, str]) -> str:
        """What the environment has for a reference of this channel.

        Raises:
            NotSet: nothing.
        """
        variable = _variable(reference)
        if not environment.get(variable):
            raise NotSet(f"the environment variable {variable} is not set")
        return environment[variable].strip()


def channels_of(configured: Sequence[Channel], environment: Mapping[str, str]) -> list[Channel]:
    """The profile's channels, and the one of the environment if there is one.

    Args:
        configured: those of the profile.
        environment: `WINBACK_NOTICE_URL` adds a channel, `WINBACK_NOTICE_FORM` (json by default) says of
            which form, and `WINBACK_NOTICE_SECRET` signs it.

    Raises:
        pydantic.ValidationError: there is no such form, or it signs nothing.
    """
    if not environment.get(URL_VARIABLE):
        return list(configured)
    given = {"url": f"${{{URL_VARIABLE}}}"}
    if form := environment.get(FORM_VARIABLE):
        given["form"] = form
    if environment.get(SECRET_VARIABLE):
        given["secret"] = f"${{{SECRET_VARIABLE}}}"
    return [*configured, Channel.model_validate(given)]
