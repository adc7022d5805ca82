"""PNG images in few bytes."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = ">IIBBBBB"
_EIGHT_BIT, _RGB, _PALETTE, _RGBA = 8, 2, 3, 6
_MOST_COLOURS = 256


def compact(image: bytes) -> bytes:
    """The same picture in fewer bytes.

    The renderer writes four bytes for each pixel and hardly compresses them. A chart has few colours, so that
    a palette makes it an eighth, and without loss. (Names and numbers are those of Portable Network Graphics,
    W3C Recommendation, 3rd edition.)

    Args:
        image: PNG; one that is not opaque RGBA of 8 bits with lines filtered by "Sub", as the renderer makes
            them, is returned as it is.
    """
    codes = _codes(image)
    if codes is None:
        return image
    height, width = codes.shape
    # Marking is many times faster than sorting two million pixels.
    is_used = np.zeros(1 << 24, np.bool_)
    is_used[codes] = True
    colours = np.flatnonzero(is_used)
    if len(colours) <= _MOST_COLOURS:
        places = np.zeros(1 << 24, np.uint8)
        places[colours] = np.arange(len(colours), dtype=np.uint8)
        lines, kind = places[codes], _PALETTE
        palette = [_chunk(b"PLTE", b"".join(int(colour).to_bytes(3, "big") for colour in colours))]
    else:
        channels = codes.astype(">u4").view(np.uint8).reshape(height, width, 4)[..., 1:]
        lines, kind = channels.reshape(height, width * 3), _RGB
        palette = []
    unfiltered = np.hstack([np.zeros((height, 1), np.uint8), lines])
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(_HEAD, width, height, _EIGHT_BIT, kind, 0, 0, 0)),
            *palette,
            _chunk(b"IDAT", zlib.compress(unfiltered.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _codes(image: bytes) -> NDArray[np.uint32] | None:
    """Rows of pixels, each as the number 0xRRGGBB; None when the image is of another kind."""
    chunks = _chunks(image)
    width, height, bits, kind, _, _, interlaced = struct.unpack(_HEAD, chunks[b"IHDR"])
    if (bits, kind, interlaced) != (_EIGHT_BIT, _RGBA, 0):
        return None
    data = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    differences = data[:, 1:].reshape(height, width, 4)
    # "Sub" for every line: each byte is the difference from the pixel before. Opaque: 255, and no difference.
    if (data[:, 0] != 1).any() or (differences[:, 0, 3] != 255).any() or differences[:, 1:, 3].any():
        return None
    codes = np.zeros((height, width), np.uint32)
    for channel, shift in enumerate((16, 8, 0)):
        values = np.cumsum(np.ascontiguousarray(differences[..., channel]), axis=1, dtype=np.uint8)
        codes |= values.astype(np.uint32) << np.uint32(shift)
    return codes


def _chunks(image: bytes) -> dict[bytes, bytes]:
    """The parts of a PNG; those of one name are one."""
    chunks: dict[bytes, bytes] = {}
    position = len(_SIGNATURE)
    while position < len(image):
        (length,) = struct.unpack_from(">I", image, position)
        name = image[position + 4 : position + 8]
        chunks[name] = chunks.get(name, b"") + image[position + 8 : position + 8 + length]
        position += 12 + length
    return chunks


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
