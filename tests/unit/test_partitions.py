"""The as-of dates of a shop, and which of them a run is for."""

from datetime import date

import pytest
from dagster import Failure

from pipelines.partitions import as_of_dates, dates_of, required_dates_of
from pipelines.settings import Calendar, Profile

DAY = {"dagster/partition": "2024-02-29"}
RANGE = {
    "dagster/asset_partition_range_start": "2024-02-28",
    "dagster/asset_partition_range_end": "2024-03-01",
}


def profile(**calendar):
    return Profile.model_construct(
        name="shop", time_zone="Pacific/Auckland", calendar=Calendar.model_validate(calendar)
    )


def test_the_calendars_last_day_is_a_date_too():
    dates = as_of_dates(profile(start_date="2024-02-28", end_date="2024-03-01"))

    assert dates.get_partition_keys() == ["2024-02-28", "2024-02-29", "2024-03-01"]


def test_a_day_is_a_date_when_it_is_over_in_the_shops_zone():
    import datetime  # noqa: PLC0415

    dates = as_of_dates(profile(start_date="2024-02-28"))
    # Noon in London on the first of March is the second in Auckland.
    noon = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.UTC)

    assert dates.get_partition_keys(current_time=noon)[-1] == "2024-03-01"


@pytest.mark.parametrize(
    ("tags", "dates"),
    [
        (DAY, [date(2024, 2, 29)]),
        (RANGE, [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]),
        # A backfill of a range carries both.
        (DAY | RANGE, [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]),
        ({"winback/rebuild": "true"}, []),
    ],
)
def test_the_dates_of_a_run_are_in_its_tags(tags, dates):
    assert dates_of(tags) == dates


def test_what_needs_a_date_says_how_to_give_one():
    assert required_dates_of(DAY, "publishing") == [date(2024, 2, 29)]
    with pytest.raises(Failure) as refusal:
        required_dates_of({}, "publishing")

    assert "publishing is done for as-of dates" in refusal.value.description
    assert "dagster/partition=YYYY-MM-DD" in refusal.value.description


@pytest.mark.parametrize(
    "tags", [{"dagster/partition": "yesterday"}, RANGE | {"dagster/asset_partition_range_end": "yesterday"}]
)
def test_a_tag_that_is_no_date_is_named(tags):
    with pytest.raises(Failure) as refusal:
        dates_of(tags)

    assert "is 'yesterday'; accepted: a date YYYY-MM-DD" in refusal.value.description
