"""The jobs: what is launched together."""

from __future__ import annotations

from collections.abc import Sequence

from dagster import AssetKey, AssetSelection, PartitionsDefinition, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_RECALL = "daily_recall"
SCRUB = "scrub"
KPI_REFRESH = "kpi_refresh"
KPI_REFRESH_TAG = "winback/kpi_refresh"
"""Run tag of a refresh: outcomes count until the run began, and not until the end of its date."""
ARRIVAL_TAG = "winback/arrival"
"""Run tag of what the landing sensor launches: the files that it was launched for."""

ERASE = "erase"
ERASURE_TAG = "winback/erasure"
"""Run tag of an erasure: the analysts' copy is written in full, so that no old block of it stays."""

_UP_TO_CORE = ("raw", "policy", "identity", "staging", "core")


def daily_recall(dates: PartitionsDefinition, left_out: Sequence[AssetKey]) -> UnresolvedAssetJobDefinition:
    """Everything for one business date, or for a range of them as one run.

    Args:
        dates: the as-of dates.
        left_out: what is left to other jobs: a date's own audiences take back by themselves, and people are
            erased when they ask for it.
    """
    return define_asset_job(
        DAILY_RECALL,
        selection=AssetSelection.all() - AssetSelection.assets(*left_out),
        partitions_def=dates,
        description=(
            "Takes in what has arrived, builds every stage for the as-of date, passes its gates, emits the "
            "audiences and publishes the analysts' copy and the report. A failed gate stops what follows."
        ),
    )


def scrub(scrub_asset: AssetKey) -> UnresolvedAssetJobDefinition:
    """What has arrived since, and who must be taken off the lists that went out.

    Args:
        scrub_asset: what takes back.
    """
    return define_asset_job(
        SCRUB,
        selection=AssetSelection.groups(*_UP_TO_CORE) | AssetSelection.assets(scrub_asset),
        description=(
            "Takes in what has arrived, builds up to the core with its gates, and writes whom to take off "
            "the lists that went out: who has bought, complained or opted out since."
        ),
    )


def kpi_refresh(dates: PartitionsDefinition, published: Sequence[AssetKey]) -> UnresolvedAssetJobDefinition:
    """What has come of the contacts by now, for the newest date that was computed.

    Args:
        dates: the as-of dates.
        published: what shows the measures to people.
    """
    return define_asset_job(
        KPI_REFRESH,
        selection=AssetSelection.groups(*_UP_TO_CORE, "kpi") | AssetSelection.assets(*published),
        partitions_def=dates,
        tags={KPI_REFRESH_TAG: "true"},
        description=(
            "Takes in what has arrived, measures anew what the contacts have brought by now, and publishes "
            "it. Nothing is decided and nothing is sent. For the newest date that was computed."
        ),
    )


def erase(
    dates: PartitionsDefinition, steps: Sequence[AssetKey], published: Sequence[AssetKey]
) -> UnresolvedAssetJobDefinition:
    """Who asked for it is taken out of everything, for the newest date that was computed.

    Args:
        dates: the as-of dates.
        steps: the erasure and its proof.
        published: what shows results to people.
    """
    return define_asset_job(
        ERASE,
        selection=AssetSelection.assets(*steps, *published) | AssetSelection.groups(*_UP_TO_CORE, "kpi"),
        partitions_def=dates,
        tags={ERASURE_TAG: "true", KPI_REFRESH_TAG: "true"},
        description=(
            "Takes the people who asked for it (winback erase) out of the lake, the warehouse, the audiences "
            "and the analysts' copy, and proves it by a search. Nothing is decided and nothing is sent. For "
            "the newest date that was computed."
        ),
    )
