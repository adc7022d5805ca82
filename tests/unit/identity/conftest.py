"""Fixtures of the identity tests."""

from pathlib import Path

import pytest
from identity_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger")
