"""What counts as seen, and what is worth seeing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_SMALLEST_EFFECT = {
    "conversion": 0.01,
    "wake_up": 0.01,
    "unsubscribed": 0.005,
    "complained": 0.005,
    "net_margin": 1.0,
    "revenue": 2.5,
}


@dataclass(frozen=True)
class MeasurementSettings:
    """How effects are judged.

    Attributes:
        confidence: of the intervals; 1 − confidence is also the error that minimum detectable effects allow.
        false_discovery_rate: highest adjusted p-value of an effect.
        power: the chance with which a minimum detectable effect would be seen.
        split_alpha: sample-ratio p-value below which a split is invalid.
        smallest_effect: per metric the effect worth seeing, in its unit per person (a share as a fraction of
            1, money in the profile's currency); also the scale of the always-valid mixture.

    Raises:
        ValueError: a number is out of its range.
    """

    confidence: float = 0.95
    false_discovery_rate: float = 0.05
    power: float = 0.8
    split_alpha: float = 0.001
    smallest_effect: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_SMALLEST_EFFECT))

    def __post_init__(self) -> None:
        for name in ("confidence", "false_discovery_rate", "power", "split_alpha"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ValueError(f"{name} is {value}: accepted are numbers between 0 and 1, both excluded")
        for metric, effect in self.smallest_effect.items():
            if not 0 < effect < float("inf"):
                raise ValueError(f"smallest_effect of {metric} is {effect}: accepted are numbers above 0")
