"""Steps that are tried again by themselves: only after what may pass, and never after bad data.

A wrong file, profile or row is as wrong a minute later, and a failed gate fails again. What passes is a
database that does not answer, and a shared disk that is away for a moment.
"""

from __future__ import annotations

import errno
import os

from dagster import AssetExecutionContext, RetryRequested

RETRIES = 2
WAIT_SECONDS = 30.0
"""Before the first retry; twice as long before the second. A run keeps the warehouse meanwhile."""

# Of network file systems and devices. A full disk (ENOSPC) needs a person.
_PASSING = frozenset({errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT})


def passes(error: OSError) -> bool:
    """Whether the file system may be well again in a minute."""
    return error.errno in _PASSING


def try_again(context: AssetExecutionContext, error: Exception) -> None:
    """Ask Dagster for another attempt at this step, unless it has had them all; then the caller goes on.

    Raises:
        RetryRequested: which Dagster takes as the wish for another attempt.
    """
    if context.retry_number < RETRIES:
        # The settings have judged it by now.
        first_wait = float(os.environ.get("WINBACK_RETRY_SECONDS") or WAIT_SECONDS)
        wait_seconds = first_wait * 2**context.retry_number
        context.log.warning(
            f"attempt {context.retry_number + 1} of {RETRIES + 1} failed, the next one is in "
            f"{wait_seconds:g} s: {error}"
        )
        raise RetryRequested(max_retries=RETRIES, seconds_to_wait=wait_seconds) from error
