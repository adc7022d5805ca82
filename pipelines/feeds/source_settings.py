"""What a profile says about a source: files, or a table or query of a PostgreSQL or MySQL database.

Text that says nothing of its zone, decimal separator or date format is read as the source's settings say.
A database writes numbers and dates in one way only, so its settings are a time zone and nothing more; what a
text column holds is parsed in the source's own SQL.
"""

import codecs
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from pipelines.feeds.config import StrictModel

FileFormat = Literal["parquet", "csv", "tsv", "jsonl", "xlsx"]
_SUFFIX_FORMATS: dict[str, FileFormat] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
}
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SIZE = re.compile(r"(\d+)\s*(KB|MB|GB|TB)")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_MOST_UNPACKED = 20 * 10**9
# A workbook is held in memory as a whole.
_MOST_UNPACKED_WORKBOOK = 2 * 10**9
_DURATION = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class BaseSource(StrictModel):
    """What every source has.

    Attributes:
        hint: where to get the data; part of the error when the source is not there.
        time_zone: the zone of timestamps that carry none; by default the profile's.
    """

    hint: str | None = None
    time_zone: str | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                raise ValueError(
                    "not a time zone; accepted: IANA names such as Europe/London or UTC"
                ) from None
        return name


class FileSource(BaseSource):
    """Files that hold a feed's rows. Each file is one source: taken in, and superseded, on its own.

    Attributes:
        path: a path, a glob (`*`, `?`, `[…]`, `**`) or a list of them. `${NAME}` is the environment variable,
            `package://<package>/<path>` lies in an installed package, a relative path in the project's
            folder.
        format: parquet, csv, tsv, jsonl or xlsx; by default what the file's suffix says. csv, tsv and jsonl
            may be gzipped (suffix .gz).
        encoding: of csv, tsv and jsonl, such as gb18030, utf-16 or latin-1; UTF-8 by default. A byte order
            mark may stand before UTF-8 and UTF-16. A line with bytes that are not of the encoding is
            quarantined as `unreadable_line`.
        delimiter: one character; by default a comma, for tsv a tab.
        quote: the character around values that contain the delimiter; "" for none.
        null_values: texts that mean "no value", in CSV and TSV; the empty text always does.
        decimal_separator, thousands_separator: how numbers are written in text columns.
        date_formats, timestamp_formats: how dates are written in text columns, as strptime patterns, tried in
            order; by default ISO 8601. A value that fits none is quarantined as `wrong_type`.
        sheet: the sheet or sheets of a workbook; by default all, which then must have the same columns.
        max_unpacked: how large a gzipped file, a workbook or a Parquet file may become when it is unpacked,
            such as 50GB; by default 20GB, for a workbook 2GB. A larger one is refused before it is loaded.
    """

    type: Literal["file"]
    path: str | tuple[str, ...]
    format: FileFormat | None = None
    encoding: str = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    null_values: tuple[str, ...] = ()
    decimal_separator: Literal[".", ","] = "."
    thousands_separator: str | None = Field(default=None, min_length=1, max_length=1)
    date_formats: tuple[str, ...] = ()
    timestamp_formats: tuple[str, ...] = ()
    sheet: str | tuple[str, ...] | None = None
    max_unpacked: str | None = None

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, name: str) -> str:
        try:
            codec = codecs.lookup(name)
            codec.incrementaldecoder().decode(b"")
            "".encode(codec.name)  # refuses what is no text encoding, such as base64
        except (LookupError, TypeError, ValueError):
            raise ValueError(
                "not a text encoding; accepted: names such as utf-8, utf-16, gb18030, gbk, big5, shift_jis, "
                "latin-1, cp1252"
            ) from None
        return codec.name

    @field_validator("max_unpacked")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None and not _SIZE.fullmatch(value):
            raise ValueError("accepted: a whole number with KB, MB, GB or TB, such as 50GB")
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not self.paths or not all(self.paths):
            raise ValueError("path is empty; accepted: a path, a glob or a list of them")
        if self.thousands_separator == self.decimal_separator:
            raise ValueError("thousands_separator and decimal_separator must differ")
        if self.encoding != "utf-8" and self.format in ("parquet", "xlsx"):
            raise ValueError(f"encoding belongs to the formats csv, tsv and jsonl, not to {self.format}")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """The configured paths, unexpanded, as a tuple."""
        return (self.path,) if isinstance(self.path, str) else self.path

    def most_unpacked_bytes(self, file_format: FileFormat) -> int:
        """How large a file of the format may become when it is unpacked, in bytes.

        Example:
            >>> FileSource(type="file", path="a.csv.gz", max_unpacked="50GB").most_unpacked_bytes("csv")
            50000000000
        """
        match = _SIZE.fullmatch(self.max_unpacked or "")
        if match is not None:
            return int(match[1]) * _UNITS[match[2]]
        return _MOST_UNPACKED_WORKBOOK if file_format == "xlsx" else _MOST_UNPACKED

    def format_of(self, file: Path) -> FileFormat | None:
        """The configured format, or what the file's suffix (before .gz) says; None if that is unknown.

        Example:
            >>> FileSource(type="file", path="a.csv.gz").format_of(Path("a.csv.gz"))
            'csv'
        """
        if self.format is not None:
            return self.format
        suffixes = [suffix.lower() for suffix in file.suffixes]
        if suffixes and suffixes[-1] == ".gz":
            suffixes.pop()
        return _SUFFIX_FORMATS.get(suffixes[-1]) if suffixes else None


class DatabaseSource(BaseSource):
    """A table or query of a database, read in one read-only snapshot. Every column arrives as text.

    Without a cursor each read is the whole source and takes the place of the one before. With a cursor a read
    brings the rows whose cursor is not below the highest one seen, less `look_back`; the newest row of a key
    wins downstream, so rows must say by their version or event time which is newer, or be newer by being read
    later. A row deleted in the database stays until the binding changes: then all is read anew.

    Attributes:
        url: an environment variable (`${SHOP_DB_URL}`), or a URL in which user and password are variables.
        table: a table or view, with its schema before a point if it has one.
        query: a select statement in the database's SQL, in place of `table`.
        cursor: the column by which new and changed rows are found: a whole number, a date or a timestamp.
        look_back: how far before the highest cursor to begin, for rows that were committed late: a duration
            such as `90s`, `15m`, `12h` or `3d`; for a number cursor, a number.
        chunk_rows: rows that are held in memory at once.
        connect_timeout, statement_timeout: seconds until a connection, or a read with all its rows, is given
            up.
        retries: how often to try again, after 1, 2, 4, … seconds, when the connection fails or breaks.
    """

    # What a conversion asks of any source: a database has one way to write a value, ISO 8601 and a point.
    decimal_separator: ClassVar[Literal[".", ","]] = "."
    thousands_separator: ClassVar[str | None] = None
    date_formats: ClassVar[tuple[str, ...]] = ()
    timestamp_formats: ClassVar[tuple[str, ...]] = ()

    url: str
    table: str | None = Field(default=None, min_length=1)
    query: str | None = Field(default=None, min_length=1)
    cursor: str | None = Field(default=None, min_length=1)
    look_back: str | int | None = None
    chunk_rows: int = Field(default=100_000, ge=1)
    connect_timeout: int = Field(default=10, ge=2)
    statement_timeout: int = Field(default=3600, ge=1)
    retries: int = Field(default=3, ge=0)

    @field_validator("url")
    @classmethod
    def _holds_no_credentials(cls, url: str) -> str:
        outside = VARIABLE.sub("", url)
        user, at, _ = outside.partition("@")
        if outside == url or (at and user.partition("://")[2].strip(":")) or "password" in outside.lower():
            raise ValueError(
                "credentials never stand in a profile; accepted: an environment variable that holds the URL, "
                "such as ${SHOP_DB_URL}, or variables in the place of user and password"
            )
        return url

    @field_validator("look_back")
    @classmethod
    def _is_look_back(cls, value: str | int | None) -> str | int | None:
        if (isinstance(value, str) and not _DURATION.fullmatch(value)) or (
            isinstance(value, int) and value < 0
        ):
            raise ValueError("accepted: a duration such as 90s, 15m, 12h or 3d, or a number from 0")
        return value

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("one of table and query must be given, and not both")
        if self.look_back is not None and self.cursor is None:
            raise ValueError("look_back belongs to a cursor, and none is given")
        return self

    @property
    def look_back_duration(self) -> timedelta | None:
        """`look_back` as a duration, None where it is a number; no time at all if it is not given.

        Example:
            >>> source = PostgresSource(
            ...     type="postgres", url="${DB}", table="t", cursor="changed", look_back="3d"
            ... )
            >>> source.look_back_duration
            datetime.timedelta(days=3)
        """
        if isinstance(self.look_back, int):
            return None
        match = _DURATION.fullmatch(self.look_back or "0s")
        assert match is not None, "validated"
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


class PostgresSource(DatabaseSource):
    """A table or query of a PostgreSQL database; its URL is as libpq takes it (`postgresql://…`)."""

    type: Literal["postgres"]


class MySqlSource(DatabaseSource):
    """A table or query of a MySQL or MariaDB database; its URL is `mysql://user:password@host:port/database`,
    with `?ssl_ca=<file>` for a verified connection."""

    type: Literal["mysql"]


Source = Annotated[FileSource | PostgresSource | MySqlSource, Field(discriminator="type")]
AnySource = FileSource | PostgresSource | MySqlSource
