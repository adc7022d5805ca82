"""A data home of the demo shop, small."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from data_home import Home
from small_shop import SmallShop

from pipelines.settings import PROFILES_DIR, PROJECT_DIR

CUSTOMERS = 250

DEMO = SmallShop(PROJECT_DIR, PROFILES_DIR / "demo.yaml", sales_rows=0)
"""In the place of a small shop: where its profile is."""

TO_CORE = ("raw", "policy", "identity", "staging", "core")
"""The groups of assets from the files to the core tables."""


@dataclass
class DemoHome(Home):
    """A home of the demo shop; its files are made by the first run, or copied from another home."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"WINBACK_CUSTOMERS": str(CUSTOMERS)}

    @property
    def landing(self) -> Path:
        return self.path / "landing"

    @classmethod
    def with_files_of(cls, other: "DemoHome", path: Path) -> "DemoHome":
        """A home with the same files, in which nothing has run."""
        home = cls(DEMO, path)
        shutil.copytree(other.landing, home.landing)
        return home
