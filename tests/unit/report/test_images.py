"""PNG images in few bytes are the same pictures."""

import base64
import struct

import pytest
import vl_convert

from pipelines.report.charts import WIDE_PX, png
from pipelines.report.drawings import Bar, BarGroup, bar_list
from pipelines.report.images import compact

CHART = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60">'
    '<rect width="90" height="60" fill="#fff"/>'
    '<circle cx="20" cy="20" r="15" fill="#00765a"/><text x="40" y="30" fill="#1d2330">Sleep</text></svg>'
)
ROOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
# More colours than a palette has.
GRADIENT = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="4"><defs><linearGradient id="g">'
    '<stop offset="0" stop-color="#000"/><stop offset="0.5" stop-color="#f00"/><stop offset="1" '
    'stop-color="#0ff"/></linearGradient></defs><rect width="900" height="4" fill="url(#g)"/></svg>'
)


def _size(image: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", image, 16)
    return width, height


def _shown(image: bytes) -> bytes:
    """The picture as the renderer shows it, which reads every kind of PNG."""
    width, height = _size(image)
    href = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    shown: bytes = vl_convert.svg_to_png(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="{href}"/></svg>'
    )
    return shown


@pytest.mark.parametrize(("svg", "palettes"), [(CHART, 1), (GRADIENT, 0)], ids=["palette", "many colours"])
def test_the_picture_stays_the_same(svg: str, palettes: int) -> None:
    original = vl_convert.svg_to_png(svg, scale=2)
    small = compact(original)
    assert small.count(b"PLTE") == palettes
    assert len(small) < len(original)
    assert _shown(small) == _shown(original)
    assert _shown(small) != _shown(compact(vl_convert.svg_to_png(svg.replace("#0", "#f"), scale=2)))


@pytest.mark.parametrize(
    "image",
    [
        vl_convert.svg_to_png(f'{ROOT}<rect width="9" height="9" fill="#fff" opacity="0.5"/></svg>'),
        vl_convert.svg_to_png(f'{ROOT}<rect width="4" height="9" fill="#fff"/></svg>'),
        compact(vl_convert.svg_to_png(CHART)),
    ],
    ids=["transparent", "transparent in part", "compact already"],
)
def test_another_kind_of_image_is_left_alone(image: bytes) -> None:
    assert compact(image) == image


def test_charts_are_compact() -> None:
    groups = [BarGroup(f"Feed {place}", (Bar(place, str(place), "accent"),)) for place in range(1, 20)]
    image = png(lambda canvas: bar_list(canvas, groups), "Rows", "by feed", scale=1)
    width, height = _size(image)
    assert width == WIDE_PX + 32
    assert len(image) < 4 * width * height / 50
