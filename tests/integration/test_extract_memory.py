"""The extraction's memory has a bound that does not grow with the file: the benchmark at a smaller size."""

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# What the process holds beside DuckDB's limit: Python, libraries, buffers, the allocator's reserve.
BESIDE_BYTES = 500_000_000


def test_a_file_near_the_limit_is_taken_in_below_a_bound() -> None:
    command = [sys.executable, str(PROJECT / "benchmarks" / "extract_memory.py"), "--gigabytes", "0.1"]
    done = subprocess.run(
        [*command, "--memory-limit", "256MB"], check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["peak_rss_bytes"] < 256_000_000 + BESIDE_BYTES, found
    special = found["csv_lines"] // 1000
    assert found["rows_duplicate"] == special
    assert found["rows_quarantined"] == 2 * special
    assert found["rows_read"] == found["rows_loaded"] + found["rows_quarantined"] + found["rows_duplicate"]
