"""What the demo shop says of itself: the marker in its folders, with all planted counts."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MARKER_NAME = ".demo_shop.json"
# Stands in a folder whose writing has not come to its end.
PARTIAL_NAME = ".demo_shop.partial.json"


class DemoShopError(Exception):
    """The demo shop cannot be written or read; the message says why and what to do."""


@dataclass(frozen=True)
class FeedCounts:
    """What extraction must find in all files of a feed together.

    Attributes:
        files: number of files.
        rows_read: rows in them; `rows_loaded + rows_duplicate + rows quarantined`.
        rows_loaded: rows accepted, those of repeated files included.
        rows_duplicate: exact copies within one file.
        rows_repeated: rows of files that repeat another file.
        quarantined: reason to rows.
        kept: kinds of odd rows that are loaded (orphan_reference, formula_text, control_characters) to rows.
    """

    files: int
    rows_read: int
    rows_loaded: int
    rows_duplicate: int
    rows_repeated: int
    quarantined: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Marker:
    """A written demo shop.

    Attributes:
        customers, seed, generator_version: what the content depends on; with them DuckDB's hash function.
        duckdb: the version of DuckDB that wrote it.
        feeds: what each feed holds.
        files: every file below the folder to its size in bytes.
    """

    customers: int
    seed: int
    generator_version: int
    duckdb: str
    feeds: dict[str, FeedCounts]
    files: dict[str, int]

    def to_json(self) -> str:
        """The marker as a JSON object."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Marker":
        """The marker that `to_json` wrote; raises ValueError, KeyError or TypeError for any other text."""
        values: dict[str, Any] = json.loads(text)
        feeds = {name: FeedCounts(**counts) for name, counts in values.pop("feeds").items()}
        return cls(**values, feeds=feeds)


def read_marker(landing: Path) -> Marker | None:
    """The marker of a complete demo shop, or None where there is none.

    Raises:
        DemoShopError: the marker is there but cannot be read.
    """
    return _read(landing / MARKER_NAME)


def _read(file: Path) -> Marker | None:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DemoShopError(f"{file}: cannot be read: {error}") from error
    try:
        return Marker.from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DemoShopError(
            f"{file}: is not the marker of a demo shop ({error}). Remove the folder {file.parent} if it "
            "holds nothing of yours, and write the shop again"
        ) from error


def files_below(folder: Path) -> dict[str, int]:
    """Every file below the folder to its size in bytes, hidden ones left out."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def check_replaceable(folder: Path) -> None:
    """Checks that a folder is missing, empty or holds a demo shop, whole or not, and nothing else.

    Raises:
        DemoShopError: naming the first files that are somebody else's.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DemoShopError(f"{folder}: is a file; give a folder for the demo shop")
    ours = _read(folder / MARKER_NAME) or _read(folder / PARTIAL_NAME)
    known = set(ours.files) if ours else set()
    strange = [name for name in files_below(folder) if name not in known]
    if strange:
        shown = ", ".join(strange[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        raise DemoShopError(
            f"{folder}: holds files that the demo shop did not write ({shown}); nothing was changed. "
            "Move them away, or give another folder"
        )
