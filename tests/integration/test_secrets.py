"""A database's password stands in the environment and nowhere else: no output, no log, no event, no file."""

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.settings import PROJECT_DIR

SECRET = "s3cr3t-Pa55w0rd"
PROFILE = """\
name: secret_shop
title: A shop
time_zone: Europe/Berlin
currency: EUR
region: DE
calendar: {start_date: 2024-01-01, end_date: 2024-06-30}
feeds:
  products:
    source: {type: postgres, url: "${SHOP_DB_URL}", table: products, retries: 0, connect_timeout: 2}
    columns: {product_id: id, name: name}
"""


@pytest.fixture
def closed_port() -> int:
    """A port on loopback on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def files_with(folder: Path, secret: bytes) -> list[str]:
    return [str(file) for file in folder.rglob("*") if file.is_file() and secret in file.read_bytes()]


def test_a_run_that_cannot_reach_its_database_keeps_the_password_to_itself(
    tmp_path: Path, closed_port: int
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE, encoding="utf-8")
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "run"],
        cwd=PROJECT_DIR,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(PROJECT_DIR),
            "WINBACK_PROFILE": str(profile),
            "WINBACK_DATA_DIR": str(home),
            "WINBACK_THREADS": "1",
            "WINBACK_RETRY_SECONDS": "0",
            "SHOP_DB_URL": f"postgresql://shop:{SECRET}@127.0.0.1:{closed_port}/shop",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "feeds.products.source.url: " in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert files_with(home, SECRET.encode()) == []
    # The failure itself is there to be read.
    events = [file for file in home.rglob("*.db") if _events(file)]
    assert events
    assert any(b"feeds.products.source.url" in file.read_bytes() for file in events)


def _events(file: Path) -> int:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as con:
        tables = con.execute("select name from sqlite_master where name = 'event_logs'").fetchall()
        return con.execute("select count(*) from event_logs").fetchone()[0] if tables else 0
