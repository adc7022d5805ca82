"""The asset of the report: one page per date, and charts where the assets are that they describe."""

import base64
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from dagster import DagsterInstance, DailyPartitionsDefinition, ExecuteInProcessResult, materialize

from pipelines.assets.report import REPORT, build_report
from pipelines.settings import PROJECT_DIR

DAYS = ("2024-06-29", "2024-06-30")
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def run(shop_file: Path, tmp_path_factory: pytest.TempPathFactory) -> ExecuteInProcessResult:
    """A run of two dates."""
    settings = SimpleNamespace(
        published_file=shop_file,
        reports_dir=tmp_path_factory.mktemp("reports"),
        dbt_dir=PROJECT_DIR / "dbt_project",
        profile=SimpleNamespace(
            title="Corner shop", currency="GBP", activation=SimpleNamespace(language="zh")
        ),
    )
    asset = build_report(settings, DailyPartitionsDefinition(start_date="2024-06-01"), [])
    with DagsterInstance.ephemeral() as instance:
        return materialize(
            [asset],
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": DAYS[0],
                "dagster/asset_partition_range_end": DAYS[1],
            },
        )


def test_a_page_per_date(run: ExecuteInProcessResult) -> None:
    written = run.get_asset_materialization_events()
    assert {event.asset_key for event in written} == {REPORT}
    page = Path(str(written[-1].materialization.metadata["page"].value))
    assert page.parent.name == f"as_of={DAYS[1]}"
    assert sorted(folder.name for folder in page.parent.parent.iterdir()) == [f"as_of={day}" for day in DAYS]
    assert '<html lang="zh-Hans">' in page.read_text(encoding="utf-8")
    assert "满199减30券" in page.read_text(encoding="utf-8"), "the policy's names"


def test_charts_at_the_assets_that_they_describe(run: ExecuteInProcessResult) -> None:
    observed = [
        event.asset_observation_data.asset_observation for event in run.get_asset_observation_events()
    ]
    tables = ["/".join(observation.asset_key.path) for observation in observed]
    assert len(tables) == len(set(tables)) > 10
    assert {"kpi/incrementality", "kpi/cohort_retention", "activation/recall_decision"} < set(tables)
    for observation in observed:
        model = PROJECT_DIR / "dbt_project" / "models" / Path(*observation.asset_key.path)
        assert list(model.parent.glob(f"{model.name}.*")), observation.asset_key
        assert observation.partition == DAYS[1], "the newest date alone"
        assert str(observation.metadata["reading"].value).endswith(".")
    charts = [str(observation.metadata["chart"].value) for observation in observed]
    for chart in charts:
        [image] = re.findall(r"^!\[[^\]]+\]\(data:image/png;base64,(.+)\)$", chart)
        assert base64.b64decode(image).startswith(b"\x89PNG")
    assert sum(map(len, charts)) < MOST_BYTES
