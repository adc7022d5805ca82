"""From a profile's `path` to files: environment variables, installed packages, globs, content hashes."""

import glob
import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.feeds.binding import FileSource
from pipelines.feeds.errors import SourceNotFoundError, SourceUnreadableError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PACKAGE = "package://"


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        label: the name under which the lake knows it, and by which a later version supersedes it: the path as
            configured, so that it holds no folder of this machine and survives a move of the file; for a
            glob, the configured folder and the file's path below it.
        path: where it lies.
        content_sha256: hash of its bytes, in hex.
        source_bytes: its size in bytes.
        modified_ns: its time of modification, by which a change during the reading is noticed.
    """

    label: str
    path: Path
    content_sha256: str
    source_bytes: int
    modified_ns: int


def resolve_files(source: FileSource, *, profile_file: Path, key: str, base_dir: Path) -> list[SourceFile]:
    """The files of a source, each once, in the order of the configured paths (a glob's in name order).

    Args:
        source: the configured source.
        profile_file: the profile it stands in, for messages.
        key: the source's key in the profile, such as `feeds.pos_sales.source`, for messages.
        base_dir: the folder that relative paths start from.

    Raises:
        SourceNotFoundError: an unset variable, a missing package or file, a glob without a match.
        SourceUnreadableError: an empty file.
    """
    files: dict[Path, str] = {}
    for configured in source.paths:
        where = f"{profile_file}: {key}.path"
        for path, label in _expand(configured, where, source.hint, base_dir):
            files.setdefault(path.resolve(), label)
    return [_fingerprinted(path, label, f"{profile_file}: {key}.path") for path, label in files.items()]


def _expand(configured: str, where: str, hint: str | None, base_dir: Path) -> Iterator[tuple[Path, str]]:
    remedy = f"\n{hint.strip()}" if hint else ""
    expanded = _with_variables(configured, where, remedy)
    located = _located(expanded, configured, where, remedy, base_dir)
    if not glob.has_magic(expanded) or located.is_file():
        if not located.is_file():
            kind = "is a folder, not a file" if located.is_dir() else "does not exist"
            raise SourceNotFoundError(f"{where}: the file {located} ({configured!r}) {kind}{remedy}")
        yield located, configured
        return
    folder, pattern, label = _split_at_wildcard(located, configured)
    # A hidden file is one that somebody is still writing.
    matches = sorted(
        path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith(".")
    )
    if not matches:
        raise SourceNotFoundError(f"{where}: no file matches {located} ({configured!r}){remedy}")
    for path in matches:
        yield path, str(PurePosixPath(label) / path.relative_to(folder).as_posix())


def _with_variables(configured: str, where: str, remedy: str) -> str:
    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if not found:
            raise SourceNotFoundError(
                f"{where}: the environment variable {match[1]} is not set; set it so that {configured!r} "
                f"is the path of the data{remedy}"
            )
        return found

    return _VARIABLE.sub(value, configured)


def _located(expanded: str, configured: str, where: str, remedy: str, base_dir: Path) -> Path:
    if not expanded.startswith(_PACKAGE):
        return base_dir / Path(expanded).expanduser()
    package, _, inner = expanded.removeprefix(_PACKAGE).partition("/")
    # find_spec of a top-level name does not import it: a data package may import half the world.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations or not inner:
        raise SourceNotFoundError(
            f"{where}: {configured!r}: the package {package!r} is not installed; accepted: "
            f"package://<an installed package>/<path of a file in it>{remedy}"
        )
    return Path(spec.submodule_search_locations[0]) / inner


def _split_at_wildcard(located: Path, configured: str) -> tuple[Path, str, str]:
    """The folder above the first part with a wildcard, the pattern below it, and the folder as configured."""
    parts = located.parts
    plain = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    # Counted from the end, where both spellings agree: a variable or package stands at the beginning.
    wild = len(parts) - plain
    written = configured.split("/")
    if wild < len(written):
        label = "/".join(written[:-wild])
    else:
        label = configured if _VARIABLE.search(configured) else ""
    return Path(*parts[:plain]), "/".join(parts[plain:]), label


def _fingerprinted(path: Path, label: str, where: str) -> SourceFile:
    status = path.stat()
    if status.st_size == 0:
        raise SourceUnreadableError(
            f"{where}: the file {path} is empty (0 bytes); expected at least a header"
        )
    with path.open("rb") as file:
        content_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return SourceFile(label, path, content_sha256, status.st_size, status.st_mtime_ns)
