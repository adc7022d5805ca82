"""A data home of its own for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.settings import Profile, Settings


@pytest.fixture
def settings_for() -> Callable[[Path, str], Settings]:
    """Settings of a shop in a data home, without a profile file: these tests read no feed."""

    def make(home: Path, profile: str) -> Settings:
        return Settings.model_construct(
            home=home,
            profile=Profile.model_construct(name=profile, time_zone="America/New_York"),
            memory_limit="500MB",
            threads=2,
            lock_timeout_seconds=20.0,
        )

    return make


@pytest.fixture
def settings(tmp_path, settings_for) -> Settings:
    return settings_for(tmp_path / "home", "corner_shop")
