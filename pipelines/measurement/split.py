"""Whether people were split among the arms as planned: the sample-ratio test.

A split that is off means that something takes people out of one arm. Then the arms are no longer alike, and
no difference between them proves anything (Fabijan et al. 2019, KDD, doi:10.1145/3292500.3330722).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import binom, chi2

FEWEST_EXPECTED = 50.0
"""Units that each arm should have by the plan; with fewer, chi-square finds too many splits invalid: at a
p-value of .001 up to three times as many as it should (a tenth held out, 5 expected units)."""


def sample_ratio_p_values(arms: pl.DataFrame) -> pl.DataFrame:
    """Test the units in all arms of each campaign against the planned shares.

    Pearson's chi-square; where the plan gives an arm fewer than `FEWEST_EXPECTED` units, the exact binomial
    test of each arm against the others (both tails alike; Bonferroni if there are more than two arms).
    SciPy's `chisquare` and `binomtest` take one campaign at a time, so only the distributions are SciPy's.

    Args:
        arms: one row per campaign_id and arm, with units and planned_share (in any unit; null: not known).

    Returns:
        campaign_id and srm_p_value, one row per campaign; null where a planned share is not known, and where
        there are fewer than two arms or no units.
    """
    planned, units = pl.col("planned_share"), pl.col("units").cast(pl.Float64)
    campaigns = arms.select("campaign_id").unique().sort("campaign_id")
    tested = (
        arms.with_columns(
            _known=planned.is_not_null().all().over("campaign_id"),
            _all=units.sum().over("campaign_id"),
            _share=planned / planned.sum().over("campaign_id"),
        )
        # An arm that should have nobody and has nobody tells nothing.
        .filter(pl.col("_known") & (pl.col("_all") > 0) & pl.col("_share").is_finite())
        .filter((planned > 0) | (units > 0))
        .with_columns(_expected=pl.col("_all") * pl.col("_share"))
    )
    found = (
        tested.with_columns(_exact=_exact_p_values(tested))
        .group_by("campaign_id")
        .agg(
            statistic=((units - pl.col("_expected")) ** 2 / pl.col("_expected")).sum(),
            arms=pl.len(),
            fewest=pl.col("_expected").min(),
            exact=pl.col("_exact").min() * pl.when(pl.len() > 2).then(pl.len()).otherwise(1),
        )
        .filter(pl.col("arms") > 1)
    )
    chi_square = chi2.sf(found["statistic"].to_numpy(), found["arms"].to_numpy() - 1)
    p_value = np.where(found["fewest"].to_numpy() < FEWEST_EXPECTED, found["exact"].to_numpy(), chi_square)
    found = found.select("campaign_id", srm_p_value=pl.Series(np.minimum(p_value, 1.0), dtype=pl.Float64))
    return campaigns.join(found, on="campaign_id", how="left", maintain_order="left")


def _exact_p_values(arms: pl.DataFrame) -> pl.Series:
    """Twice the smaller binomial tail of each arm's units."""
    units, all_units, share = (arms[name].to_numpy() for name in ("units", "_all", "_share"))
    tails = binom.cdf(units, all_units, share), binom.sf(units - 1, all_units, share)
    return pl.Series(2 * np.minimum(*tails), dtype=pl.Float64)
