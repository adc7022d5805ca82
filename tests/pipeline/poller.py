"""A reader of the published copy who opens it again and again and notes each state that it finds.

Run as a program it polls until its standard input closes, then reports; `polling` starts it.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

PAUSE_SECONDS = 0.2
JOURNAL = "quality.gate_results"


@dataclass(frozen=True)
class State:
    """What a complete copy is told by: its newest date, and the rows of each table that tells of the shop."""

    newest: str
    rows: tuple[tuple[str, int], ...]

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self.rows}


@dataclass
class Polls:
    """What the reader has seen: how often it looked, each state in order, and what went wrong."""

    looks: int = 0
    states: list[State] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def state_of(published: Path) -> State:
    """Read every published table."""
    with duckdb.connect(str(published), read_only=True) as con:
        tables = [
            f"{schema}.{table}"
            for schema, table in con.execute(
                "select schema_name, table_name from duckdb_tables() order by all"
            ).fetchall()
        ]
        # A hash of whole rows makes DuckDB read every block of the newest mart, not only count.
        counts = " union all ".join(f"select '{table}', count(*) from {table}" for table in tables)
        rows = dict(con.execute(counts).fetchall()) if tables else {}
        newest, _ = con.execute(
            "select max(as_of_date)::varchar, sum(hash(r)::hugeint) from marts.customer_rfm as r"
        ).fetchone()
    if not rows.pop(JOURNAL):
        raise ValueError(f"{JOURNAL} is empty")
    # The verdicts of each run are added to it, so its size tells no state.
    return State(newest, tuple(sorted({**rows, JOURNAL: 0}.items())))


@contextmanager
def polling(published: Path) -> Iterator[Polls]:
    """The reader at work; what it has seen is there at the end."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    polls = Polls()
    try:
        assert process.stdout.readline() == "begins\n", process.communicate()[1]
        yield polls
        report, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
        seen = json.loads(report)
        polls.looks = seen["looks"]
        polls.states = [State(newest, tuple(map(tuple, rows))) for newest, rows in seen["states"]]
        polls.complaints = seen["complaints"]
    finally:
        process.kill()
        process.communicate()


def _poll(published: Path) -> None:
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    polls = Polls()
    print("begins", flush=True)
    while True:
        last = done.is_set()
        polls.looks += 1
        try:
            state = state_of(published)
        except (duckdb.Error, ValueError, TypeError) as error:
            polls.complaints.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")
        else:
            if polls.states[-1:] != [state]:
                polls.states.append(state)
        if last:
            break
        time.sleep(PAUSE_SECONDS)
    print(
        json.dumps(
            {
                "looks": polls.looks,
                "states": [(state.newest, state.rows) for state in polls.states],
                "complaints": polls.complaints[:20],
            }
        )
    )


if __name__ == "__main__":
    _poll(Path(sys.argv[1]))
