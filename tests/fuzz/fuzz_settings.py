"""How much is fuzzed, from which seed, for how long at most; and the secrets that no message may show."""

import faulthandler
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, seed, settings

LONG = int(os.environ.get("WINBACK_FUZZ", "0"))
"""Inputs of the long form, of all kinds together; 0 for the short one."""

SEED = int(os.environ.get("WINBACK_SEED", "0"))

SECRET_URL = "postgresql://shop:s3cr3t-Pa55w0rd@127.0.0.1:1/shop"
SECRET_VARIABLE = "WINBACK_FUZZ_DB_URL"


def secrets() -> tuple[str, ...]:
    """What no message may hold."""
    return ("s3cr3t-Pa55w0rd",)


def fuzz(*, examples: int, share: float) -> Callable[[Any], Any]:
    """A Hypothesis test of so many examples, the same ones each time; or its share of the long form.

    Args:
        examples: of the short form.
        share: of the inputs of the long form.
    """
    chosen = settings(
        max_examples=max(1, round(LONG * share)) if LONG else examples,
        derandomize=not LONG,
        # `at_most` measures it, and ends what hangs.
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )

    def decorated(test: Any) -> Any:
        return seed(SEED)(chosen(test)) if LONG else chosen(test)

    return decorated


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fails when it takes longer; ends the process, with where it stands, when it hangs in native code."""
    faulthandler.dump_traceback_later(seconds * 6, exit=True)
    start = time.monotonic()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    took = time.monotonic() - start
    assert took < seconds, f"took {took:.1f} s"
