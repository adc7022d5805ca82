"""Failed runs and missed freshness become notices: what they say, and that each is sent once, by whoever."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from dagster import (
    AssetCheckResult,
    AssetKey,
    AssetSelection,
    DagsterInstance,
    DagsterRunStatus,
    DailyPartitionsDefinition,
    DefaultSensorStatus,
    Definitions,
    Failure,
    JobDefinition,
    asset,
    asset_check,
    build_run_status_sensor_context,
    build_sensor_context,
    define_asset_job,
    in_process_executor,
    job,
)
from dagster._core.definitions.freshness import CronFreshnessPolicy, FreshnessState, FreshnessStateChange
from webhook_server import serving

from pipelines.build import build_definitions
from pipelines.cli import main
from pipelines.jobs import DAILY_RECALL
from pipelines.resources.instance import mark_dead_runs, open_instance, prepare_home
from pipelines.resources.notify import journal, notice_of, report_failures
from pipelines.resources.process import process_identity
from pipelines.resources.warehouse import PROCESS_TAG
from pipelines.sensors import FAILURES, FRESHNESS
from pipelines.settings import PROFILES_DIR, Settings, load_settings

DATES = DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(
        {"WINBACK_DATA_DIR": str(tmp_path / "home"), "WINBACK_UI_URL": "http://127.0.0.1:3000"}
    )
    prepare_home(settings)
    return settings


@pytest.fixture
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    with open_instance(settings.dagster_home) as instance:
        yield instance


def failed(instance: DagsterInstance, error: Exception | None, *, found: str | None = None, **tags: str):
    """A real run of a small job that fails with this error, or in its gate."""

    @asset(partitions_def=DATES)
    def raw() -> None:
        if error is not None:
            raise error

    @asset_check(asset=raw, blocking=True)
    def gate() -> AssetCheckResult:
        return AssetCheckResult(passed=found is None, description=found)

    definitions = Definitions(
        assets=[raw],
        asset_checks=[gate],
        jobs=[define_asset_job(DAILY_RECALL, AssetSelection.all(), partitions_def=DATES)],
        executor=in_process_executor,
    )
    failing = definitions.resolve_job_def(DAILY_RECALL)
    key = None if tags else "2024-01-02"
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return failing.execute_in_process(
        instance=instance, partition_key=key, tags=tags, run_config=config, raise_on_error=False
    ).dagster_run


def test_a_notice_names_run_dates_step_error_and_remedy(instance, settings) -> None:
    run = failed(
        instance, Failure("shop.yaml: feeds.products.source.path: 'landing/p.csv' does not exist\nmore")
    )

    notice = notice_of(run, instance, settings)

    assert notice.title == "demo: daily_recall for 2024-01-02 failed"
    assert notice.error == "shop.yaml: feeds.products.source.path: 'landing/p.csv' does not exist"
    assert notice.what_to_do == "Mend what the error names, then run: winback run --date 2024-01-02."
    assert (notice.key, notice.run_id, notice.step) == (run.run_id, run.run_id, "raw")
    assert (notice.first_date, notice.last_date) == (date(2024, 1, 2), date(2024, 1, 2))
    assert notice.link == f"http://127.0.0.1:3000/runs/{run.run_id}"


def test_an_error_that_is_not_ours_shows_no_value_of_a_row(instance, settings) -> None:
    run = failed(instance, ValueError("Could not convert string 'wang' of wang@example.com, 13812345678"))

    assert notice_of(run, instance, settings).error == "ValueError: Could not convert string '…' of …, …"


def test_a_failed_gate_is_told_with_its_finding(instance, settings) -> None:
    run = failed(instance, None, found="core.order_line: failed: amount is a number (3 of 90). Remedy: look")

    notice = notice_of(run, instance, settings)

    assert notice.error == "core.order_line: failed: amount is a number (3 of 90). Remedy: look"
    assert notice.what_to_do.startswith("Follow the remedy, then run: winback run --date 2024-01-02.")


def test_a_range_is_named_by_its_ends(instance, settings) -> None:
    tags = {
        "dagster/asset_partition_range_start": "2024-01-02",
        "dagster/asset_partition_range_end": "2024-01-04",
    }
    notice = notice_of(failed(instance, Failure("no"), **tags), instance, settings)

    assert (notice.title, notice.dates) == (
        "demo: daily_recall for 2024-01-02 to 2024-01-04 failed",
        "2024-01-02 to 2024-01-04",
    )
    assert "winback run --from 2024-01-02 --to 2024-01-04" in notice.what_to_do


def test_the_command_and_the_daemon_send_it_once(instance, settings, monkeypatch) -> None:
    run = failed(instance, Failure("no"))
    event = next(
        record.event_log_entry.dagster_event
        for record in instance.get_records_for_run(run.run_id).records
        if record.event_log_entry.dagster_event and record.event_log_entry.dagster_event.is_run_failure
    )
    with serving() as webhook:
        monkeypatch.setenv("WINBACK_NOTICE_URL", webhook.url)
        told = load_settings({"WINBACK_DATA_DIR": str(settings.home), "WINBACK_NOTICE_URL": webhook.url})
        sensor = build_definitions(told).get_repository_def().get_sensor_def(FAILURES)
        context = build_run_status_sensor_context(FAILURES, event, instance, run).for_run_failure()
        sensor(context)
        said: list[str] = []
        report_failures(instance, [run.run_id], told, said.append)

    assert sensor.default_status == DefaultSensorStatus.RUNNING
    assert [body["run_id"] for body in webhook.bodies] == [run.run_id]
    assert said == []


def test_a_webhook_that_is_away_fails_nothing_and_is_told_without_its_address(
    instance, settings, monkeypatch
) -> None:
    run = failed(instance, Failure("no"))
    with serving((410, b"")) as webhook:
        monkeypatch.setenv("WINBACK_NOTICE_URL", webhook.url)
        told = load_settings({"WINBACK_DATA_DIR": str(settings.home), "WINBACK_NOTICE_URL": webhook.url})
        said: list[str] = []
        report_failures(instance, [run.run_id], told, said.append)

    assert said == [
        f"the notice did not reach json (WINBACK_NOTICE_URL): answered with status 410; "
        f"it is in {told.notices_file}"
    ]
    assert [notice["run_id"] for notice in journal(told).notices()] == [run.run_id]
    assert stat.S_IMODE(told.notices_file.stat().st_mode) == 0o600
    hidden = [path for path in settings.home.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
    assert hidden == []


def test_a_command_tells_of_a_run_that_was_killed_before(instance, settings, monkeypatch, capsys) -> None:
    for name, value in {
        "WINBACK_DATA_DIR": str(settings.home),
        "WINBACK_PROFILE": "demo",
        "DAGSTER_HOME": "",
    }.items():
        monkeypatch.setenv(name, value)
    run = instance.create_run_for_job(_nothing(), status=DagsterRunStatus.STARTED)
    boot, _, start = process_identity().split(":", 2)
    instance.add_run_tags(run.run_id, {PROCESS_TAG: f"{boot}:999999999:{start}"})
    # In place of the daemon, which would go on for ever; what was found is told before.
    monkeypatch.setattr("os.execv", lambda *_: None)
    assert main(["daemon"]) == 0

    (notice,) = journal(settings).notices()
    assert notice["run_id"] == run.run_id
    assert "is gone without an end of the run; it was killed or crashed" in notice["error"]
    assert notice["what_to_do"].startswith("Its process was killed or the machine restarted")
    assert mark_dead_runs(instance, print) == []


def _nothing() -> JobDefinition:
    @job(name=DAILY_RECALL)
    def nothing() -> None:
        """No steps: its record is what counts."""

    return nothing


@pytest.fixture(scope="module")
def open_ended(tmp_path_factory) -> Settings:
    """The demo shop, with a calendar that goes on."""
    folder = tmp_path_factory.mktemp("open_ended")
    profile = yaml.safe_load((PROFILES_DIR / "demo.yaml").read_text(encoding="utf-8"))
    del profile["calendar"]["end_date"]
    profile["calendar"]["run_hour"] = 23
    file = folder / "shop.yaml"
    file.write_text(json.dumps(profile, default=str), encoding="utf-8")
    return load_settings({"WINBACK_PROFILE": str(file), "WINBACK_DATA_DIR": str(folder / "home")})


@pytest.fixture(scope="module")
def repository(open_ended: Settings):
    return build_definitions(open_ended).get_repository_def()


def test_what_each_day_makes_must_be_there_two_hours_after_the_run(repository, open_ended) -> None:
    graph = repository.asset_graph
    judged = {
        node.key.to_user_string(): node.freshness_policy
        for node in graph.asset_nodes
        if node.freshness_policy
    }

    raw = {f"raw/{feed}" for feed in open_ended.profile.feeds}
    assert set(judged) == raw | {"audiences/recall", "published/winback_analytics", "reports/daily_report"}
    (policy,) = set(judged.values())
    assert isinstance(policy, CronFreshnessPolicy)
    assert (policy.deadline_cron, policy.timezone) == ("0 1 * * *", "Asia/Shanghai")


def test_a_shop_whose_calendar_has_an_end_is_never_too_old(settings) -> None:
    definitions = build_definitions(settings)

    assert not any(node.freshness_policy for node in definitions.resolve_asset_graph().asset_nodes)
    assert FRESHNESS not in {sensor.name for sensor in definitions.sensors or []}


def test_what_is_too_old_is_told_once_until_it_is_fresh_again(repository, open_ended) -> None:
    sensor = repository.get_sensor_def(FRESHNESS)
    cursor = None

    def look(instance: DagsterInstance) -> str:
        nonlocal cursor
        tick = sensor.evaluate_tick(
            build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
        )
        cursor = tick.cursor
        return tick.skip_message

    def becomes(instance: DagsterInstance, state: FreshnessState, hour: int) -> None:
        for key in (["audiences", "recall"], ["reports", "daily_report"]):
            instance._report_runless_asset_event(
                FreshnessStateChange(
                    key=AssetKey(key),
                    previous_state=FreshnessState.UNKNOWN,
                    new_state=state,
                    state_change_timestamp=datetime(2024, 6, 1, hour, tzinfo=UTC).timestamp(),
                )
            )

    with DagsterInstance.ephemeral() as instance:
        assert look(instance) == "everything is fresh"
        becomes(instance, FreshnessState.FAIL, 7)
        assert look(instance) == look(instance) == "too old: audiences/recall, reports/daily_report"
        becomes(instance, FreshnessState.PASS, 9)
        assert look(instance) == "everything is fresh"
        becomes(instance, FreshnessState.FAIL, 17)
        look(instance)

    notices = journal(open_ended).notices()
    assert [notice["event"] for notice in notices] == ["freshness_missed"] * 2
    assert notices[0]["error"] == "not made anew in time: audiences/recall, reports/daily_report"
    assert sensor.default_status == DefaultSensorStatus.RUNNING
