"""The browser of the tests: the machine's own Chromium."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser(require_absent: Any) -> "Iterator[Browser]":
    executable = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if executable is None:
        require_absent(f"none of {', '.join(CHROMIUMS)} is on the PATH; `make chromium` installs it")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - starts nothing where there is no browser

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()
