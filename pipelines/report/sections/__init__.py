"""The sections of the report, one module each, in the page's order."""

from collections.abc import Callable

from pipelines.report.section import Section, Source
from pipelines.report.sections import (
    cost_and_return,
    decisions,
    dormancy_states,
    dormancy_trend,
    funnel,
    gates,
    guide_classes,
    headline,
    ingestions,
    learned,
    model_calibration,
    model_evidence,
    movement,
    own_x,
    reasons,
    redormancy,
    retention,
    rfm_grid,
    silence,
    targets,
    true_effect,
)

SECTIONS: tuple[Callable[[Source], Section], ...] = (
    headline.build,
    targets.build,
    funnel.build,
    true_effect.build,
    cost_and_return.build,
    learned.build_lift,
    learned.build_response,
    guide_classes.build,
    rfm_grid.build,
    movement.build_classes,
    retention.build,
    dormancy_states.build,
    dormancy_trend.build,
    movement.build_states,
    silence.build,
    own_x.build,
    reasons.build,
    redormancy.build,
    model_evidence.build,
    model_calibration.build,
    decisions.build,
    ingestions.build,
    gates.build,
)
"""Each builds one section from the published copy, in the language of its source."""
