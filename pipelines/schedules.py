"""The schedules: when jobs are launched by themselves."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    build_schedule_from_partitioned_job,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipelines.activation.emission import EmissionStore
from pipelines.history import History
from pipelines.settings import Profile, Settings


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


def hourly_scrub(job: UnresolvedAssetJobDefinition, settings: Settings) -> ScheduleDefinition:
    """At half past every hour, while something that was sent can still be used."""
    store = EmissionStore(settings.lake_dir, settings.audiences_dir)
    profile = settings.profile
    # The day after its last valid one, an advertiser's list is emptied.
    usable = timedelta(days=profile.activation.valid_days + 2)

    def launch(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        today = context.scheduled_execution_time.astimezone(ZoneInfo(profile.time_zone)).date()
        newest = max(store.dates(), default=None)
        if newest is None:
            return SkipReason("nothing was sent yet")
        if newest + usable < today:
            return SkipReason(f"the newest audiences, of {newest}, cannot be used any more")
        return RunRequest()

    return ScheduleDefinition(
        job=job,
        name=f"{job.name}_schedule",
        description="Whom to take off the lists that went out, every hour while they can be used.",
        cron_schedule="30 * * * *",
        execution_timezone=profile.time_zone,
        execution_fn=launch,
        default_status=DefaultScheduleStatus.RUNNING,
    )


def hourly_kpi_refresh(job: UnresolvedAssetJobDefinition, settings: Settings) -> ScheduleDefinition:
    """On every hour, while outcomes of what was sent are still coming in."""
    store = EmissionStore(settings.lake_dir, settings.audiences_dir)
    history = History(settings.lake_dir)
    profile = settings.profile

    def launch(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        today = context.scheduled_execution_time.astimezone(ZoneInfo(profile.time_zone)).date()
        computed, newest = max(history.dates(), default=None), max(store.dates(), default=None)
        if computed is None or newest is None:
            return SkipReason("nothing was sent yet")
        if newest + timedelta(days=profile.measurement.campaign_days) < today:
            return SkipReason(f"the outcome of the newest audiences, of {newest}, is known")
        return RunRequest(partition_key=computed.isoformat())

    return ScheduleDefinition(
        job=job,
        name=f"{job.name}_schedule",
        description="What the contacts have brought by now, every hour while outcomes come in.",
        cron_schedule="0 * * * *",
        execution_timezone=profile.time_zone,
        execution_fn=launch,
        default_status=DefaultScheduleStatus.RUNNING,
    )
