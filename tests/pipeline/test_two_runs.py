"""Two commands started at once on one home: one waits visibly, and both do what one after the other does."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("processes")

# Both are simulated, so that neither changes what the other decides: the order does not matter.
FIRST, SECOND = ("--date", "2024-04-30"), ("--date", "2024-05-31")


@pytest.fixture(scope="module")
def one_after_the_other(_eve, tmp_path_factory):
    home = _eve.copy(tmp_path_factory.mktemp("one_after_the_other") / "home")
    assert home.run(*FIRST) == 0
    assert home.run(*SECOND) == 0
    return home


def test_the_second_waits_visibly_and_both_give_what_one_after_the_other_gives(eve, one_after_the_other):
    commands = [eve.start("run", *dates) for dates in (FIRST, SECOND)]
    outputs = [command.communicate(timeout=600)[0] for command in commands]

    assert [command.returncode for command in commands] == [0, 0], "\n".join(outputs)
    waiting = [
        re.search(r"waiting for the warehouse: held by run \S+ \(pid (\d+)\) since 20", output)
        for output in outputs
    ]
    (waited,) = [number for number, found in enumerate(waiting) if found]
    assert int(waiting[waited][1]) == commands[1 - waited].pid
    # It is said before anything is done, by the run's log alone.
    lines = [line for line in outputs[waited].splitlines() if "waiting for the warehouse" in line]
    assert all(re.match(r"\d\d:\d\d:\d\d    waiting", line) for line in lines)
    assert outputs[waited].index(lines[-1]) < outputs[waited].index("extract")
    # To the last line: Dagster's own mirror of what a step prints loses it now and then.
    assert all(re.search(r"reports/daily_report +done", output) for output in outputs)
    assert eve.tables() == one_after_the_other.tables()
    assert eve.exports() == one_after_the_other.exports()
