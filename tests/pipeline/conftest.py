"""Fixtures: data homes in which runs have happened; what other folders use too is in `tests/conftest.py`."""

import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from analysts import Analyst, watching
from data_home import Home
from demo_home import DEMO, DemoHome
from story import Story, tell, write_story_shop

from pipelines.resources.warehouse import Warehouse


@pytest.fixture
def home(small_shop, tmp_path) -> Home:
    """A home in which nothing has run yet."""
    return Home(small_shop, tmp_path / "home")


@dataclass(frozen=True)
class WatchedDay:
    """A home in which the last date was run, and two analysts who read the published copy meanwhile."""

    home: Home
    analysts: dict[str, Analyst]


@pytest.fixture(scope="session")
def watched_day(_eve, tmp_path_factory) -> WatchedDay:
    home = _eve.copy(tmp_path_factory.mktemp("day") / "home")
    with watching(home.settings.published_file) as analysts:
        assert home.run() == 0
    return WatchedDay(home, analysts)


@pytest.fixture(scope="session")
def day_after_eve(watched_day) -> Home:
    """What `eve` becomes when the run of the last date goes well. To be looked at only."""
    return watched_day.home


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> DemoHome:
    """A home of the demo shop in which its last date was run. To be looked at only.

    `run.log` beside it has what the run has said.
    """
    home = DemoHome(DEMO, tmp_path_factory.mktemp("demo") / "home")
    said = home.path.with_name("run.log")
    with said.open("w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        status = home.run()
    assert status == 0, said.read_text(encoding="utf-8")
    return home


@pytest.fixture(scope="session")
def story(tmp_path_factory) -> Story:
    """A home with a past; its tests are in one xdist group, so that it is told once. Copy it to change it."""
    folder = tmp_path_factory.mktemp("story")
    return tell(Home(write_story_shop(folder / "shop"), folder / "home"))


@pytest.fixture
def warehouse(story: Story, tmp_path: Path) -> Iterator[Warehouse]:
    """A copy of the story's warehouse; its lock is held."""
    copy = tmp_path / "winback.duckdb"
    shutil.copyfile(story.home.settings.warehouse_file, copy)
    warehouse = Warehouse.from_settings(story.home.settings).model_copy(
        update={"file": str(copy), "temp_directory": str(tmp_path / "tmp")}
    )
    with warehouse.locked("test on a copy"):
        yield warehouse
