"""The Dagster UI of a data home as a person starts it, and its pages in a browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.settings import PROJECT_DIR

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

STARTED_S, RUN_S, SHOWN_S = 300, 900, 120
"""How long is waited, on a busy machine: for the UI, for a run, for what a page shows."""


@dataclass
class DagsterUi:
    """Where the UI answers, and what is done there with a browser's page."""

    address: str
    page: "Page"

    def open(self, path: str) -> None:
        """A page of the UI; what it shows comes later."""
        self.page.goto(f"{self.address}{path}", wait_until="domcontentloaded", timeout=SHOWN_S * 1000)

    def shown(self, text: str) -> "Locator":
        """The first place where the text stands, as soon as it does."""
        found = self.page.get_by_text(text, exact=True).locator("visible=true").first
        found.wait_for(timeout=SHOWN_S * 1000)
        return found

    def lineage(self) -> None:
        """The lineage of all assets, drawn."""
        self.open("/asset-groups")
        self.shown("Global asset lineage")
        # Its group in the list beside, and its box in the drawing.
        self.page.locator("svg").get_by_text("published", exact=True).first.wait_for(timeout=SHOWN_S * 1000)

    def launch(self, job: str, partition: str) -> None:
        """Launch a job for a partition from its launchpad; the run's page follows."""
        self.open(f"/locations/pipelines.definitions/jobs/{job}/playground")
        field = self.page.get_by_placeholder("Partition")
        field.click(timeout=SHOWN_S * 1000)
        field.fill(partition)
        # The dates are fetched meanwhile.
        self.shown(partition).click()
        self.shown(f"partition: {partition}")
        self.page.get_by_role("button", name="Launch Run").click(timeout=SHOWN_S * 1000)
        self.page.wait_for_url("**/runs/*", timeout=SHOWN_S * 1000, wait_until="domcontentloaded")

    def asset(self, asset: str) -> None:
        """The page of an asset, with its columns."""
        self.open(f"/assets/{asset}")
        self.shown("Columns")

    def check(self, asset: str, check: str) -> None:
        """A check of an asset."""
        self.open(f"/assets/{asset}?view=checks&checkDetail={check}")
        self.shown("Latest execution")

    def chart(self, asset: str) -> "Locator":
        """The chart of an asset that the report drew, opened."""
        self.open(f"/assets/{asset}?view=events")
        self.shown("[Show Markdown]").click()
        image = self.page.locator("img[src^='data:image/png']")
        image.wait_for(timeout=SHOWN_S * 1000)
        return image


@contextmanager
def served(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """`winback ui` with its daemon, in a group of processes of its own that ends with the block.

    Args:
        environment: what names profile and data home.
        log: a file for what it says.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "ui", "--port", str(port)],
            cwd=PROJECT_DIR,
            env={**os.environ, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(process, f"{address}/server_info", log)
        yield address
    finally:
        # Of the daemon, the webserver and the code server none may outlive the test.
        for stop in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, stop)
                process.wait(30)


def _await(process: subprocess.Popen, address: str, log: Path) -> None:
    end = time.monotonic() + STARTED_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError(f"{address} does not answer: {log.read_text()[-2000:]}")
