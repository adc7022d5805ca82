"""What a run prints: a line per stage with its time, warnings and errors, and what the steps report."""

from __future__ import annotations

import logging
import re
import sys
import time

from dagster import InitLoggerContext, logger
from dagster._core.events import DagsterEventType

_START = DagsterEventType.STEP_START.value
_ENDS = {
    DagsterEventType.STEP_SUCCESS.value: "done",
    DagsterEventType.STEP_FAILURE.value: "FAILED",
}
_NOT_RUN = "Dependencies for step"
# dbt's line per model and its command belong into the event log; what our own steps say is for people.
_FOR_THE_EVENT_LOG = re.compile(r"dbt |A dbt |\d+ of \d+ ")


class StageLines(logging.Handler):
    """Turns a run's log into lines for people; Dagster's event log keeps everything.

    Args:
        steps: how many steps the run has; None if that is not known.
    """

    def __init__(self, steps: int | None = None) -> None:
        super().__init__(level=logging.DEBUG)
        self._started: dict[str, float] = {}
        self._steps = steps
        self._ended: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, if a person wants to see it."""
        if line := self._line(record):
            print(line, file=sys.stderr, flush=True)

    def _line(self, record: logging.LogRecord) -> str | None:
        meta = getattr(record, "dagster_meta", {})
        event, step = meta.get("dagster_event"), meta.get("step_key")
        if event is not None:
            return self._event_line(event.event_type_value, step)
        message = meta.get("orig_message") or record.getMessage()
        if message.startswith(_NOT_RUN):
            return f"{_clock()}  {_name(step):<30} not run: something before it failed"
        if record.levelno >= logging.WARNING:
            return f"{_clock()}  {_name(step):<30} {record.levelname.lower()}: {message}"
        if record.levelno < logging.INFO or _FOR_THE_EVENT_LOG.match(message):
            return None
        return f"{_clock()}    {message}"

    def _event_line(self, kind: str, step: str) -> str | None:
        if kind == _START:
            self._started[step] = time.monotonic()
        if kind not in _ENDS:
            return None
        seconds = time.monotonic() - self._started.get(step, time.monotonic())
        self._ended.add(step)
        share = "" if self._steps is None else f"  {len(self._ended):>2} of {self._steps}"
        return f"{_clock()}  {_name(step):<30} {_ENDS[kind]:<6} {seconds:6.1f} s{share}"


@logger(description="A line per stage with its time.")
def stage_lines(init_context: InitLoggerContext) -> logging.Logger:
    """The logger of runs, in place of Dagster's console logger with its line per event."""
    lines = logging.Logger("winback", level=logging.DEBUG)
    lines.addHandler(StageLines(len(init_context.job_def.nodes) if init_context.job_def else None))
    return lines


def _name(step: str | None) -> str:
    return (step or "run").replace("__", "/")


def _clock() -> str:
    return time.strftime("%H:%M:%S")
