"""What the peers of `benchmarks/peers.py` share: the clock, the memory, and where facts and results lie.

Needs nothing but Python, since each peer runs in an environment of its own.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).resolve().parent.parent / "dbt_project" / "seeds" / "rfm"

RESULT = (
    "customer_id",
    "recency_days",
    "frequency",
    "monetary",
    "r_score",
    "f_score",
    "m_score",
    "segment_11",
    "segment_8",
    "p_alive",
)
"""Columns of what every peer finds, one row per customer."""


@dataclass
class Run:
    """One run of one peer.

    Attributes:
        folder: of the facts.
        given: what all peers are told: `as_of_date`, `model` (parameters) and whatever one alone needs.
        result: the Parquet file that the peer writes when the clock has stopped.
        parts: seconds by part, in the order of the work.
        found: what else the peer reports.
    """

    folder: Path
    given: dict[str, Any]
    result: Path
    parts: dict[str, float] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    _last: float = 0.0
    _processor_start: float = 0.0

    @property
    def as_of_date(self) -> date:
        """The day whose end the results describe."""
        return date.fromisoformat(self.given["as_of_date"])

    @property
    def lines(self) -> Path:
        """The order lines."""
        return self.folder / "order_line.parquet"

    def start(self) -> None:
        """Libraries are loaded: the clock runs from here."""
        self._last = time.perf_counter()
        self._processor_start = time.process_time()

    def done(self, part: str) -> None:
        """A part is done: its seconds end, and those of the next begin."""
        now = time.perf_counter()
        self.parts[part] = self.parts.get(part, 0.0) + now - self._last
        self._last = now

    def stop(self) -> None:
        """Nothing after this counts: seconds (of the clock, and of processors) and memory are taken."""
        self.found |= {
            "seconds": sum(self.parts.values()),
            "parts": dict(self.parts),
            "processor_seconds": time.process_time() - self._processor_start,
            "peak_rss_bytes": peak_rss(),
        }


def peak_rss(process: int | str = "self") -> int:
    """The highest resident bytes (VmHWM) of a process so far."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def processor_seconds(process: int) -> float:
    """What another process has used of processors so far, in user and system mode."""
    # The name before it may hold spaces, but ends with the last bracket.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(peer: str, run: Callable[[Run], None], packages: tuple[str, ...]) -> None:
    """The command line of a peer, `python peer_<name>.py FOLDER`: runs it and prints a line of JSON."""
    folder = Path(sys.argv[1])
    given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
    this = Run(folder, given, folder / f"{peer}.parquet")
    run(this)
    python = ".".join(str(number) for number in sys.version_info[:3])
    versions = {"python": python} | {package: version(package) for package in packages}
    print(json.dumps(this.found | {"versions": versions}))
