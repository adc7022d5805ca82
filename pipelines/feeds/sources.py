"""From a profile's `path` to files: environment variables, installed packages, globs, content hashes.

And which files wait, because somebody is still writing them.
"""

import glob
import hashlib
import importlib.util
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.feeds.config import redacted
from pipelines.feeds.errors import SourceNotFoundError, SourceUnreadableError
from pipelines.feeds.source_settings import VARIABLE, FileSource

DEFAULT_SETTLE_SECONDS = 2.0
_PACKAGE = "package://"
_TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp")


@dataclass(frozen=True)
class SourceFile:
    """One file of a source; for a database, the file into which its rows were read.

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


@dataclass(frozen=True)
class SeenFile:
    """A file that is there, unread.

    Attributes:
        label: as in `SourceFile`.
        size_bytes: its size.
        modified_ns: its time of modification, in nanoseconds since 1970.
    """

    label: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Waiting:
    """A file that is not taken in yet, because somebody is still writing it.

    Attributes:
        label: as in `SourceFile`.
        reason: how that was noticed.
    """

    label: str
    reason: str

    def __str__(self) -> str:
        return f"waits: {self.label} ({self.reason}); the next run takes it"


def resolve_files(
    source: FileSource,
    *,
    profile_file: Path,
    key: str,
    base_dir: Path,
    settle_seconds: float = DEFAULT_SETTLE_SECONDS,
) -> tuple[list[SourceFile], list[Waiting]]:
    """The files of a source, each once, in the order of the configured paths (a glob's in name order).

    A file waits when its name is one that programs give to what they have not finished, and when it changes
    between two looks. Only a file that was changed in the last `settle_seconds` is looked at twice, that time
    apart, all of them together.

    Args:
        source: the configured source.
        profile_file: the profile it stands in, for messages.
        key: the source's key in the profile, such as `feeds.pos_sales.source`, for messages.
        base_dir: the folder that relative paths start from.
        settle_seconds: the time between the two looks; 0 for a single one.

    Returns:
        The files that are complete, and those that wait.

    Raises:
        SourceNotFoundError: an unset variable, a missing package or file, a glob without a match. No error if
            the file waits.
        SourceUnreadableError: an empty file, unless its format is JSON lines; a link out of a glob's folder;
            a name that is not UTF-8.
    """
    files: dict[Path, str] = {}
    waiting: dict[str, Waiting] = {}
    where = f"{profile_file}: {key}.path"
    for configured in source.paths:
        for path, label in _expand(configured, where, source.hint, base_dir):
            if not _is_utf8(path):
                raise SourceUnreadableError(
                    f"{where}: the name of {str(path)!a} is not UTF-8; accepted: a name that is"
                )
            if _is_temporary(path.name):
                waiting[label] = Waiting(label, "its name is a temporary one")
            else:
                files.setdefault(path.resolve(), label)
    changing = _changing(files, settle_seconds)
    resolved = []
    for path, label in files.items():
        file = None if path in changing else _fingerprinted(path, label, source.format_of(path), where)
        if file is None or not is_unchanged(file):
            waiting[label] = Waiting(label, "its size or time is changing")
        else:
            resolved.append(file)
    return resolved, list(waiting.values())


def seen_files(source: FileSource, *, base_dir: Path) -> list[SeenFile]:
    """The files of a source as a look at the folders shows them, without opening one.

    Files of installed packages are left out, for they never arrive; so is what cannot be found and what has
    a temporary name. Taking them in says what is wrong.

    Args:
        source: the configured source.
        base_dir: the folder that relative paths start from.
    """
    found: dict[str, SeenFile] = {}
    for configured in source.paths:
        if configured.startswith(_PACKAGE):
            continue
        with suppress(SourceNotFoundError):
            for path, label in _expand(configured, "", None, base_dir):
                state = None if _is_temporary(path.name) else _state(path)
                if state is not None:
                    found.setdefault(label, SeenFile(label, *state))
    return list(found.values())


def is_unchanged(file: SourceFile) -> bool:
    """Whether the file still has the size and time it had when its content was hashed."""
    return _state(file.path) == (file.source_bytes, file.modified_ns)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:  # renamed or taken away by its writer
        return None
    return status.st_size, status.st_mtime_ns


def _changing(files: Iterable[Path], settle_seconds: float) -> set[Path]:
    seen = {path: _state(path) for path in files}
    newest = (time.time() - settle_seconds) * 1e9
    fresh = [path for path, state in seen.items() if state is None or state[1] > newest]
    if not fresh or settle_seconds <= 0:
        return set()
    time.sleep(settle_seconds)
    return {path for path in fresh if _state(path) != seen[path]}


def _is_temporary(name: str) -> bool:
    return name.startswith((".", "~")) or name.endswith("~") or name.lower().endswith(_TEMPORARY_SUFFIXES)


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _expand(configured: str, where: str, hint: str | None, base_dir: Path) -> Iterator[tuple[Path, str]]:
    remedy = f"\n{hint.strip()}" if hint else ""
    expanded = with_variables(configured, where, "the path of the data", remedy)
    if "://" in expanded and not expanded.startswith(_PACKAGE):
        # It may hold a password, so the message has none of it.
        raise SourceNotFoundError(
            f"{where}: {redacted(repr(configured))} is a URL; accepted: a path, a glob or "
            f"{_PACKAGE}<package>/<path>. "
            f"A database is a source of `type: postgres` or `type: mysql`{remedy}"
        )
    located = _located(expanded, configured, where, remedy, base_dir)
    if not glob.has_magic(expanded) or located.is_file():
        yield from _single(located, configured, where, remedy)
        return
    folder, pattern, label = _split_at_wildcard(located, configured)
    patterns = [pattern]
    if not pattern.endswith("**"):
        patterns += [f"{pattern}{suffix}" for suffix in ("~", *_TEMPORARY_SUFFIXES)]
    try:
        matches = sorted({path for each in patterns for path in folder.glob(each) if path.is_file()})
    except ValueError as error:
        raise SourceNotFoundError(f"{where}: {configured!r} is no pattern of file names: {error}") from error
    if not matches:
        raise SourceNotFoundError(f"{where}: no file matches {located} ({configured!r}){remedy}")
    root = folder.resolve()
    for path in matches:
        if not path.resolve().is_relative_to(root):
            # Whoever may drop a file must not choose which file of this machine is read.
            raise SourceUnreadableError(
                f"{where}: {path} is a link that leads out of {folder}, to {path.resolve()}; accepted: files "
                "that lie in "
                "the folder, or the other folder in the profile"
            )
        yield path, str(PurePosixPath(label) / path.relative_to(folder).as_posix())


def _single(located: Path, configured: str, where: str, remedy: str) -> Iterator[tuple[Path, str]]:
    if located.is_file():
        yield located, configured
        return
    unfinished = [located.with_name(f"{located.name}{suffix}") for suffix in ("~", *_TEMPORARY_SUFFIXES)]
    unfinished += [located.with_name(f"{prefix}{located.name}") for prefix in (".", "~", "~$")]
    for path in unfinished:
        if path.is_file():
            yield path, f"{configured} as {path.name}"
            return
    kind = "is a folder, not a file" if located.is_dir() else "does not exist"
    raise SourceNotFoundError(f"{where}: the file {located} ({configured!r}) {kind}{remedy}")


def with_variables(configured: str, where: str, meaning: str, remedy: str = "") -> str:
    """The text with each `${NAME}` replaced by that environment variable.

    Args:
        configured: the text as the profile has it.
        where: profile file and key, for messages.
        meaning: what the whole is to be, for messages.
        remedy: added to the message.

    Raises:
        SourceNotFoundError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if not found:
            raise SourceNotFoundError(
                f"{where}: the environment variable {match[1]} is not set; set it so that {configured!r} "
                f"is {meaning}{remedy}"
            )
        return found

    return VARIABLE.sub(value, configured)


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
        label = configured if VARIABLE.search(configured) else ""
    return Path(*parts[:plain]), "/".join(parts[plain:]), label


def _fingerprinted(path: Path, label: str, file_format: str | None, where: str) -> SourceFile | None:
    """The file with its hash; None if it is gone by now."""
    state = _state(path)
    if state is None:
        return None
    # An hour without events is an empty file of JSON lines; any other format has a header at least.
    if state[0] == 0 and file_format != "jsonl":
        raise SourceUnreadableError(
            f"{where}: the file {path} is empty (0 bytes); expected at least a header"
        )
    try:
        with path.open("rb") as file:
            content_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    return SourceFile(label, path, content_sha256, *state)
