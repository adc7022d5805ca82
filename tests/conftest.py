"""What all tests share: how a test says that something it needs is not there."""

import os

import pytest


def absent(what: str) -> None:
    """Skips the test with a printed reason; where everything must be there, it fails.

    Args:
        what: what is missing and how to get it.
    """
    if os.environ.get("WINBACK_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} (WINBACK_REQUIRE_ALL=1 makes this a failure)")
    pytest.skip(what)


@pytest.fixture(scope="session")
def require_absent():
    """The function `absent`, for tests and fixtures in any folder."""
    return absent
