"""New rows for the demo shop: its landing folder, divided into what had come before and what comes later.

The newest rows, by the time of their event, are taken out of the files of the last half-year and put into
files of the same format beside them. Lines of orders go with their order. A row without a readable time stays
where it is.
"""

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import duckdb

from pipelines.demo import rates
from pipelines.demo.marker import MARKER_NAME, files_below, read_marker
from pipelines.feeds.sql import literal, path_literal

LATE = "_arriving"
"""What is added to the name of a file that comes on the day."""

_ROW_BYTES = 100_000
"""A longer line is one of the dirty rows, too."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Feed:
    """A feed whose newest rows come on the day.

    Attributes:
        name: the folder.
        files: pattern of the newest files.
        time: the column with the time of a row.
        key: the column by which rows of another feed follow.
        encoding, delimiter: of its text files.
        time_zone: of times in text.
    """

    name: str
    files: str
    time: str
    key: str | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    time_zone: str = rates.TIME_ZONE


FEEDS = (
    Feed("ecommerce_orders", "orders_2025h2*", "created", key="order_no"),
    Feed("pos_sales", "sales_2025h2*", "销售时间", encoding="gb18030", delimiter=";"),
    Feed("service_tickets", "tickets_2025*", "opened"),
    Feed("campaign_events", "events_2025h2*", "happened"),
    Feed("web_events", "events_2025h2*", "time", time_zone="UTC"),
)
_LINES = Feed("ecommerce_order_lines", "order_lines_2025h2*", "updated", key="order_no")
_ZONE = ZoneInfo(rates.TIME_ZONE)
_END = datetime.combine(rates.LAST_DAY, time()) + timedelta(days=1)
"""A row of a later time is one of the shop's dirty ones."""


@dataclass(frozen=True)
class Divided:
    """What was put aside.

    Attributes:
        cutoff: the first day whose rows come later.
        rows: how many rows that are.
        share: of all rows of the shop.
        files: the files that come on the day, by their place below landing.
    """

    cutoff: date
    rows: int
    share: float
    files: dict[str, Path]


@dataclass(frozen=True)
class _Parts:
    """A file, and where its two parts are written; their names end as its own: so the packer is told."""

    file: Path
    early: Path
    late: Path

    @classmethod
    def of(cls, file: Path, aside: Path) -> "_Parts":
        aside.mkdir(parents=True, exist_ok=True)
        stem, _, suffix = file.name.partition(".")
        return cls(file, file.with_name(f".{file.name}"), aside / f"{stem}{LATE}.{suffix}")

    def settle(self, rows: int) -> int:
        """Puts the early part in the place of the file, which may be one of another folder too."""
        self.early.replace(self.file)
        if not rows:
            self.late.unlink()
        return rows


def divide(landing: Path, aside: Path, share: float) -> Divided:
    """Takes at most this share of the shop's rows, those of the last days, out of its files.

    Nothing that comes later is of a day before: so a run of the day before and a rebuild, which has seen all
    of it, agree about that day. `arrive` puts the rows back.

    Args:
        landing: the shop's files; those that change are written anew, never changed in place.
        aside: an empty folder for what comes on the day.
        share: of 1.
    """
    marker = read_marker(landing)
    if marker is None:
        raise ValueError(f"{landing} holds no demo shop")
    all_rows = sum(feed.rows_read for feed in marker.feeds.values())
    days: Counter[date] = Counter()
    for feed in (*FEEDS, _LINES):
        for file in _files(landing, feed):
            for hour, rows_of_hour in _hours(feed, file).items():
                days[hour.date()] += rows_of_hour
    cutoff, newer = max(days), 0
    for day in sorted(days, reverse=True):
        newer += days[day]
        if newer > share * all_rows:
            break
        cutoff = day
    start = datetime.combine(cutoff, time())
    rows, orders = 0, set[str]()
    for feed in FEEDS:
        for file in _files(landing, feed):
            rows += _divide(feed, _Parts.of(file, aside / feed.name), start, orders)
    for file in _files(landing, _LINES):
        rows += _divide_lines(_Parts.of(file, aside / _LINES.name), sorted(orders))
    _mark(landing)
    files = {file.relative_to(aside).as_posix(): file for file in sorted(aside.rglob("*")) if file.is_file()}
    return Divided(cutoff, rows, rows / all_rows, files)


def arrive(divided: Divided, landing: Path) -> None:
    """Moves what comes on the day into the landing folder."""
    for name, file in divided.files.items():
        file.rename(landing / name)


def _files(landing: Path, feed: Feed) -> list[Path]:
    return sorted((landing / feed.name).glob(feed.files))


def _mark(landing: Path) -> None:
    """The marker says what lies there now: files of other sizes would be taken for an unfinished shop."""
    marker = read_marker(landing)
    assert marker is not None
    # Taken away first: it may be a second name of another folder's.
    (landing / MARKER_NAME).unlink()
    (landing / MARKER_NAME).write_text(
        replace(marker, files=files_below(landing)).to_json(), encoding="utf-8"
    )


def _local(feed: Feed, text: str) -> datetime | None:
    """The local time of a text such as 2025-07-01 19:23:45, with slashes or as ISO 8601."""
    written = text.strip('"').replace("/", "-").replace("T", " ").removesuffix("Z")
    if not _TIME.fullmatch(written):
        return None
    try:
        moment = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(feed.time_zone))
    except ValueError:  # the 30th of February
        return None
    local = moment.astimezone(_ZONE).replace(tzinfo=None)
    return local if local < _END else None


def _hours(feed: Feed, file: Path) -> Counter[datetime]:
    """Rows of a file by the hour, local time."""
    if file.suffix == ".parquet":
        with duckdb.connect() as con:
            found = con.execute(
                f"select date_trunc('hour', {_local_sql(con, feed, file)}) as hour, count(*) "
                f"from read_parquet({path_literal(file)}) group by hour having hour < timestamp '{_END}'"
            ).fetchall()
        return Counter(dict(found))
    counted: Counter[str] = Counter()
    for _, values in _lines(feed, file):
        if values is not None:
            counted[values[0].strip('"')[:13]] += 1
    hours: Counter[datetime] = Counter()
    for text, rows in counted.items():
        if (hour := _local(feed, f"{text}:00:00")) is not None:
            hours[hour] += rows
    return hours


def _local_sql(con: duckdb.DuckDBPyConnection, feed: Feed, file: Path) -> str:
    """SQL for the local time of a Parquet file's rows."""
    con.execute("set TimeZone = ?", [rates.TIME_ZONE])
    described = con.execute(f"describe from read_parquet({path_literal(file)})").fetchall()
    kind = {row[0]: row[1] for row in described}[feed.time]
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"cast({feed.time} as timestamp)"
    # Text or a time without a zone, which is the feed's.
    written = f"try_cast(rtrim(cast({feed.time} as varchar), 'Z') as timestamp)"
    return f"cast(timezone('{feed.time_zone}', {written}) as timestamp)"


def _lines(feed: Feed, file: Path) -> Iterator[tuple[bytes, tuple[str, str] | None]]:
    """Each line of a text file, and its time and key; None for one that stays, as the heading does."""
    with _opened(file, "rb") as lines:
        if ".csv" in file.suffixes:
            heading = next(lines)
            names = heading.decode(feed.encoding).strip().lstrip("\ufeff").split(feed.delimiter)
            place, key = names.index(feed.time), names.index(feed.key or feed.time)
            yield heading, None
            read = _csv_values(feed, len(names), place, key)
        else:
            read = _json_values(feed)
        within = False
        for line in lines:
            # A quoted text may go on in the next line; neither part of it is a row.
            broken = ".csv" in file.suffixes and line.count(b'"') % 2 == 1
            yield line, None if within or broken or len(line) > _ROW_BYTES else read(line)
            within ^= broken


def _csv_values(feed: Feed, columns: int, place: int, key: int) -> Callable[[bytes], tuple[str, str] | None]:
    delimiter = feed.delimiter.encode()

    def values(line: bytes) -> tuple[str, str] | None:
        if b'"' in line:
            text = line.decode(feed.encoding, "replace")
            parts = next(csv.reader([text], delimiter=feed.delimiter))
            return (parts[place], parts[key]) if len(parts) == columns else None
        cells = line.rstrip(b"\r\n").split(delimiter)
        if len(cells) != columns:
            return None
        return cells[place].decode("ascii", "replace"), cells[key].decode("ascii", "replace")

    return values


def _json_values(feed: Feed) -> Callable[[bytes], tuple[str, str] | None]:
    pattern = re.compile(rf'"{feed.time}":"([^"]*)"'.encode())

    def values(line: bytes) -> tuple[str, str] | None:
        found = pattern.search(line)
        if found is None:
            return None
        if b"\\" in line:  # a text within may look like the key
            try:
                text = json.loads(line)[feed.time]
            except (ValueError, KeyError, TypeError):
                return None
            return (text, "") if isinstance(text, str) else None
        return found[1].decode("ascii", "replace"), ""

    return values


@contextmanager
def _opened(file: Path, mode: str) -> Iterator[IO[bytes]]:
    if file.suffix == ".gz":
        with gzip.open(file, mode, compresslevel=3) as packed:
            yield packed  # type: ignore[misc]
    else:
        with file.open(mode) as plain:
            yield plain


def _divide(feed: Feed, parts: _Parts, cutoff: datetime, orders: set[str]) -> int:
    """Divides one file; adds the keys of the rows that come later, and returns how many these are."""
    if parts.file.suffix != ".parquet":
        return parts.settle(_divide_text(feed, parts, cutoff, orders))
    with duckdb.connect() as con:
        time_of_row = _local_sql(con, feed, parts.file)
        newer = f"{time_of_row} >= timestamp '{cutoff}' and {time_of_row} < timestamp '{_END}'"
        return parts.settle(_copy_parts(con, parts, newer))


def _divide_text(feed: Feed, parts: _Parts, cutoff: datetime, orders: set[str]) -> int:
    rows = 0
    minutes: dict[str, bool] = {}
    with _opened(parts.early, "wb") as before, _opened(parts.late, "wb") as after:
        for number, (line, values) in enumerate(_lines(feed, parts.file)):
            if number == 0 and ".csv" in parts.file.suffixes:
                after.write(line)
            if values is None:
                before.write(line)
                continue
            text, key = values
            if text[:16] not in minutes:
                moment = _local(feed, text)
                minutes[text[:16]] = moment is not None and moment >= cutoff
            is_late = minutes[text[:16]]
            if feed.key and is_late:
                orders.add(key)
            (after if is_late else before).write(line)
            rows += is_late
    return rows


def _divide_lines(parts: _Parts, orders: list[str]) -> int:
    """The lines of these orders come later."""
    with duckdb.connect() as con:
        con.execute("create table moved as select unnest(cast(? as varchar[])) as order_no", [orders])
        return parts.settle(_copy_parts(con, parts, f"{_LINES.key} in (from moved)"))


def _copy_parts(con: duckdb.DuckDBPyConnection, parts: _Parts, condition: str) -> int:
    late = f"coalesce({condition}, false)"
    counts = []
    for target, wanted in ((parts.early, f"not {late}"), (parts.late, late)):
        row = con.execute(
            f"copy (from read_parquet({path_literal(parts.file)}) where {wanted}) "
            f"to {literal(str(target))} (format parquet, compression zstd)"
        ).fetchone()
        counts.append(int(row[0]) if row else 0)
    return counts[1]
