"""The two palettes: the same names, and text that can be read on them."""

import pytest

from pipelines.report.charts import DARK, LIGHT
from pipelines.report.wording import STATES

TEXT_ON = [
    *((ink, paper) for ink in ("ink", "soft", "accent", "alarm") for paper in ("paper", "page")),
    *((f"on_{state}", state) for state in STATES),
    *(("on_heat_low", f"heat_{step}") for step in range(4)),
    *(("on_heat_high", f"heat_{step}") for step in (4, 5)),
]


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_both_palettes_name_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable(palette: dict[str, str]) -> None:
    too_faint = {
        (text, ground): round(contrast, 2)
        for text, ground in TEXT_ON
        if (contrast := _contrast(palette[text], palette[ground])) < 4.5
    }
    assert not too_faint, "WCAG 2.2 AA asks for 4.5"
