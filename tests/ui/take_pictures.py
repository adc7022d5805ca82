"""Takes the pictures of the documents from the UI of a data home in which dates were run (`make pictures`).

The data home is the environment's (`WINBACK_DATA_DIR`), by default that of the demo shop.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from conftest import CHROMIUMS
from dagster_ui import DagsterUi, served
from playwright.sync_api import Page, sync_playwright

from pipelines.settings import PROJECT_DIR, load_settings

IMAGES = PROJECT_DIR / "docs" / "images"
WINDOW = {"width": 1280, "height": 800}
# Bigger ones do not belong into a repository.
LARGEST_BYTES = 300_000


def main() -> None:
    """Write all pictures below `docs/images/`."""
    executable = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if executable is None:
        sys.exit(f"none of {', '.join(CHROMIUMS)} is on the PATH; `make chromium` installs it")
    settings = load_settings()
    if not settings.published_file.exists():
        sys.exit(f"{settings.home}: no date was run; `make run` runs one")
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(dict(os.environ), Path(folder) / "ui.log") as address,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        ui = DagsterUi(address, chromium.new_page(viewport=WINDOW))

        ui.lineage()
        ui.page.get_by_text("Hide navigation", exact=True).click()
        ui.page.set_viewport_size({"width": 1280, "height": 640})
        ui.lineage()
        _take(ui.page, "lineage")
        ui.page.set_viewport_size(WINDOW)
        ui.asset("marts/customer_dormancy")
        _take(ui.page, "asset")
        ui.check("marts/customer_rfm", "gate")
        _take(ui.page, "checks")
        ui.chart("kpi/dormancy_overview")
        _take(ui.page, "chart")
        # Its names in Chinese need a Chinese font on the machine, such as Debian's fonts-wqy-microhei.
        newest = max(settings.reports_dir.glob("as_of=*/report.html"))
        report = chromium.new_page(viewport=WINDOW)
        report.goto(f"{newest.as_uri()}#en")
        _take(report, "report")
        chromium.close()


def _take(page: Page, name: str) -> None:
    # What is drawn moves into its place.
    page.wait_for_timeout(3000)
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    if file.stat().st_size > LARGEST_BYTES:
        sys.exit(f"{file}: {file.stat().st_size:,} bytes; at most {LARGEST_BYTES:,}")
    print(f"written: {file}")


if __name__ == "__main__":
    main()
