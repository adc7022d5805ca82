"""Two analysts who read the published copy while somebody runs, and what each has seen."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HABITS = ("holds", "opens")
"""One holds a connection, one opens another for each query."""

# Queries until its standard input closes, on one connection or on a new one each time. What it sees first and
# last, and how often it saw something new in between, is its report.
_ANALYST = """
import sys, threading, time, duckdb
file, holds = sys.argv[1], sys.argv[2] == "holds"
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
QUERY = '''
select max(as_of_date)::varchar, count(*)::varchar, sum(monetary)::varchar, count(dormancy_state)::varchar
from marts.customer_rfm left join marts.customer_dormancy using (as_of_date, customer_id)
'''
con = duckdb.connect(file, read_only=True)
queries, seen = 0, [con.execute(QUERY).fetchone()]
print(seen[0][0], flush=True)
while True:
    last = done.is_set()
    if not holds:
        con.close()
        con = duckdb.connect(file, read_only=True)
    now = con.execute(QUERY).fetchone()
    queries += 1
    if now != seen[-1]:
        seen.append(now)
    if last:
        break
    time.sleep(0.02)
print(queries, *(date for date, *_ in seen), flush=True)
"""


@dataclass
class Analyst:
    """What one of them saw first; and all else, when the watch is over."""

    first: str
    queries: int = 0
    dates: list[str] = field(default_factory=list)
    exit_status: int | None = None
    complaint: str = ""


@contextmanager
def watching(published: Path, *, each: int = 1) -> Iterator[dict[str, Analyst]]:
    """So many of each habit at work, by habit and number (the first by its habit alone), once each has seen
    the copy; at the end they report."""
    processes = {
        habit if number == 1 else f"{habit} {number}": subprocess.Popen(
            [sys.executable, "-c", _ANALYST, str(published), habit],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for habit in HABITS
        for number in range(1, each + 1)
    }
    try:
        analysts = {habit: Analyst(process.stdout.readline().strip()) for habit, process in processes.items()}
        yield analysts
        for habit, process in processes.items():
            report, analysts[habit].complaint = process.communicate(timeout=60)
            analysts[habit].exit_status = process.returncode
            queries, *analysts[habit].dates = report.split() or ["0"]
            analysts[habit].queries = int(queries)
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
