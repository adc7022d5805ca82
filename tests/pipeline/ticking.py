"""A code location for the test of the daemon: the shop's own definitions, with one schedule, of every minute.

The shop's own schedules would fire if the test ran at their hour, and take in what the sensor is to find.
"""

from dagster import (
    DefaultScheduleStatus,
    Definitions,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
)

from pipelines.build import build_definitions
from pipelines.jobs import SCRUB

MINUTELY = "minutely_scrub"


def once(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """A run at the first minute, and none after it: a slow machine would have a queue of them."""
    if context.instance.get_runs(RunsFilter(tags={"dagster/schedule_name": MINUTELY}), limit=1):
        return SkipReason("it has run")
    return RunRequest()


def ticking() -> Definitions:
    """The definitions with the schedule `minutely_scrub`; Dagster takes one object of a module."""
    shop = build_definitions()
    minutely = ScheduleDefinition(
        name=MINUTELY,
        job=next(job for job in shop.jobs or [] if job.name == SCRUB),
        cron_schedule="* * * * *",
        execution_fn=once,
        default_status=DefaultScheduleStatus.RUNNING,
    )
    return Definitions(
        assets=shop.assets,
        asset_checks=shop.asset_checks,
        jobs=shop.jobs,
        schedules=[minutely],
        sensors=shop.sensors,
        resources=shop.resources,
        executor=shop.executor,
        loggers=shop.loggers,
    )


defs = ticking()
