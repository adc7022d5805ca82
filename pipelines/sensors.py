"""The sensors: what makes the daemon launch a run between schedules, and tell people what has failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    run_failure_sensor,
    sensor,
)
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipelines.feeds import arrivals
from pipelines.feeds.lake import Lake
from pipelines.history import History
from pipelines.jobs import ARRIVAL_TAG
from pipelines.notices.notice import Notice, one_line
from pipelines.resources.notify import notice_of, send
from pipelines.settings import Profile, Settings

LANDING = "landing_sensor"
FAILURES = "failure_notices"
FRESHNESS = "freshness_notices"

_LANDING_SECONDS = 30
_NOTICE_SECONDS = 30
_FRESHNESS_SECONDS = 300

_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def landing(
    daily: UnresolvedAssetJobDefinition, refresh: UnresolvedAssetJobDefinition, settings: Settings
) -> SensorDefinition:
    """Files that have arrived since the last run: the run that they were missing in, or else a refresh.

    Args:
        daily: is launched when the newest date should have been computed by now and is not.
        refresh: is launched otherwise. Nothing is decided or sent by it.
        settings: the profile's sources, and the lake that knows what was taken in.
    """
    lake, history = Lake(settings.lake_dir), History(settings.lake_dir)

    @sensor(
        name=LANDING,
        jobs=[daily, refresh],
        minimum_interval_seconds=_LANDING_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Files that have arrived or changed, a minute after the last of them was written. Launches "
            f"{daily.name} when the newest date should have been computed by now and is not, and otherwise "
            f"{refresh.name}. What arrives before the daily run's hour waits for that run."
        ),
    )
    def landing_sensor(context: SensorEvaluationContext) -> SensorResult:
        now, watch = _now(), arrivals.Watch.from_json(context.cursor)
        seen = arrivals.look(settings.profile.feeds, settings.home)
        # As long as nothing changes, the lake is not asked.
        if seen.digest == watch.done:
            return _skip("nothing has arrived since the last look", watch)
        waiting = arrivals.not_taken_in(seen, lake)
        if not waiting:
            return _skip("everything is taken in", arrivals.Watch(done=seen.digest))
        watch = watch.seeing(waiting, now)
        ready = arrivals.settled(waiting, watch, now)
        if ready is None:
            return _skip(f"files are arriving: {one_line(waiting.labels)}", watch)
        if running := _unfinished(context.instance):
            return _skip(f"{running} is under way; whatever it does not take in comes after it", watch)
        request = _request(daily, refresh, settings.profile, history, now)
        if request is None:
            return _skip(f"the daily run is to take in: {one_line(ready.labels)}", watch)
        # What is still being written is looked at again.
        is_all = ready.digest == waiting.digest
        done = arrivals.Watch(done=seen.digest if is_all else watch.done)
        asked = request.with_replaced_attrs(
            run_key=f"{request.job_name}-{ready.digest}", tags={ARRIVAL_TAG: ready.digest}
        )
        return SensorResult(run_requests=[asked], cursor=done.to_json())

    return landing_sensor


def _skip(why: str, watch: arrivals.Watch) -> SensorResult:
    return SensorResult(skip_reason=why, cursor=watch.to_json())


def _now() -> datetime:
    return datetime.now(UTC)


def _request(
    daily: UnresolvedAssetJobDefinition,
    refresh: UnresolvedAssetJobDefinition,
    profile: Profile,
    history: History,
    now: datetime,
) -> RunRequest | None:
    """What to launch for an arrival; None to leave it to the daily run."""
    newest, computed = profile.last_date, history.dates()
    if newest in computed:
        return RunRequest(job_name=refresh.name, partition_key=computed[-1].isoformat())
    local = now.astimezone(ZoneInfo(profile.time_zone))
    if profile.is_replayed(local.date()) or local.hour >= profile.calendar.run_hour:
        return RunRequest(job_name=daily.name, partition_key=newest.isoformat())
    return None


def _unfinished(instance: DagsterInstance) -> str | None:
    """A run that is queued or under way; all runs of an instance are of one shop."""
    runs = instance.get_runs(RunsFilter(statuses=_UNFINISHED), limit=1)
    return f"run {runs[0].run_id} of {runs[0].job_name}" if runs else None


def failure_notices(settings: Settings) -> SensorDefinition:
    """A notice of each failed run, also of those that a command began and the daemon ended."""

    @run_failure_sensor(
        name=FAILURES,
        minimum_interval_seconds=_NOTICE_SECONDS,
        # The runs of a command belong to no code location.
        monitor_all_code_locations=True,
        default_status=DefaultSensorStatus.RUNNING,
        description="Sends a notice of each failed run, once, to the webhooks and to the file of notices.",
    )
    def notify(context: RunFailureSensorContext) -> None:
        notice = notice_of(context.dagster_run, context.instance, settings)
        send(notice, settings, context.log.warning)

    return notify


def freshness_notices(settings: Settings, watched: Iterable[AssetKey]) -> SensorDefinition:
    """A notice when assets have become too old, once until they are fresh again.

    Args:
        settings: the shop and its webhooks.
        watched: the assets that have a freshness policy.
    """
    keys = sorted(watched)

    @sensor(
        name=FRESHNESS,
        minimum_interval_seconds=_FRESHNESS_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Sends a notice when assets miss their freshness policy: the daily run did not come.",
    )
    def missed(context: SensorEvaluationContext) -> SensorResult:
        told = dict(json.loads(context.cursor or "{}"))
        stale = dict(_stale(context.instance, keys))
        new = {name: since for name, since in stale.items() if told.get(name) != since}
        if new:
            send(_too_old(settings, new), settings, context.log.warning)
        return SensorResult(
            skip_reason=f"too old: {one_line(sorted(stale))}" if stale else "everything is fresh",
            cursor=json.dumps(stale),
        )

    return missed


def _stale(instance: DagsterInstance, keys: list[AssetKey]) -> Iterator[tuple[str, str]]:
    for key, record in instance.get_freshness_state_records(keys).items():
        if record.freshness_state == FreshnessState.FAIL:
            yield key.to_user_string(), record.updated_at.isoformat()


def _too_old(settings: Settings, stale: dict[str, str]) -> Notice:
    name = settings.profile.name
    return Notice(
        key=f"freshness {max(stale.values())}",
        event="freshness_missed",
        profile=name,
        title=f"{name}: today's results are missing",
        error=f"not made anew in time: {one_line(sorted(stale))}",
        what_to_do=(
            "See in the UI whether the daily run failed, waits or was never launched (is the schedule on?); "
            "then run: winback run"
        ),
        occurred_at=datetime.now(UTC),
        link=f"{settings.ui_url}/overview/activity" if settings.ui_url else None,
    )
