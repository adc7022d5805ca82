"""What the benchmark of the daily job says of its figures: which targets are judged, and which are missed."""

import os
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "benchmarks"))

from cost_chart import cost_chart  # noqa: E402 - found beside the benchmarks
from daily_run import LARGE, MIDDLE, SMALL, Bench, Differences, Measure, chart, report, targets  # noqa: E402
from watching import CommandFailed, Stage, Watched, watch  # noqa: E402


def measure(seconds: float, peak_gb: float = 1.0) -> Measure:
    stage = Stage("core", seconds / 2, 10**9, 0, 10**6, rows=1000)
    return Measure([Watched(seconds, seconds, int(peak_gb * 1e9), 0, (stage,), "")], {"lake": 10**9})


def bench(**sizes: dict[str, Measure]) -> Bench:
    made = Bench(Path("nowhere"), "4GB", 2, 1, empty=measure(10))
    made.sizes = {
        {"small": SMALL, "middle": MIDDLE, "large": LARGE}[name]: each for name, each in sizes.items()
    }
    return made


def verdicts(made: Bench) -> list[str]:
    return [each.verdict for each in targets(made)]


def test_the_job_is_judged_against_the_floor_at_its_size_only() -> None:
    assert verdicts(bench(middle={"full": measure(260), "floor": measure(100)})) == ["met", "met"]
    assert verdicts(bench(middle={"full": measure(261), "floor": measure(100)})) == ["missed", "met"]
    assert verdicts(bench(middle={"full": measure(1, 6.1), "floor": measure(100)})) == ["met", "missed"]
    assert set(verdicts(bench(small={"full": measure(900, 9), "floor": measure(1)}))) == {
        "not judged at this size"
    }


@pytest.mark.parametrize(("seconds", "verdict"), [(10 * 1.12, "met"), (10 * 1.13, "missed")])
def test_seconds_may_grow_little_more_than_the_shop(seconds: float, verdict: str) -> None:
    """Ten times the customers, 10 to the power of 1.05 times the seconds."""
    made = bench(small={"full": measure(1)}, middle={"full": measure(seconds)})
    assert verdicts(made)[-1] == verdict


def test_beyond_a_million_the_floor_says_how_much_is_due() -> None:
    made = bench(
        middle={"full": measure(100), "floor": measure(50)},
        large={"full": measure(800), "floor": measure(400)},
    )
    assert verdicts(made)[-1] == "met"
    made.sizes[LARGE]["full"] = measure(900)
    assert verdicts(made)[-1] == "missed"


def test_a_day_is_judged_by_its_share_and_its_tables() -> None:
    made = bench(middle={"full": measure(110), "day": measure(30)})
    made.new_rows[MIDDLE] = {"rows": 10, "share": 0.01, "cutoff": "2025-12-24 00:00:00", "files": 6}
    made.differing[MIDDLE] = Differences(earlier=["core.touch: 1 rows before"])
    assert verdicts(made)[-2:] == ["met", "met"]
    made.sizes[MIDDLE]["day"] = measure(31)
    made.differing[MIDDLE] = Differences(["core.touch: 1 rows before"])
    assert verdicts(made)[-2:] == ["missed", "missed"]
    assert "DIFFERS  core.touch" in report(made)
    assert "| core | 15.5 | 1,000 | 65 | 1.00 |" in report(made)


def test_the_chart_has_a_line_for_each_thing_measured() -> None:
    made = bench(
        small={"full": measure(60), "floor": measure(20)},
        middle={"full": measure(300), "floor": measure(150)},
    )
    assert chart(made).count("<polyline") == 2
    assert cost_chart({"daily job": {20_000: 50.0}}, {}, "one size").startswith("<svg")


def test_a_command_is_watched_by_stage(tmp_path: Path) -> None:
    program = """if True:
        import sys, time
        held = bytearray(150_000_000)
        time.sleep(0.5)
        del held
        print("12:00:00  first        done      1.5 s   1 of 2", file=sys.stderr, flush=True)
        time.sleep(0.5)
        print("12:00:01  second/part  done      2.5 s", file=sys.stderr)
    """
    found = watch([sys.executable, "-c", program], environment=os.environ, log=tmp_path / "log")
    assert [(stage.name, stage.seconds) for stage in found.stages] == [("first", 1.5), ("second/part", 2.5)]
    assert found.stages[0].peak_bytes > 150_000_000 > found.stages[1].peak_bytes
    assert found.peak_bytes >= found.stages[0].peak_bytes
    assert 0 < found.cpu_seconds < found.seconds

    with pytest.raises(CommandFailed, match="ended with 3:\nwhy"):
        watch(
            [sys.executable, "-c", "print('why'); raise SystemExit(3)"],
            environment=os.environ,
            log=tmp_path / "log",
        )
