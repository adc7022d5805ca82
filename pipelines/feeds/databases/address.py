"""A database's URL: its parts, and its password kept out of every message."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.feeds.errors import ConfigError


@dataclass(frozen=True)
class Address:
    """Where a database is and who asks.

    Attributes:
        url: the URL as given; it may hold a password and stands in no message.
        options: what follows the question mark.
    """

    url: str
    user: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str
    options: dict[str, str]

    @classmethod
    def parse(cls, url: str, schemes: tuple[str, ...], where: str) -> "Address":
        """The parts of a URL.

        Raises:
            ConfigError: it is none, or of another kind of database; the message holds nothing of it.

        Example:
            >>> Address.parse("mysql://me:secret@db.example:3307/shop", ("mysql",), "profile").shown
            'db.example:3307/shop'
        """
        accepted = f"accepted: {schemes[0]}://<user>:<password>@<host>:<port>/<database>"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError(
                f"{where}: the URL cannot be read (a special character in a password is written as %XX); "
                f"{accepted}"
            ) from None
        if parts.scheme not in schemes:
            raise ConfigError(f"{where}: the URL's kind is {parts.scheme!r}; {accepted}")
        user, password = (
            None if value is None else unquote(value) for value in (parts.username, parts.password)
        )
        options = dict(parse_qsl(parts.query))
        return cls(url, user, password, parts.hostname, port, unquote(parts.path.lstrip("/")), options)

    @property
    def shown(self) -> str:
        """Host, port and database, for messages."""
        return f"{self.host or 'localhost'}{f':{self.port}' if self.port else ''}/{self.database}"

    def redacted(self, text: str) -> str:
        """A driver's text without the URL and the password."""
        secrets = (self.url, self.password, self.options.get("password"), urlsplit(self.url).password)
        for secret in secrets:
            if secret:
                text = text.replace(secret, "***")
        return text
