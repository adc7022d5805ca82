"""When results are too old: freshness policies from the profile's calendar.

Dagster judges an asset by its last materialisation. A refresh during the day makes the published copy and the
report anew as well, so that the audiences, which the daily run alone emits, tell of a missed one first.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from dagster import AssetKey, AssetsDefinition, AssetSpec, FreshnessPolicy

from pipelines.settings import Profile

GRACE_HOURS = 2
"""Hours after the daily run's hour by which its results must be there."""
_WINDOW = timedelta(hours=4)
"""What is younger than this at the deadline is of today: an hour that the clocks skip or repeat is in it."""


def freshness_policy(profile: Profile) -> FreshnessPolicy | None:
    """The policy of what each day's run makes; None for a shop whose calendar has an end."""
    if profile.calendar.end_date is not None:
        return None
    return FreshnessPolicy.cron(
        deadline_cron=f"0 {(profile.calendar.run_hour + GRACE_HOURS) % 24} * * *",
        lower_bound_delta=_WINDOW,
        timezone=profile.time_zone,
    )


def with_freshness(
    assets: list[AssetsDefinition], policy: FreshnessPolicy | None, watched: Collection[AssetKey]
) -> list[AssetsDefinition]:
    """The assets, those that are watched with the policy."""
    if policy is None:
        return assets

    def judged(spec: AssetSpec) -> AssetSpec:
        return spec.replace_attributes(freshness_policy=policy) if spec.key in watched else spec

    return [each.map_asset_specs(judged) if each.keys & set(watched) else each for each in assets]
