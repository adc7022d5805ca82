"""As-of dates as Dagster partitions: their calendar, and which of them a run is for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from dagster import DailyPartitionsDefinition, Failure
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from pipelines.settings import Profile


def as_of_dates(profile: Profile) -> DailyPartitionsDefinition:
    """One partition per business date in the shop's zone; the key is the as-of date."""
    end = profile.calendar.end_date
    return DailyPartitionsDefinition(
        start_date=profile.calendar.start_date.isoformat(),
        # Dagster's end is exclusive.
        end_date=(end + timedelta(days=1)).isoformat() if end else None,
        timezone=profile.time_zone,
    )


def dates_of(tags: Mapping[str, str]) -> list[date]:
    """The as-of dates of a run, from its tags: also for assets and checks that have no partition.

    Returns:
        The date of `dagster/partition`, or every day from `dagster/asset_partition_range_start` to
        `dagster/asset_partition_range_end`; empty when the run has neither.

    Raises:
        Failure: a tag is no date.
    """
    if ASSET_PARTITION_RANGE_START_TAG in tags and ASSET_PARTITION_RANGE_END_TAG in tags:
        first = _date_in(tags, ASSET_PARTITION_RANGE_START_TAG)
        last = _date_in(tags, ASSET_PARTITION_RANGE_END_TAG)
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [_date_in(tags, PARTITION_NAME_TAG)] if PARTITION_NAME_TAG in tags else []


def required_dates_of(tags: Mapping[str, str], what: str) -> list[date]:
    """As `dates_of`, for what cannot do without.

    Raises:
        Failure: the run has no as-of date.
    """
    if dates := dates_of(tags):
        return dates
    raise Failure(
        f"{what} is done for as-of dates, and this run has none. Launch it for a partition or a range of "
        f"partitions (tag {PARTITION_NAME_TAG}=YYYY-MM-DD)."
    )


def _date_in(tags: Mapping[str, str], tag: str) -> date:
    try:
        return date.fromisoformat(tags[tag])
    except ValueError as error:
        raise Failure(f"run tag {tag} is {tags[tag]!r}; accepted: a date YYYY-MM-DD") from error
