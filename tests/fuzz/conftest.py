"""How much is fuzzed and from which seed is printed, so that a failure can be had again."""

import pytest
from fuzz_settings import LONG, SEED


@pytest.fixture(scope="session", autouse=True)
def _told() -> None:
    if LONG:
        print(f"\nWINBACK_FUZZ={LONG} WINBACK_SEED={SEED}")
