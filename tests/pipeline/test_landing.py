"""Files that arrive between two runs: what the landing sensor launches, and what it leaves alone."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRunStatus, DefaultSensorStatus, build_sensor_context, job
from data_home import Home
from small_shop import END, SmallShop

from pipelines.build import build_definitions
from pipelines.feeds.arrivals import QUIET
from pipelines.history import History
from pipelines.jobs import ARRIVAL_TAG, DAILY_RECALL, KPI_REFRESH
from pipelines.sensors import LANDING, _request
from pipelines.settings import Profile

pytestmark = pytest.mark.xdist_group("eve")


@pytest.fixture(autouse=True)
def _old_files(small_shop: SmallShop) -> None:
    """Tests before may have written the shop's files anew."""
    for file in small_shop.folder.glob("*.csv"):
        os.utime(file, (1_700_000_000, 1_700_000_000))


@pytest.fixture
def late_file(eve: Home) -> Iterator[Path]:
    """A file of the till that was written five minutes ago."""
    late = eve.shop.folder / "sales_late_today.csv"
    write(late, "L1")
    yield late
    late.unlink()


def write(file: Path, receipt: str, age_seconds: float = 300) -> None:
    header = (file.parent / "sales.csv").read_text(encoding="utf-8").splitlines()[0]
    file.write_text(f"{header}\n{receipt},1,M001,S1,{END} 12:00:00,P01,1,3.00,0.00\n", encoding="utf-8")
    at = time.time() - age_seconds
    os.utime(file, (at, at))


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def look(eve: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One evaluation of the sensor, two minutes after the one before and from its cursor on."""
    repository = build_definitions(eve.settings).get_repository_def()
    sensor = repository.get_sensor_def(LANDING)
    assert sensor.default_status == DefaultSensorStatus.RUNNING
    cursor = [None]
    at = [datetime.now(UTC)]
    monkeypatch.setattr("pipelines.sensors._now", lambda: at[0])

    def evaluate() -> Any:
        at[0] += 2 * QUIET
        context = build_sensor_context(instance=instance, cursor=cursor[0], repository_def=repository)
        tick = sensor.evaluate_tick(context)
        cursor[0] = tick.cursor
        return tick

    return evaluate


def asked(tick: Any) -> list[tuple[str, str]]:
    return [(request.job_name, request.partition_key) for request in tick.run_requests]


def computed(home: Home, day: date) -> None:
    (History(home.settings.lake_dir).folder / f"moved_on={day}.parquet").touch()


def test_what_was_taken_in_launches_nothing(look) -> None:
    first, second = look(), look()

    assert (asked(first), first.skip_message) == ([], "everything is taken in")
    assert (asked(second), second.skip_message) == ([], "nothing has arrived since the last look")


def test_a_file_for_a_date_that_was_not_computed_launches_its_run_once(look, late_file) -> None:
    arriving, first, second = look(), look(), look()

    assert (asked(arriving), arriving.skip_message) == ([], f"files are arriving: {late_file}")
    assert asked(first) == [(DAILY_RECALL, str(END))]
    (request,) = first.run_requests
    assert request.run_key == f"{DAILY_RECALL}-{request.tags[ARRIVAL_TAG]}"
    assert (asked(second), second.skip_message) == ([], "nothing has arrived since the last look")
    # Another arrival has another key, so that Dagster does not take it for the same.
    write(late_file, "L2")
    look()
    (again,) = look().run_requests
    assert again.run_key != request.run_key


def test_a_late_file_after_the_days_run_is_refreshed_and_nothing_is_sent(look, late_file, eve) -> None:
    computed(eve, END)
    look()

    assert asked(look()) == [(KPI_REFRESH, str(END))]


def test_another_file_in_between_is_waited_for(look, late_file) -> None:
    """Copies that keep their times: the batch is told by what one look sees more than the other."""
    look()
    second = late_file.with_name("sales_later_today.csv")
    write(second, "L2")
    try:
        assert look().skip_message == f"files are arriving: {late_file}, {second}"
        assert asked(look()) == [(DAILY_RECALL, str(END))]
    finally:
        second.unlink()


@pytest.mark.parametrize("status", [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
def test_a_run_under_way_is_waited_for(look, late_file, instance, status) -> None:
    @job(name=KPI_REFRESH)
    def refresh() -> None:
        """No steps: its record is what counts."""

    run = instance.create_run_for_job(refresh, status=status)
    look()
    tick = look()
    assert asked(tick) == []
    assert tick.skip_message.startswith(f"run {run.run_id} of {KPI_REFRESH} is under way")
    instance.report_run_canceled(run)
    assert asked(look()) == [(DAILY_RECALL, str(END))]


class OnTheTwelfth(Profile):
    """A shop whose yesterday is the eleventh of June."""

    @property
    def last_date(self) -> date:
        return date(2024, 6, 11)


@pytest.mark.parametrize(
    ("now", "known", "wanted"),
    [
        # 04:59 in Berlin: the run of five o'clock takes it in.
        (datetime(2024, 6, 12, 2, 59, tzinfo=UTC), date(2024, 6, 10), None),
        (datetime(2024, 6, 12, 3, 0, tzinfo=UTC), date(2024, 6, 10), DAILY_RECALL),
        (datetime(2024, 6, 12, 2, 59, tzinfo=UTC), date(2024, 6, 11), KPI_REFRESH),
    ],
)
def test_before_the_hour_of_the_daily_run_it_is_left_to_that_run(eve, tmp_path, now, known, wanted) -> None:
    jobs = {each.name: each for each in build_definitions(eve.settings).jobs or []}
    calendar = eve.settings.profile.calendar.model_copy(update={"end_date": None})
    profile = OnTheTwelfth.model_construct(**{**eve.settings.profile.__dict__, "calendar": calendar})
    history = History(tmp_path)
    history.folder.mkdir()
    (history.folder / f"moved_on={known}.parquet").touch()

    request = _request(jobs[DAILY_RECALL], jobs[KPI_REFRESH], profile, history, now)

    assert (request and request.job_name) == wanted
