"""The benchmark of the components at a smaller size: it runs, and all methods find the same."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_the_benchmark_finds_the_same_components_by_each_method() -> None:
    command = [sys.executable, str(PROJECT / "benchmarks" / "identity_components.py"), "--people", "300"]
    done = subprocess.run(
        [*command, "--repeats", "1", "--methods", "ours", "daily", "networkx"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["accounts"] == 3 * 300
    # Five groups of two people each count as one person.
    assert found["components"] == 300 - 5
    networkx = importlib.util.find_spec("networkx") is not None
    assert ("networkx not measured: not installed" in done.stdout) == (not networkx)
    assert set(found["methods"]) == {"ours", "daily"} | ({"networkx"} if networkx else set())
    assert found["methods"]["ours"]["peak_rss_bytes"] > 0
