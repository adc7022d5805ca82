"""The sections of the report, one module each, in the page's order."""

from collections.abc import Callable

from pipelines.report.section import Section, Source
from pipelines.report.sections import (
    decisions,
    dormancy_states,
    gates,
    guide_classes,
    headline,
    ingestions,
    model_calibration,
    model_evidence,
    movement,
    own_x,
    reasons,
    rfm_grid,
    silence,
)

SECTIONS: tuple[Callable[[Source], Section], ...] = (
    headline.build,
    guide_classes.build,
    rfm_grid.build,
    dormancy_states.build,
    silence.build,
    own_x.build,
    reasons.build,
    model_evidence.build,
    model_calibration.build,
    decisions.build,
    movement.build,
    ingestions.build,
    gates.build,
)
"""Each builds one section from the published copy."""
