"""Days of 23 and 25 hours, 29 February, a clock that was set back: no row is lost, none is on two days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from feed_shop import Shop

from pipelines.feeds import extract as extract_module

BERLIN = "Europe/Berlin"
MAPPING = {"sale_id": "id", "amount": "amount", "sold_at": "sold", "day": "day"}
SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)


def every_quarter(day: date) -> list[str]:
    """Each quarter of an hour that a clock on the wall could show on the day."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - as a till writes it
    return [str(midnight + timedelta(minutes=15 * n)) for n in range(96)]


def extracted(shop: Shop, times: list[str]) -> list[tuple]:
    """Per row: its text, its instant in UTC, and its business date as the marts take it."""
    shop.time_zone = BERLIN
    lines = [f"{number},1,{time},{time[:10]}" for number, time in enumerate(times)]
    ingestion = shop.extract_csv("id,amount,sold,day\n" + "\n".join(lines) + "\n", columns=MAPPING)
    assert ingestion.rows_loaded == len(times)
    return shop.rows(f"timezone('UTC', sold_at), cast(timezone('{BERLIN}', sold_at) as date), day")


@pytest.mark.parametrize("day", [SPRING, AUTUMN, date(2024, 2, 29), date(2024, 12, 31)])
def test_every_time_of_a_day_is_of_that_day(shop: Shop, day: date) -> None:
    rows = extracted(shop, every_quarter(day))
    assert {(business_date, written) for _, business_date, written in rows} == {(day, day)}


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_times_are_those_of_the_zone(shop: Shop, day: date) -> None:
    times = every_quarter(day)
    zone = ZoneInfo(BERLIN)
    for time, (instant, *_) in zip(times, extracted(shop, times), strict=True):
        local = datetime.fromisoformat(time).replace(tzinfo=zone)
        # Of a time that is there twice either is right; one that is not there is moved on by the hour.
        right = {local.replace(fold=fold).astimezone(UTC).replace(tzinfo=None) for fold in (0, 1)}
        assert instant in right, time


def test_times_in_utc_fall_on_the_local_day_of_23_and_of_25_hours(shop: Shop) -> None:
    for day, hours in ((SPRING, 23), (AUTUMN, 25)):
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)
        times = [f"{start + timedelta(minutes=30 * n):%Y-%m-%dT%H:%M:%SZ}" for n in range(60)]
        on_the_day = [row for row in extracted(shop, times) if row[1] == day]
        assert len(on_the_day) == 2 * hours


def test_a_29_february_that_is_none_is_set_aside(shop: Shop) -> None:
    shop.time_zone = BERLIN
    ingestion = shop.extract_csv(
        "id,amount,sold,day\na,1,2024-02-29 10:00:00,2024-02-29\nb,1,2023-02-29 10:00:00,2024-01-01\n",
        columns=MAPPING,
    )
    assert ingestion.rows_loaded == 1
    assert ingestion.quarantined_by_reason == {"wrong_type": 1}


def test_the_newer_ingestion_counts_though_the_clock_was_set_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shop.extract_csv("id,amount\na,1\n")

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(extract_module, "datetime", Clock)
    second = shop.extract_csv("id,amount\na,2\n")
    assert second.ingested_at < first.ingested_at
    assert shop.lake.current() == [second]
    assert shop.rows("sale_id, cast(amount as integer)") == [("a", 2)]
    assert shop.extract() == []
