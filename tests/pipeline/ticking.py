"""A code location for the test of the daemon: the shop's own definitions, and a schedule of every minute."""

from dagster import DefaultScheduleStatus, Definitions, RunRequest, ScheduleDefinition

from pipelines.build import build_definitions
from pipelines.jobs import SCRUB


def ticking() -> Definitions:
    """The definitions with the schedule `minutely_scrub`; Dagster takes one object of a module."""
    shop = build_definitions()
    minutely = ScheduleDefinition(
        name="minutely_scrub",
        job=next(job for job in shop.jobs or [] if job.name == SCRUB),
        cron_schedule="* * * * *",
        # Each minute asks for the same run, so that there is one of it.
        execution_fn=lambda _: RunRequest(run_key="once"),
        default_status=DefaultScheduleStatus.RUNNING,
    )
    return Definitions.merge(shop, Definitions(schedules=[minutely]))


defs = ticking()
