"""The UI for analysts shows everything and launches nothing."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance
from processes import server

from pipelines.jobs import DAILY_RECALL

pytestmark = pytest.mark.xdist_group("processes")

DEADLINE_SECONDS = 300
REPOSITORIES = """
query {
  permissions { permission value }
  repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } jobs { name } } } }
}
"""
LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename } }
"""
START_SCHEDULE = """
mutation($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) { __typename } }
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("read_only") / "home"


@pytest.fixture(scope="module")
def port(home: Path) -> Iterator[int]:
    """Of `winback ui --read-only`, which answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home.parent / "ui.log"
    environment = {"WINBACK_DATA_DIR": str(home), "WINBACK_PROFILE": "demo", "DAGSTER_HOME": ""}
    command = [sys.executable, "-m", "pipelines.cli", "ui", "--read-only", "--port", str(port)]
    with server(command, environment, log) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=30).close()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
        yield port


def ask(port: int, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())["data"]
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error


def test_everything_is_shown_and_a_launch_is_refused(port: int, home: Path) -> None:
    shown = ask(port, REPOSITORIES)
    (repository,) = shown["repositoriesOrError"]["nodes"]
    assert DAILY_RECALL in {job["name"] for job in repository["jobs"]}
    assert [each["permission"] for each in shown["permissions"] if each["value"]] == []

    launched = ask(
        port,
        LAUNCH,
        params={
            "selector": {
                "repositoryLocationName": repository["location"]["name"],
                "repositoryName": repository["name"],
                "pipelineName": DAILY_RECALL,
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "2025-12-31"}]},
        },
    )

    assert launched == {"launchRun": {"__typename": "UnauthorizedError"}}
    schedule = {
        "repositoryLocationName": repository["location"]["name"],
        "repositoryName": repository["name"],
        "scheduleName": f"{DAILY_RECALL}_schedule",
    }
    started = ask(port, START_SCHEDULE, selector=schedule)
    assert started == {"startSchedule": {"__typename": "UnauthorizedError"}}
    with DagsterInstance.from_config(str(home / "dagster_home")) as instance:
        assert instance.get_runs_count() == 0


def test_it_listens_on_loopback_alone(port: int) -> None:
    # Another address of this machine, if it has one.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("the machine has no other address")
        other = probe.getsockname()[0]
    assert other != "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection((other, port), timeout=5):
        pass
