"""Text in any encoding as UTF-8, without losing a byte that the encoding does not have.

A byte that cannot be decoded becomes a mark and its two hex digits, so that the line can be told and its text
recovered (`readable`). The mark is a Unicode noncharacter, which stands in no text that was meant.
"""

import codecs
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

MARK = "\ufdd0"
"""Stands before the hex digits of a byte that is not of the encoding."""

_CHUNK_BYTES = 4 * 1024 * 1024


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(f"{MARK}{byte:02x}" for byte in wrong), error.end


codecs.register_error("winback_mark", _marked)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if its name ends in .gz."""
    if path.suffix.lower() == ".gz":
        with gzip.open(path, "rb") as packed:
            yield cast(BinaryIO, packed)
    else:
        with path.open("rb") as plain:
            yield plain


def transcode(path: Path, encoding: str, target: Path) -> bool:
    """Writes a text file anew as UTF-8 without a byte order mark, in a stream.

    Args:
        path: the file, gzipped if its name ends in .gz.
        encoding: a codec name as Python knows it.
        target: the file to write.

    Returns:
        Whether there were bytes that are not of the encoding; each stands as a mark and two hex digits.

    Raises:
        OSError, EOFError: the file cannot be read, or not unpacked.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     source, target = Path(folder, "a.csv"), Path(folder, "b.csv")
        ...     _ = source.write_bytes("id\\n王".encode("gb18030") + b"\\xff")
        ...     wrong = transcode(source, "gb18030", target)
        ...     wrong, readable(target.read_text(encoding="utf-8"))
        (True, 'id\\n王\\\\xff')
    """
    # The codec utf-8-sig takes the mark away where there is one.
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("winback_mark")
    wrong = False
    with open_bytes(path) as source, target.open("wb") as out:
        while chunk := source.read(_CHUNK_BYTES):
            wrong |= _write(out, decoder.decode(chunk))
        wrong |= _write(out, decoder.decode(b"", True))
    return wrong


def _write(out: BinaryIO, text: str) -> bool:
    # A lone surrogate is half a character; UTF-16 decoders refuse it, UTF-7 and others may let it pass.
    out.write(text.encode("utf-8", "backslashreplace"))
    return MARK in text


def readable(text: str) -> str:
    """The text with its marks as `\\xff`."""
    return text.replace(MARK, "\\x")
