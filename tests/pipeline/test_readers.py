"""An analyst reads while a run publishes; and who may open which file."""

import stat
import subprocess
import sys

import duckdb
import pytest
from small_shop import END

pytestmark = pytest.mark.xdist_group("eve")

# Queries until its standard input closes, on one connection or on a new one each time. What it sees first and
# last, and how often it saw something new in between, is its report.
ANALYST = """
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


@pytest.fixture
def analysts(eve):
    """One holds a connection, one opens another for each query."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ANALYST, str(eve.settings.published_file), habit],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for habit in ("holds", "opens")
    ]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_analysts_neither_block_a_run_nor_are_blocked(eve, analysts):
    for analyst in analysts:
        assert analyst.stdout.readline() == "2024-06-29\n"

    assert eve.run() == 0

    reports = [analyst.communicate(timeout=60) for analyst in analysts]
    assert [analyst.returncode for analyst in analysts] == [0, 0], reports
    (held_queries, *held), (opened_queries, *opened) = (report.split() for report, _ in reports)
    assert int(held_queries) > 50
    assert int(opened_queries) > 50
    # The open connection keeps the copy it has; a new one sees the old copy or the new, and nothing between.
    assert held == ["2024-06-29"]
    assert opened == ["2024-06-29", str(END)]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_personal_is_its_owners_alone_and_what_is_published_is_for_all(day_after_eve):
    settings = day_after_eve.settings

    assert mode(settings.warehouse_file) == 0o600
    exports = [path for path in settings.audiences_dir.rglob("*") if path.is_file()]
    assert exports
    assert {mode(path) for path in exports} == {0o600}
    private = [
        settings.warehouse_file.parent,
        settings.lake_dir,
        settings.audiences_dir,
        settings.scratch_dir,
    ]
    assert {mode(path) for path in private} == {0o700}
    assert mode(settings.published_file) == 0o644
    assert mode(settings.published_file.parent) == 0o755


def test_the_published_copy_opens_in_a_plain_client_and_cannot_be_written(day_after_eve):
    with day_after_eve.published() as con, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        con.execute("delete from core.customer")
