"""The jobs: what is launched together."""

from __future__ import annotations

from dagster import AssetSelection, PartitionsDefinition, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_RECALL = "daily_recall"


def daily_recall(dates: PartitionsDefinition) -> UnresolvedAssetJobDefinition:
    """Everything for one business date, or for a range of them as one run."""
    return define_asset_job(
        DAILY_RECALL,
        selection=AssetSelection.all(),
        partitions_def=dates,
        description=(
            "Takes in what has arrived, builds every stage for the as-of date, passes its gates, emits the "
            "audiences and publishes the analysts' copy and the report. A failed gate stops what follows."
        ),
    )
