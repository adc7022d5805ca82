"""Judging effects: what a recall brought beyond what would have come anyway. No Dagster here.

What belongs here: comparisons of two arms (`shares`, `means`, both by the score intervals of `score`),
whether the arms were split as planned (`split`), what could have been seen (`power`), many comparisons
(`families`), many looks (`always_valid`), and the verdicts on them (`verdicts`). What does not: counting; the
cells come counted from the warehouse. Everything is vectorised: arrays have one element per cell.

The package imports SciPy; nothing that has to load fast may import it at its top.
"""

from pipelines.measurement.settings import MeasurementSettings
from pipelines.measurement.verdicts import measure

__all__ = ["MeasurementSettings", "measure"]
