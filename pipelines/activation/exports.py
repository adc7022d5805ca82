"""The audience files of a date: their rows are frozen with the decisions, and files follow from those alone.

`freeze_rows` renders and keeps the rows as `export_<stem>.parquet` in the emission's folder. `write` makes of
them the folders for the marketing tools: the full files, what to add and what to take out since, and a
manifest each. `write_delta` makes folders with removals alone. All files are for their owner only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines.activation import hashing, sms
from pipelines.activation.files import columns_of, write_call_list, write_csv, write_jsonl
from pipelines.activation.rendering import ExportOptions, discard, prepare, queries
from pipelines.feeds.sql import identifiers, literal, path_literal

__all__ = [
    "EXPORTS",
    "Export",
    "ExportFile",
    "ExportOptions",
    "Removals",
    "freeze_rows",
    "read_exports",
    "write",
    "write_delta",
]


@dataclass(frozen=True)
class ExportFile:
    """What is written for a tool.

    Attributes:
        folder: the channel's folder.
        stem: of the file's name.
        suffix: csv, jsonl or xlsx.
        private: columns of the frozen rows that the file does not have.
        has_delta: whether its rows are touches, which are added and removed.
    """

    folder: str
    stem: str
    suffix: str
    private: frozenset[str] = frozenset({"row_no"})
    has_delta: bool = True

    @property
    def name(self) -> str:
        """Of the full file."""
        return f"{self.stem}.{self.suffix}"

    @property
    def delta_name(self) -> str:
        """Of the file of additions and removals; a workbook's is a CSV."""
        return f"{self.stem}_delta.{'jsonl' if self.suffix == 'jsonl' else 'csv'}"


# An advertising platform gets nothing but what it matches by.
_HASHES_ONLY = frozenset({"row_no", "touch_id", "priority", "valid_until"})

EXPORTS: Sequence[ExportFile] = (
    ExportFile("crm", "crm", "csv"),
    ExportFile("email", "email", "csv"),
    ExportFile("phone", "call_list", "xlsx"),
    ExportFile("push", "push", "jsonl"),
    ExportFile("recommendations", "recommendations", "jsonl", has_delta=False),
    ExportFile("sms", "sms", "csv", frozenset({"row_no", "template_id", "language"})),
    ExportFile("social", "social_dm", "csv"),
    *(ExportFile("social", f"social_{name}", "csv", _HASHES_ONLY) for name in hashing.PLATFORMS),
)
"""All files there can be; those of `ad_platforms` that a profile leaves out are not written."""

_WRITERS: Mapping[str, Callable[[duckdb.DuckDBPyConnection, str, Path], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "xlsx": write_call_list,
}


@dataclass(frozen=True)
class Export:
    """One file of one date."""

    channel: str
    file: Path
    rows: int
    sha256: str


@dataclass(frozen=True)
class Removals:
    """Which rows of earlier exports must be taken out of the tools again.

    Attributes:
        files: the frozen rows of earlier dates, by the stem of their file; those whose retention is over are
            left out, and their touches cannot be removed any more.
        touches: Parquet file with the columns touch_id and reason.
    """

    files: Mapping[str, Sequence[Path]]
    touches: Path


def frozen_name(stem: str) -> str:
    """Name of the file of frozen rows in an emission's folder."""
    return f"export_{stem}.parquet"


def freeze_rows(
    con: duckdb.DuckDBPyConnection, as_of_date: date, folder: Path, options: ExportOptions
) -> None:
    """Render the date's rows and keep them as `export_<stem>.parquet` in the folder.

    Args:
        con: open on the warehouse, read only suffices; the date's decisions are not simulated.
        as_of_date: the date of the decisions.
        folder: the emission's, which exists.
        options: of the profile.

    Raises:
        ValueError: a send has no address, or its template no text in the language.
    """
    prepare(con, as_of_date, options)
    try:
        for stem, query in queries(as_of_date, options).items():
            file = folder / frozen_name(stem)
            file.touch(mode=0o600)
            con.execute(
                f"copy ({query}) to {literal(str(file))} "
                "(format parquet, compression zstd, use_tmp_file false)"
            )
    finally:
        discard(con)


def write(
    frozen: Path, target: Path, record: Mapping[str, str], removals: Removals | None = None
) -> list[Export]:
    """Write every channel's folder from the frozen rows of a date.

    Args:
        frozen: the emission's folder.
        target: a folder that exists; the channels' folders are made in it.
        record: what every manifest says of the emission (as_of_date, run_id, policy_version).
        removals: with it each file of touches gets a delta: today's rows to add, and those to remove.

    Returns:
        The full files, in the order of `EXPORTS`; the deltas are in the manifests.
    """
    exports = []
    with _connected(target) as con:
        for folder, files in _folders().items():
            entries, warnings = [], []
            for export in files:
                rows_file = frozen / frozen_name(export.stem)
                if not rows_file.exists():
                    continue
                rows = f"from {_parquet([rows_file])}"
                path = _made(target, folder) / export.name
                query = f"select {_listed(con, rows, export)} {rows}"
                _WRITERS[export.suffix](con, query, path)
                entry = _entry(con, path, query, rows)
                entries.append(entry)
                exports.append(Export(folder, path, entry["rows"], entry["sha256"]))
                if export.stem == "sms":
                    warnings = _sms_warnings(con, rows)
                if removals is not None and export.has_delta:
                    entries += _write_changes(con, export, target, removals, rows)
            if entries:
                _write_manifest(target / folder, folder, record, entries, warnings)
    return exports


def write_delta(removals: Removals, target: Path, record: Mapping[str, str]) -> list[Export]:
    """Write the removals alone: a folder for each channel that has any, with deltas and a manifest.

    Args:
        removals: the rows to take out.
        target: a folder that exists.
        record: what every manifest says.

    Returns:
        The deltas that have rows; empty when there is nothing to remove.
    """
    exports = []
    with _connected(target) as con:
        for folder, files in _folders().items():
            entries: list[dict[str, Any]] = []
            for export in files:
                if export.has_delta:
                    entries += _write_changes(con, export, target, removals, None)
            exports += [
                Export(folder, target / folder / entry["file"], entry["rows"], entry["sha256"])
                for entry in entries
            ]
            if entries:
                _write_manifest(target / folder, folder, record, entries, [])
    return exports


def read_exports(target: Path) -> list[Export]:
    """The full files that stand under a date's folder, as their manifests say; empty for no folder."""
    found = {}
    for path in target.glob("*/manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for entry in manifest["files"]:
            if entry["kind"] == "full":
                found[entry["file"]] = Export(
                    manifest["channel"], path.parent / entry["file"], entry["rows"], entry["sha256"]
                )
    return [found[export.name] for export in EXPORTS if export.name in found]


def _connected(target: Path) -> duckdb.DuckDBPyConnection:
    """In memory; what does not fit there is put beside the files, not into the folder of the process."""
    return duckdb.connect(config={"temp_directory": str(target / ".spill")})


def _folders() -> dict[str, list[ExportFile]]:
    folders: dict[str, list[ExportFile]] = {}
    for export in EXPORTS:
        folders.setdefault(export.folder, []).append(export)
    return folders


def _write_changes(
    con: duckdb.DuckDBPyConnection, export: ExportFile, target: Path, removals: Removals, rows: str | None
) -> list[dict[str, Any]]:
    """Write a file's delta, removals first: a customer who is removed and added anew stays.

    Additions are wide and many: they come in the order of their file and are not sorted again.

    Args:
        con: in memory.
        export: the file.
        target: the date's or the scrub's folder.
        removals: see there.
        rows: today's rows as a FROM clause; None for removals alone, where no rows means no file.

    Returns:
        The manifest's entry for the delta, if it was written.
    """
    parts = []
    earlier = removals.files.get(export.stem, ())
    if earlier:
        parts.append(f"""
        select * from (
            select 'remove' as change, removed.reason as removed_because, exported.*
            -- Rows that were frozen before they were numbered have no number.
            from (
                select * from {_parquet(earlier)}
                union all by name select null::bigint as row_no where false
            ) as exported
            inner join (
                select touch_id, min(reason) as reason from {_parquet([removals.touches])} group by touch_id
            ) as removed on exported.touch_id = removed.touch_id
            order by exported.touch_id, exported.row_no
        )
        """)
    if rows is not None:
        parts.append(f"select 'add' as change, null::varchar as removed_because, * {rows}")
    if not parts:
        return []
    changes = f"from ({' union all by name '.join(parts)})"
    if rows is None and con.execute(f"select 1 {changes} limit 1").fetchone() is None:
        return []
    shape = rows or f"from {_parquet(earlier)}"
    query = f"select change, removed_because, {_listed(con, shape, export)} {changes}"
    path = _made(target, export.folder) / export.delta_name
    _WRITERS[path.suffix.removeprefix(".")](con, query, path)
    return [_entry(con, path, query, changes, is_delta=True)]


def _listed(con: duckdb.DuckDBPyConnection, rows: str, export: ExportFile) -> str:
    return identifiers(name for name, _ in columns_of(con, f"select * {rows}") if name not in export.private)


def _entry(
    con: duckdb.DuckDBPyConnection, path: Path, query: str, rows: str, is_delta: bool = False
) -> dict[str, Any]:
    """What the manifest says of a file."""
    dated = "valid_until" in dict(columns_of(con, f"select * {rows}"))
    until = "max(valid_until)" if dated else "cast(null as date)"
    counted = con.execute(f"select count(*), {until} {rows}").fetchone()
    count, valid_until = counted if counted is not None else (0, None)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry: dict[str, Any] = {
        "file": path.name,
        "kind": "delta" if is_delta else "full",
        "rows": count,
        "sha256": digest,
        "valid_until": valid_until.isoformat() if valid_until else None,
        "columns": [{"name": name, "type": kind} for name, kind in columns_of(con, query)],
    }
    if is_delta:
        changes = dict(con.execute(f"select change, count(*) {rows} group by change").fetchall())
        entry |= {"added": changes.get("add", 0), "removed": changes.get("remove", 0)}
    return entry


def _sms_warnings(con: duckdb.DuckDBPyConnection, rows: str) -> list[dict[str, str]]:
    """What providers may object to in the longest message of each template."""
    longest = con.execute(
        f"select template_id, any_value(language), max_by(text, (units, touch_id)) {rows} "
        "group by template_id order by template_id"
    ).fetchall()
    return [
        {"template_id": template_id, "warning": warning}
        for template_id, language, text in longest
        for warning in sms.lint(text, language)
    ]


def _write_manifest(
    folder: Path,
    channel: str,
    record: Mapping[str, str],
    entries: Sequence[Mapping[str, Any]],
    warnings: Sequence[Mapping[str, str]],
) -> None:
    platforms = [
        name
        for name in hashing.PLATFORMS
        if any(entry["file"].startswith(f"social_{name}") for entry in entries)
    ]
    manifest = {
        **record,
        "channel": channel,
        "valid_until": max((entry["valid_until"] or "" for entry in entries), default="") or None,
        "hash_rules": hashing.versions(platforms),
        "warnings": list(warnings),
        "files": list(entries),
    }
    file = folder / "manifest.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _made(target: Path, folder: str) -> Path:
    path = target / folder
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _parquet(files: Sequence[Path]) -> str:
    listed = ", ".join(map(path_literal, files))
    # The names of the folders are no columns; files of an older version may have other columns.
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
