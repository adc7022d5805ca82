"""The schedules: when jobs are launched by themselves."""

from __future__ import annotations

from dagster import DefaultScheduleStatus, ScheduleDefinition, build_schedule_from_partitioned_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipelines.settings import Profile


def daily(job: UnresolvedAssetJobDefinition, profile: Profile) -> ScheduleDefinition:
    """Every day at the profile's hour, in the shop's zone, for yesterday."""
    return build_schedule_from_partitioned_job(
        job,
        name=f"{job.name}_schedule",
        description=f"Yesterday's date, daily at {profile.calendar.run_hour:02d}:00 {profile.time_zone}.",
        hour_of_day=profile.calendar.run_hour,
        minute_of_hour=0,
        default_status=DefaultScheduleStatus.RUNNING,
    )
