"""The stages of the pipeline that have a gate, in the order in which they run."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A stage is also the schema its tables lie in and the folder its suites lie in."""

    RAW = "raw"
    CORE = "core"
    MARTS = "marts"
    ACTIVATION = "activation"
    KPI = "kpi"

    @property
    def dated(self) -> bool:
        """Whether the stage's tables have rows per as-of date, and its verdicts a date."""
        return self not in UNPARTITIONED_STAGES

    def with_later(self) -> tuple[Stage, ...]:
        """This stage and those after it whose verdicts its rebuild makes worthless.

        A rebuild of an unpartitioned stage does not touch the results of any as-of date, so that it reaches
        to the last unpartitioned stage only.
        """
        order = tuple(Stage)
        return tuple(stage for stage in order[order.index(self) :] if stage.dated == self.dated)


UNPARTITIONED_STAGES = (Stage.RAW, Stage.CORE)
DATED_STAGES = (Stage.MARTS, Stage.ACTIVATION, Stage.KPI)
