"""What a run leaves of each table in Dagster: columns as they are, lineage, row counts, rows of nobody."""

import pytest
from dagster import AssetKey
from data_home import Home

from pipelines.build import build_definitions
from pipelines.resources.instance import open_instance

pytestmark = pytest.mark.xdist_group("eve")


@pytest.fixture(scope="module")
def told(day_after_eve: Home):
    """The metadata of the newest materialisation of every asset, by key."""
    instance = open_instance(day_after_eve.settings.dagster_home)
    keys = build_definitions(day_after_eve.settings).resolve_asset_graph().get_all_asset_keys()
    events = {key: instance.get_latest_materialization_event(key) for key in keys}
    yield {
        key.to_user_string(): {
            name: value.value for name, value in event.asset_materialization.metadata.items()
        }
        for key, event in events.items()
        if event is not None and event.asset_materialization is not None
    }
    instance.dispose()


def test_tables_have_row_counts(told, day_after_eve):
    views = {
        name for name in told if name.startswith(("staging/", "identity/account_fact", "identity/identifier"))
    }
    without = {name for name, metadata in told.items() if "dagster/row_count" not in metadata}

    assert without - views <= {"reports/daily_report", "reports/run_summary", "marts/int_reported_date"} | {
        name for name in told if name.startswith("core/int_")
    }
    with day_after_eve.published() as con:
        buyers = con.execute("select count(*) from marts.customer_rfm").fetchone()[0]
    assert told["marts/customer_rfm"]["dagster/row_count"] == buyers


def test_columns_have_their_real_types_and_lineage(told):
    columns = {each.name: each for each in told["core/int_kept_day"]["dagster/column_schema"].columns}
    lineage = told["core/int_kept_day"]["dagster/column_lineage"].deps_by_column

    assert columns["purchased_on"].type == "DATE"
    assert columns["emptied_on"].description.startswith("Day on which the last unit")
    assert [each.asset_key for each in lineage["purchased_on"]] == [AssetKey(["core", "int_purchase_line"])]
    unknown = [
        f"{name}.{column.name}"
        for name, metadata in told.items()
        for column in getattr(metadata.get("dagster/column_schema"), "columns", ())
        if not column.description
    ]
    assert unknown == []


def test_previews_are_of_nobody(told):
    previews = {name: metadata["preview"] for name, metadata in told.items() if "preview" in metadata}
    # A list for people, of ids alone.
    assert "@" not in previews.pop("audiences/recall")
    columns = {column for table in previews.values() for row in table.records for column in row.data}

    assert {"core/product", "kpi/dormancy_overview", "marts/dormancy_model"} <= set(previews)
    assert not columns & {"customer_id", "account_key", "unit_id", "touch_id"}
