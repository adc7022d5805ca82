"""A code location for the test of the daemon: the shop's own definitions, and a schedule of every minute."""

from dagster import DefaultScheduleStatus, Definitions, RunRequest, ScheduleDefinition

from pipelines.build import build_definitions
from pipelines.jobs import SCRUB

MINUTELY = "minutely_scrub"


def launch(_: object) -> RunRequest:
    # Each minute asks for the same run, so that there is one of it.
    return RunRequest(run_key="once")


_shop = build_definitions()
defs = Definitions.merge(
    _shop,
    Definitions(
        schedules=[
            ScheduleDefinition(
                name=MINUTELY,
                job=next(job for job in _shop.jobs or [] if job.name == SCRUB),
                cron_schedule="* * * * *",
                execution_fn=launch,
                default_status=DefaultScheduleStatus.RUNNING,
            )
        ]
    ),
)
