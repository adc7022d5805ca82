"""Difference of two shares: Newcombe's hybrid of Wilson's intervals, and a test that never contradicts it.

The interval alone would be a poor test of many segments with a small holdout. With a tenth held out and five
conversions expected in it, it leaves out 0 on the harmful side 1.4 times as often as it should at 95 %, and
three times as often at the level that one of 30 segments must reach. (So does the score test with the pooled
variance.) So the test also needs the same hybrid of limits corrected for skewness to leave out 0: the
statistic is the smaller of the two.
"""

from __future__ import annotations

import numpy as np

from pipelines.measurement.arms import Arm
from pipelines.measurement.comparison import Comparison
from pipelines.measurement.score import corrected_share_arm, lift_limits, share_arm, statistic


def compare_shares(treated: Arm, holdout: Arm, z: np.ndarray | float) -> Comparison:
    """Compare the shares of two arms (Newcombe 1998, Statistics in Medicine 17:873, method 10).

    Args:
        treated, holdout: arms with at least one person in every cell.
        z: standard errors between the lift and its limits; 1.96 for 95 %.

    Example: the first column of Newcombe's table II.

        >>> import numpy as np
        >>> each = [Arm(*(np.array([float(x)]) for x in (n, r, r))) for n, r in ((70, 56), (80, 48))]
        >>> found = compare_shares(each[0], each[1], 1.959964)
        >>> [round(float(value[0]), 4) for value in (found.lift, found.low, found.high)]
        [0.2, 0.0524, 0.3339]
    """
    arms = share_arm(treated), share_arm(holdout)
    low, high = lift_limits(*arms, z)
    std_error = np.sqrt(treated.plug_in_variance / treated.people + holdout.plug_in_variance / holdout.people)
    corrected = corrected_share_arm(treated, holdout), corrected_share_arm(holdout, treated)
    nearest = np.minimum(statistic(*arms), statistic(*corrected))
    return Comparison(treated.mean - holdout.mean, std_error, low, high, nearest)
