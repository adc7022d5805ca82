"""What has arrived and is not taken in, told by names, sizes and times."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feed_shop import MAPPING, Shop

from pipelines.feeds.arrivals import PATIENCE, QUIET, Arrivals, Watch, look, not_taken_in, settled
from pipelines.feeds.binding import FeedBinding

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
ROWS = "id,amount\na,1\n"


def binding(*paths: str, **also: str) -> FeedBinding:
    return FeedBinding.model_validate(
        {
            "source": {"type": "file", "path": list(paths)},
            "also": {name: {"type": "file", "path": path} for name, path in also.items()},
            "columns": MAPPING,
            **({"query": "select * from source"} if also else {}),
        }
    )


def seen(shop: Shop, *paths: str, **also: str) -> Arrivals:
    return look({"sales": binding(*paths, **also)}, shop.folder)


def age(path: Path, by: timedelta, now: datetime | None = None) -> Path:
    at = ((now or datetime.now(UTC)) - by).timestamp()
    os.utime(path, (at, at))
    return path


def arrived(shop: Shop, name: str, text: str = ROWS) -> Path:
    """A file that was written a minute ago: the lake notes its times in whole seconds."""
    return age(shop.write(name, text), timedelta(minutes=1))


def test_a_look_reads_nothing_and_leaves_out_what_does_not_arrive(shop: Shop, monkeypatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    shop.write("in/a.csv", ROWS).chmod(0)
    shop.write("in/b.csv.part", ROWS)
    shop.write("in/.c.csv", ROWS)
    paths = ("in/*.csv", "package://pytest/__init__.py", "${NOWHERE}/d.csv", "gone.csv", "in/none*.csv")

    assert seen(shop, *paths).labels == ["in/a.csv"]


def test_databases_never_arrive(shop: Shop) -> None:
    source = {"type": "postgres", "url": "${SHOP_URL}", "table": "sales"}
    bound = FeedBinding.model_validate({"source": source, "columns": MAPPING})

    assert not look({"sales": bound}, shop.folder)


def test_every_change_of_name_size_or_time_is_another_digest(shop: Shop) -> None:
    path = shop.write("in/a.csv", ROWS)
    age(path, timedelta(hours=1), NOW)
    digests = [seen(shop, "in/*.csv").digest, seen(shop, "in/*.csv").digest]
    age(path, timedelta(hours=2), NOW)
    digests.append(seen(shop, "in/*.csv").digest)
    path.write_text(f"{ROWS}b,2\n")
    age(path, timedelta(hours=2), NOW)
    digests.append(seen(shop, "in/*.csv").digest)
    path.rename(shop.folder / "in/b.csv")
    digests.append(seen(shop, "in/*.csv").digest)

    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_what_the_lake_has_is_not_waiting_until_it_is_written_again(shop: Shop) -> None:
    path, other = arrived(shop, "in/a.csv"), arrived(shop, "in/b.csv")
    assert not_taken_in(seen(shop, "in/*.csv"), shop.lake).labels == ["in/a.csv", "in/b.csv"]
    shop.extract("in/a.csv")
    assert not_taken_in(seen(shop, "in/*.csv"), shop.lake).labels == ["in/b.csv"]
    other.unlink()
    assert not not_taken_in(seen(shop, "in/*.csv"), shop.lake)
    path.write_text(f"{ROWS}b,2\n")
    age(path, timedelta(days=3))
    assert not_taken_in(seen(shop, "in/*.csv"), shop.lake).labels == ["in/a.csv"], "an old time, another size"
    shop.extract("in/*.csv")
    assert not not_taken_in(seen(shop, "in/*.csv"), shop.lake)
    age(path, timedelta(seconds=-5))
    assert not_taken_in(seen(shop, "in/*.csv"), shop.lake).labels == ["in/a.csv"]


def test_a_joined_file_is_as_old_as_the_rows_that_it_was_joined_to(shop: Shop) -> None:
    arrived(shop, "in/a.csv")
    joined = arrived(shop, "rates.csv", "id,rate\na,2\n")
    assert not_taken_in(seen(shop, "in/*.csv", rates="rates.csv"), shop.lake).labels == [
        "in/a.csv",
        "rates.csv",
    ]
    shop.extract("in/*.csv")
    assert not not_taken_in(seen(shop, "in/*.csv", rates="rates.csv"), shop.lake)
    age(joined, timedelta(seconds=-5))
    assert not_taken_in(seen(shop, "in/*.csv", rates="rates.csv"), shop.lake).labels == ["rates.csv"]


LONG_AGO = timedelta(days=3)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("ages", "changed", "since", "ready"),
    [
        ([QUIET], QUIET, QUIET, ["0.csv"]),
        ([QUIET - SECOND], QUIET, QUIET, None),
        # A copy that kept its time has arrived a moment ago, and another one may follow.
        ([LONG_AGO], QUIET - SECOND, QUIET, None),
        ([LONG_AGO], timedelta(), timedelta(), None),
        # A writer whose clock is ahead.
        ([-timedelta(seconds=5)], QUIET, QUIET, None),
        ([-timedelta(days=1)], QUIET, QUIET, ["0.csv"]),
        # Who writes all the time is not waited for.
        ([LONG_AGO, timedelta(seconds=5)], timedelta(), PATIENCE - SECOND, None),
        ([LONG_AGO, timedelta(seconds=5)], timedelta(), PATIENCE, ["0.csv"]),
        ([timedelta(seconds=5)], timedelta(), PATIENCE, None),
    ],
)
def test_a_batch_is_ready_when_nothing_comes_any_more(shop: Shop, ages, changed, since, ready) -> None:
    for number, each in enumerate(ages):
        age(shop.write(f"{number}.csv", ROWS), each, NOW)

    found = settled(seen(shop, "*.csv"), Watch(changed=NOW - changed, since=NOW - since), NOW)

    assert (found and found.labels) == ready


def test_a_watch_goes_on_from_look_to_look(shop: Shop) -> None:
    shop.write("a.csv", ROWS)
    one = seen(shop, "*.csv")
    shop.write("b.csv", ROWS)
    two = seen(shop, "*.csv")
    later = NOW + timedelta(minutes=1)

    first = Watch.from_json(None).seeing(one, NOW)
    assert (first.changed, first.since) == (NOW, NOW)
    again = Watch.from_json(first.to_json())
    assert again == first
    assert again.seeing(one, later) == first
    grown = again.seeing(two, later)
    assert (grown.changed, grown.since) == (later, NOW)
    for damaged in ("", "{", "[]", '"x"', '{"since": 3}', "0123456789abcdef"):
        assert Watch.from_json(damaged) == Watch()
